// A zip file, read from its end (PKWARE's APPNOTE 4.3):
//
//     +-----------------------+ ... +-------------------+-------+---------+----------------+
//     | local header, member  |     | central directory | end64 | locator | end of central |
//     +-----------------------+ ... +-------------------+-------+---------+----------------+
//
// The last record says where the directory is; where its fields are too small they are all ones,
// and the locator before it leads to `end64` (4.3.14), which has 64 bits for each. Entries of the
// directory likewise have an extra field (4.5.3) for what does not fit.

import Files

/// A zip file that is open for reading: its directory, and bytes anywhere.
///
/// Numbers in it are claims. Every place is compared with the file's size before it is read.
final class ZipFile {
  /// A member, as the directory describes it.
  struct Entry {
    var name = ""
    var isEncrypted = false
    /// 0: stored, 8: deflated.
    var method: UInt16 = 0
    var checksum: UInt32 = 0
    var packedByteCount = 0
    var byteCount = 0
    /// Where its local header is.
    var offset = 0
  }

  let place: ArchivePlace
  let byteCount: Int
  private(set) var entries: [Entry] = []
  private let file: ReadableFile

  init(_ path: String) throws(ArchiveError) {
    place = ArchivePlace(path: path)
    file = try ZipFile.opened(path)
    byteCount = file.byteCount ?? 0
    let end = try ZipFile.end(of: file, byteCount, place)
    guard end.byteCount <= end.limit, end.start <= end.limit - end.byteCount else {
      throw ZipFile.damaged(place, "its directory lies outside")
    }
    entries = try parsed(
      bytes(at: end.start, count: end.byteCount), count: end.count)
  }

  private static func opened(_ path: String) throws(ArchiveError) -> ReadableFile {
    do throws(FileError) { return try ReadableFile(path) } catch { throw ArchiveError(error) }
  }

  private static func damaged(_ place: ArchivePlace, _ reason: String) -> ArchiveError {
    place.error(
      "is no usable .npz (\(reason)); the file is cut off or damaged: copy or save it again")
  }

  // MARK: Bytes

  /// Fills `buffer` from `offset` on; returns fewer bytes only at the end of the file.
  func read(
    at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) -> Int {
    try ZipFile.read(file, at: offset, into: buffer)
  }

  private static func read(
    _ file: borrowing ReadableFile, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) -> Int {
    do throws(FileError) { return try file.read(at: offset, into: buffer) } catch {
      throw ArchiveError(error)
    }
  }

  /// Exactly `count` bytes, which the caller has compared with the file's size.
  private func bytes(at offset: Int, count: Int) throws(ArchiveError) -> [UInt8] {
    try ZipFile.bytes(file, at: offset, count: count, place)
  }

