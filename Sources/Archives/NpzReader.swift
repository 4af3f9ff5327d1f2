internal import CZlib
import Tensors

/// An open `.npz` file: lists its members, reads them one at a time.
///
/// The sizes in a zip's directory are claims. A member is believed only as far as its compressed
/// bytes fit into the file and could expand to what it claims; then what is read must agree.
package final class NpzReader {
  /// One array of the file.
  package struct Member: Sendable {
    /// The name without `.npy`, as in Python.
    package let name: String
    fileprivate let entry: ZipFile.Entry
    let byteCount: Int
  }

  package let path: String
  /// The arrays in the order of the file's directory.
  package let members: [Member]
  private let archive: ZipFile

  /// No deflate stream expands further than this.
  private static let highestRatio = 1032

  /// Opens the file at `path` and checks its directory.
  package init(_ path: String) throws(ArchiveError) {
    self.path = path
    archive = try ZipFile(path)
    members = try NpzReader.members(of: archive)
  }

  /// Reads the member at `index` of `members`.
  package func tensor(
    at index: Int, byteLimit: Int = Archive.defaultByteLimit
  ) throws(ArchiveError) -> TensorBuffer {
    var source = try MemberSource(archive, members[index])
    return try source.readTensor(byteCount: members[index].byteCount, limit: byteLimit)
  }

  /// Reads only the element type and the shape of the member at `index` of `members`.
  package func header(at index: Int) throws(ArchiveError) -> (type: ElementType, shape: Shape) {
    var source = try MemberSource(archive, members[index])
    let (header, _) = try source.readHeader()
    return (header.type, header.shape)
  }

  /// Returns the index of the member called `name`, or nil.
  package func index(of name: String) -> Int? { members.firstIndex { $0.name == name } }

  private static func members(of archive: ZipFile) throws(ArchiveError) -> [Member] {
    var members: [Member] = []
    var names = Set<String>()
    for entry in archive.entries {
      let member = try member(entry, archive)
      guard names.insert(member.name).inserted else {
        throw archive.place.error(
          "holds two members called \(member.name); give each array its own name")
      }
      members.append(member)
    }
    return members
  }

  private static func member(
    _ entry: ZipFile.Entry, _ archive: ZipFile
  ) throws(ArchiveError) -> Member {
    guard entry.name.hasSuffix(".npy") else {
      throw archive.place.error(
        "member \(entry.name) is no .npy array; keep only arrays in it (numpy.savez makes such)")
    }
    let name = String(entry.name.dropLast(4))
    let place = ArchivePlace(path: archive.place.path, member: name)
    guard !entry.isEncrypted else {
      throw place.error("is encrypted; save it without a password")
    }
    guard entry.method == 0 || entry.method == 8 else {
      throw place.error(
        "is compressed by method \(entry.method); use numpy.savez or savez_compressed")
    }
    let ratio = entry.method == 0 ? 1 : highestRatio
    guard entry.packedByteCount <= archive.byteCount,
      entry.byteCount / ratio <= entry.packedByteCount
    else {
      throw place.error(
        "claims \(entry.byteCount) bytes out of \(entry.packedByteCount), in a file of "
          + "\(archive.byteCount); the file is damaged: save it again")
    }
    return Member(name: name, entry: entry, byteCount: entry.byteCount)
  }
}

/// The unpacked bytes of one member.
private struct MemberSource: ByteSource, ~Copyable {
  let place: ArchivePlace
  private let archive: ZipFile
  private let entry: ZipFile.Entry
  /// Where the next packed bytes are, and how many are left.
  private var offset: Int
  private var remaining: Int
  private var produced = 0
  private var checksum = CRC32()
  private var isVerified = false
  /// Nil for a stored member.
  private let inflater: Inflater?

  init(
    _ archive: ZipFile, _ member: NpzReader.Member
  ) throws(ArchiveError) {
    let place = ArchivePlace(path: archive.place.path, member: member.name)
    let offset = try archive.data(of: member.entry, place)
    let inflater = member.entry.method == 0 ? nil : Inflater()
    guard member.entry.method == 0 || inflater != nil else {
      throw place.error("cannot be unpacked: there is not enough memory")
    }
    self.place = place
    self.archive = archive
    self.offset = offset
    self.inflater = inflater
    entry = member.entry
    remaining = entry.packedByteCount
  }

  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
    let count = inflater == nil ? try take(into: buffer) : try inflate(into: buffer)
    checksum.add(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    produced += count
    if count < buffer.count { try verify() }
    return count
  }

  /// Reads packed bytes; fewer than asked only where the member ends.
  private mutating func take(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) -> Int {
    let wanted = min(buffer.count, remaining)
    let got = try archive.read(
      at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
    guard got == wanted else {
      throw place.error("ends after \(produced + got) bytes; the file is cut off: copy it again")
    }
    offset += got
    remaining -= got
    return got
  }

  private mutating func inflate(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) -> Int {
    guard let inflater else { return 0 }
    var count = 0
    while count < buffer.count, !inflater.isFinished {
      if inflater.isEmpty, remaining > 0 { inflater.supply(try take(into: inflater.input)) }
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
      guard let got = inflater.run(into: rest) else {
        throw damaged("its bytes are no deflate stream", count)
      }
      // The stream can hold back what did not fit before; without input it cannot make more.
      guard got > 0 || inflater.isFinished || !inflater.isEmpty || remaining > 0 else {
        throw damaged("it ends early", count)
      }
      count += got
    }
    return count
  }

  /// Compares what was read with what the directory promises, at the end.
  private mutating func verify() throws(ArchiveError) {
    guard !isVerified else { return }
    guard produced == entry.byteCount else {
      throw damaged("the directory promises \(entry.byteCount)", 0)
    }
    guard checksum.value == entry.checksum else { throw damaged("its checksum is wrong", 0) }
    isVerified = true
  }

  private func damaged(_ reason: String, _ count: Int) -> ArchiveError {
    place.error(
      "cannot be unpacked (\(reason)) after \(produced + count) bytes; copy or save the file again")
  }
}

/// A deflate stream in the making of its contents.
private final class Inflater {
  /// What packed bytes are read into.
  let input: UnsafeMutableRawBufferPointer
  private(set) var isFinished = false
  // zlib keeps a pointer to it, so that it must not move.
  private let stream: UnsafeMutablePointer<z_stream>

  private static let inputByteCount = 1 << 16

  /// Returns nil where there is not enough memory.
  init?() {
    input = .allocate(byteCount: Inflater.inputByteCount, alignment: 64)
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // A negative number of bits: a stream without header, as zip files have it.
    let size = Int32(MemoryLayout<z_stream>.size)
    guard inflateInit2_(stream, -MAX_WBITS, ZLIB_VERSION, size) == Z_OK else { return nil }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    input.deallocate()
  }

  var isEmpty: Bool { stream.pointee.avail_in == 0 }

  /// Says that the first `count` bytes of `input` wait to be unpacked.
  func supply(_ count: Int) {
    stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_in = UInt32(clamping: count)
  }

  /// Unpacks into `buffer`; returns the number of bytes, or nil for a damaged stream.
  func run(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    let room = UInt32(clamping: buffer.count)
    stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = room
    switch inflate(stream, Z_NO_FLUSH) {
    case Z_STREAM_END: isFinished = true
    case Z_OK, Z_BUF_ERROR: break
    default: return nil
    }
    return Int(room - stream.pointee.avail_out)
  }
}
