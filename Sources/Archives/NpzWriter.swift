// A zip file as NumPy writes it: members stored, not compressed; sizes of 4 GiB and more in zip64
// fields (PKWARE's APPNOTE 4.3, 4.5.3):
//
//     +--------------------+------+ ... +-------------------+-----------------+
//     | local header, name | .npy |     | central directory | end of central  |
//     +--------------------+------+ ... +-------------------+ (zip64) records |
//                                                           +-----------------+
//
// Times are fixed, so the same tensors give the same bytes.

import Files
import Tensors

/// Writes an `.npz` file member by member; the file appears at `commit` or not at all.
package struct NpzWriter: ~Copyable {
  private var file: AtomicFile
  private var entries: [Entry] = []
  private var names = Set<String>()
  private let usesZip64: Bool

  private struct Entry {
    var name: [UInt8]
    var checksum: UInt32
    var byteCount: UInt64
    var offset: UInt64
  }

  /// Opens a temporary file beside `path`.
  package init(replacing path: String) throws(ArchiveError) {
    try self.init(replacing: path, usesZip64: false)
  }

  /// As above; `usesZip64` writes the 64-bit fields even where they are not needed.
  init(replacing path: String, usesZip64: Bool) throws(ArchiveError) {
    self.usesZip64 = usesZip64
    file = try NpzWriter.opened(path)
  }

  private static func opened(_ path: String) throws(ArchiveError) -> AtomicFile {
    do throws(FileError) { return try AtomicFile(replacing: path) } catch {
      throw ArchiveError(error)
    }
  }

  /// Appends a tensor; bfloat16 is written as float32.
  ///
  /// - Throws: `ArchiveError` for a name that is there already and for an element type that NumPy
  ///   does not have.
  package mutating func add(_ name: String, _ tensor: TensorBuffer) throws(ArchiveError) {
    let place = ArchivePlace(path: file.path, member: name)
    guard names.insert(name).inserted else {
      throw place.error(.notWritable, "is given twice; outputs need different names")
    }
    let fileName = Array("\(name).npy".utf8)
    guard fileName.count <= Int(UInt16.max) else {
      throw place.error(.notWritable, "has a name of more than 65535 bytes")
    }
    let body = try NpyEncoding(tensor, place)
    var checksum = CRC32()
    body.header.withUnsafeBytes { checksum.add($0) }
    body.elements.withBytes { checksum.add($0) }
    let entry = Entry(
      name: fileName, checksum: checksum.value,
      byteCount: UInt64(body.header.count + body.elements.byteCount),
      offset: UInt64(file.byteCount))
    entries.append(entry)
    let localHeader = localHeader(of: entry)
    do throws(FileError) {
      try file.write(localHeader)
      try file.write(body.header)
      try body.elements.withBytes { (bytes) throws(FileError) in try file.write(bytes) }
    } catch { throw ArchiveError(error) }
  }

  /// Writes the directory and gives the file its name.
  package mutating func commit() throws(ArchiveError) {
    let directory = directory(startingAt: UInt64(file.byteCount))
    do throws(FileError) {
      try file.write(directory)
      try file.commit()
    } catch { throw ArchiveError(error) }
  }

  // MARK: Records

  private static let longest32 = UInt64(UInt32.max)
  /// Names are UTF-8.
  private static let flags: UInt16 = 1 << 11
  /// Midnight on 1 January 1980, the earliest that zip can say: time 0, day 1 of month 1.
  private static let date: UInt16 = 1 << 5 | 1

  private func localHeader(of entry: Entry) -> [UInt8] {
    let isLarge = usesZip64 || entry.byteCount >= NpzWriter.longest32
    var record = Record()
    record.add(UInt32(0x0403_4B50))
    record.add(UInt16(isLarge ? 45 : 20))
    record.addCommon(entry.checksum, size: isLarge ? .max : UInt32(clamping: entry.byteCount))
    record.add(UInt16(entry.name.count))
    record.add(UInt16(isLarge ? 20 : 0))
    record.bytes += entry.name
    if isLarge { record.addZip64([entry.byteCount, entry.byteCount]) }
    return record.bytes
  }

  private func directory(startingAt start: UInt64) -> [UInt8] {
    var record = Record()
    for entry in entries {
      let isLarge =
        usesZip64 || max(entry.byteCount, entry.offset) >= NpzWriter.longest32
      record.add(UInt32(0x0201_4B50))
      record.add(UInt16(3 << 8 | 45))  // made by: Unix, version 4.5
      record.add(UInt16(isLarge ? 45 : 20))
      record.addCommon(entry.checksum, size: isLarge ? .max : UInt32(clamping: entry.byteCount))
      record.add(UInt16(entry.name.count))
      record.add(UInt16(isLarge ? 28 : 0))
      record.add(UInt16(0))  // comment
      record.add(UInt16(0))  // disk
      record.add(UInt16(0))  // internal attributes
      record.add(UInt32(0o100644 << 16))
      record.add(isLarge ? .max : UInt32(clamping: entry.offset))
      record.bytes += entry.name
      if isLarge { record.addZip64([entry.byteCount, entry.byteCount, entry.offset]) }
    }
    addEnd(to: &record, start: start, byteCount: UInt64(record.bytes.count))
    return record.bytes
  }

  private func addEnd(to record: inout Record, start: UInt64, byteCount: UInt64) {
    let count = UInt64(entries.count)
    let isLarge =
      usesZip64 || count >= UInt64(UInt16.max) || start + byteCount >= NpzWriter.longest32
    if isLarge {
      record.add(UInt32(0x0606_4B50))
      record.add(UInt64(44))
      record.add(UInt16(3 << 8 | 45))
      record.add(UInt16(45))
      record.add(UInt32(0))
      record.add(UInt32(0))
      for number in [count, count, byteCount, start] { record.add(number) }
      record.add(UInt32(0x0706_4B50))
      record.add(UInt32(0))
      record.add(start + byteCount)
      record.add(UInt32(1))
    }
    record.add(UInt32(0x0605_4B50))
    record.add(UInt16(0))
    record.add(UInt16(0))
    record.add(isLarge ? .max : UInt16(clamping: count))
    record.add(isLarge ? .max : UInt16(clamping: count))
    record.add(isLarge ? .max : UInt32(clamping: byteCount))
    record.add(isLarge ? .max : UInt32(clamping: start))
    record.add(UInt16(0))
  }

  /// Little-endian bytes in the making.
  private struct Record {
    var bytes: [UInt8] = []

    mutating func add<T: FixedWidthInteger>(_ value: T) {
      withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    /// The fields from the flags to the sizes, which both headers share.
    mutating func addCommon(_ checksum: UInt32, size: UInt32) {
      add(NpzWriter.flags)
      add(UInt16(0))  // stored
      add(UInt16(0))  // time
      add(NpzWriter.date)
      add(checksum)
      add(size)
      add(size)
    }

    mutating func addZip64(_ numbers: [UInt64]) {
      add(UInt16(1))
      add(UInt16(numbers.count * 8))
      for number in numbers { add(number) }
    }
  }
}

/// A tensor as the two parts of an `.npy` array.
struct NpyEncoding {
  let header: [UInt8]
  let elements: TensorBuffer

  init(_ tensor: TensorBuffer, _ place: ArchivePlace) throws(ArchiveError) {
    elements = tensor.type == .bfloat16 ? NpyEncoding.widened(tensor) : tensor
    guard NpyHeader.descriptor(of: elements.type) != nil else {
      throw place.error(
        .notWritable, "elements of type \(tensor.type) cannot stand in an .npy array")
    }
    header =
      NpyHeader(
        type: elements.type, isBigEndian: false, isFortranOrder: false, shape: elements.shape
      ).encoded
  }

  private static func widened(_ tensor: TensorBuffer) -> TensorBuffer {
    TensorBuffer(.float32, tensor.shape, tensor.elements(as: BFloat16.self).map { Float($0) })
  }
}