  private static func bytes(
    _ file: borrowing ReadableFile, at offset: Int, count: Int, _ place: ArchivePlace
  ) throws(ArchiveError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var got = 0
    // No closure: it could not borrow the file.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    defer { buffer.deallocate() }
    got = try read(file, at: offset, into: buffer)
    guard got == count else { throw damaged(place, "it ends after \(offset + got) bytes") }
    bytes.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(buffer)) }
    return bytes
  }

  // MARK: Directory

  /// Where the directory is. It ends at `limit` at the latest.
  private struct End {
    var count: Int
    var byteCount: Int
    var start: Int
    var limit: Int
  }

  private static let endByteCount = 22
  private static let locatorByteCount = 20
  private static let end64ByteCount = 56
  private static let entryByteCount = 46
  private static let localByteCount = 30

  /// Finds the last record: behind it there is nothing but a comment of at most 65535 bytes.
  private static func end(
    of file: borrowing ReadableFile, _ byteCount: Int, _ place: ArchivePlace
  ) throws(ArchiveError) -> End {
    let count = min(byteCount, endByteCount + Int(UInt16.max))
    let start = byteCount - count
    let tail = try bytes(file, at: start, count: count, place)
    var index = count - endByteCount
    while index >= 0 {
      if number(tail, index, UInt32.self) == 0x0605_4B50,
        Int(number(tail, index + 20, UInt16.self)) == count - index - endByteCount
      {
        break
      }
      index -= 1
    }
    guard index >= 0 else { throw damaged(place, "its directory is missing") }
    let (items, size, offset) = (
      number(tail, index + 10, UInt16.self), number(tail, index + 12, UInt32.self),
      number(tail, index + 16, UInt32.self)
    )
    guard items == .max || size == .max || offset == .max else {
      return End(
        count: Int(items), byteCount: Int(size), start: Int(offset), limit: start + index)
    }
    return try end64(of: file, before: start + index, place)
  }

  private static func end64(
    of file: borrowing ReadableFile, before end: Int, _ place: ArchivePlace
  ) throws(ArchiveError) -> End {
    guard end >= locatorByteCount + end64ByteCount else {
      throw damaged(place, "its directory is missing")
    }
    let locator = try bytes(file, at: end - locatorByteCount, count: locatorByteCount, place)
    guard number(locator, 0, UInt32.self) == 0x0706_4B50,
      let start = Int(exactly: number(locator, 8, UInt64.self)),
      start <= end - locatorByteCount - end64ByteCount
    else { throw damaged(place, "its directory is missing") }
    let record = try bytes(file, at: start, count: end64ByteCount, place)
    guard number(record, 0, UInt32.self) == 0x0606_4B50,
      let count = Int(exactly: number(record, 32, UInt64.self)),
      let byteCount = Int(exactly: number(record, 40, UInt64.self)),
      let offset = Int(exactly: number(record, 48, UInt64.self))
    else { throw damaged(place, "its directory is missing") }
    return End(count: count, byteCount: byteCount, start: offset, limit: start)
  }

  private func parsed(_ bytes: [UInt8], count: Int) throws(ArchiveError) -> [Entry] {
    var entries: [Entry] = []
    var index = 0
    while entries.count < count {
      guard bytes.count - index >= ZipFile.entryByteCount,
        ZipFile.number(bytes, index, UInt32.self) == 0x0201_4B50
      else { throw ZipFile.damaged(place, "entry \(entries.count) of its directory is missing") }
      let field = { ZipFile.number(bytes, index + $0, UInt16.self) }
      let lengths = (Int(field(28)), Int(field(30)), Int(field(32)))
      let name = index + ZipFile.entryByteCount
      let extra = name + lengths.0
      let next = extra + lengths.1 + lengths.2
      guard next <= bytes.count else {
        throw ZipFile.damaged(place, "entry \(entries.count) of its directory is cut off")
      }
      entries.append(try entry(bytes, index, name: name..<extra, extra: extra..<extra + lengths.1))
      index = next
    }
    guard index == bytes.count else { throw ZipFile.damaged(place, "its directory is too long") }
    return entries
  }

  private func entry(
    _ bytes: [UInt8], _ index: Int, name: Range<Int>, extra: Range<Int>
  ) throws(ArchiveError) -> Entry {
    var entry = Entry()
    entry.name = String(decoding: bytes[name], as: UTF8.self)
    let flags = ZipFile.number(bytes, index + 8, UInt16.self)
    entry.isEncrypted = flags & 1 != 0
    entry.method = ZipFile.number(bytes, index + 10, UInt16.self)
    entry.checksum = ZipFile.number(bytes, index + 16, UInt32.self)
    // Sizes and the offset, in the order in which the extra field has those that do not fit.
    var numbers = [index + 24, index + 20, index + 42].map {
      UInt64(ZipFile.number(bytes, $0, UInt32.self))
    }
    if numbers.contains(UInt64(UInt32.max)) { ZipFile.widen(&numbers, bytes, extra) }
    guard let byteCount = Int(exactly: numbers[0]), let packed = Int(exactly: numbers[1]),
      let offset = Int(exactly: numbers[2])
    else { throw ZipFile.damaged(place, "the sizes of \(entry.name) are absurd") }
    (entry.byteCount, entry.packedByteCount, entry.offset) = (byteCount, packed, offset)
    return entry
  }

  /// Takes the 64-bit forms of the numbers that are all ones from the extra field 1.
  private static func widen(_ numbers: inout [UInt64], _ bytes: [UInt8], _ extra: Range<Int>) {
    var index = extra.lowerBound
    while extra.upperBound - index >= 4 {
      let kind = number(bytes, index, UInt16.self)
      let length = number(bytes, index + 2, UInt16.self)
      let end = min(index + 4 + Int(length), extra.upperBound)
      var at = index + 4
      if kind == 1 {
        for place in numbers.indices where numbers[place] == UInt64(UInt32.max) && end - at >= 8 {
          numbers[place] = number(bytes, at, UInt64.self)
          at += 8
        }
        return
      }
      index = end
    }
  }

  /// Returns where the bytes of a member are.
  func data(of entry: Entry, _ place: ArchivePlace) throws(ArchiveError) -> Int {
    guard entry.packedByteCount <= byteCount,
      entry.offset <= byteCount - entry.packedByteCount - ZipFile.localByteCount
    else { throw place.error("lies outside the file; the file is damaged: save it again") }
    let header = try bytes(at: entry.offset, count: ZipFile.localByteCount)
    let start =
      entry.offset + ZipFile.localByteCount + Int(ZipFile.number(header, 26, UInt16.self))
      + Int(ZipFile.number(header, 28, UInt16.self))
    guard ZipFile.number(header, 0, UInt32.self) == 0x0403_4B50,
      ZipFile.number(header, 8, UInt16.self) == entry.method,
      start <= byteCount - entry.packedByteCount
    else {
      throw place.error(
        "is not where the directory says; the file is damaged: save it again")
    }
    return start
  }

  /// The little-endian number at `index`; the caller has compared with the number of bytes.
  private static func number<T: FixedWidthInteger>(
    _ bytes: [UInt8], _ index: Int, _: T.Type
  ) -> T {
    bytes.withUnsafeBytes {
      T(littleEndian: $0.loadUnaligned(fromByteOffset: index, as: T.self))
    }
  }
}
