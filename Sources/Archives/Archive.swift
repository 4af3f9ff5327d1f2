import Files
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Reading and writing `.npy` and `.npz` files whole.
package enum Archive {
  /// Half of the machine's memory: what one file may take unless a caller says otherwise.
  package static var defaultByteLimit: Int {
    let pages = sysconf(Int32(_SC_PHYS_PAGES))
    let pageByteCount = sysconf(Int32(_SC_PAGESIZE))
    let (bytes, overflow) = pages.multipliedReportingOverflow(by: pageByteCount)
    return overflow || bytes <= 0 ? 1 << 32 : bytes / 2
  }

  /// What a file is, by its first bytes.
  package enum Kind: Sendable { case npy, npz }

  /// Says whether the file at `path` is `.npy`, `.npz` or (nil) neither.
  package static func kind(of path: String) throws(ArchiveError) -> Kind? {
    do throws(FileError) {
      var file = try ReadableFile(path)
      return try kind(of: &file)
    } catch { throw ArchiveError(error) }
  }

  /// Reads every tensor of the file at `path`, in the file's order; the one of an `.npy` file has
  /// an empty name.
  ///
  /// - Throws: `ArchiveError` with file, member, place and remedy.
  package static func read(
    _ path: String, byteLimit: Int = Archive.defaultByteLimit
  ) throws(ArchiveError) -> [NamedTensor] {
    switch try kind(of: path) {
    case .npy:
      var source = try NpyFileSource(path)
      return [NamedTensor("", try source.readTensor(byteCount: source.byteCount, limit: byteLimit))]
    case .npz:
      let reader = try NpzReader(path)
      var tensors: [NamedTensor] = []
      var rest = byteLimit
      for index in reader.members.indices {
        let tensor = try reader.tensor(at: index, byteLimit: rest)
        rest -= tensor.byteCount
        tensors.append(NamedTensor(reader.members[index].name, tensor))
      }
      return tensors
    case nil:
      throw ArchivePlace(path: path).error(
        "is neither .npy nor .npz; make one with numpy.save or numpy.savez")
    }
  }

  /// Writes tensors to `path`: an `.npy` file where the name ends so (one tensor), else an `.npz`.
  /// bfloat16 is written as float32. The file appears complete or not at all.
  package static func write(
    _ tensors: [NamedTensor], to path: String
  ) throws(ArchiveError) {
    guard path.hasSuffix(".npy") else {
      var writer = try NpzWriter(replacing: path)
      for tensor in tensors { try writer.add(tensor.name, tensor.tensor) }
      return try writer.commit()
    }
    guard tensors.count == 1, let only = tensors.first else {
      throw ArchivePlace(path: path).error(
        .notWritable, "an .npy file holds one tensor, not \(tensors.count); name it .npz")
    }
    let body = try NpyEncoding(only.tensor, ArchivePlace(path: path))
    do throws(FileError) {
      var file = try AtomicFile(replacing: path)
      try file.write(body.header)
      try body.elements.withBytes { (bytes) throws(FileError) in try file.write(bytes) }
      try file.commit()
    } catch { throw ArchiveError(error) }
  }

  private static func kind(of file: inout ReadableFile) throws(FileError) -> Kind? {
    var start = [UInt8](repeating: 0, count: 6)
    let count = try start.withUnsafeMutableBufferPointer { (buffer) throws(FileError) in
      try file.read(into: UnsafeMutableRawBufferPointer(buffer))
    }
    let bytes = start[..<count]
    if bytes.elementsEqual(NpyHeader.magic) { return .npy }
    // A member, or the end record of an archive without members.
    if bytes.starts(with: [0x50, 0x4B, 3, 4]) || bytes.starts(with: [0x50, 0x4B, 5, 6]) {
      return .npz
    }
    return nil
  }
}

/// The bytes of an `.npy` file.
private struct NpyFileSource: ByteSource, ~Copyable {
  let place: ArchivePlace
  let byteCount: Int
  private var file: ReadableFile

  init(_ path: String) throws(ArchiveError) {
    let place = ArchivePlace(path: path)
    let file = try NpyFileSource.opened(path)
    guard let size = file.byteCount else {
      throw place.error(.unreadable, "is no regular file; save it to one first")
    }
    self.place = place
    self.file = file
    byteCount = size
  }

  private static func opened(_ path: String) throws(ArchiveError) -> ReadableFile {
    do throws(FileError) { return try ReadableFile(path) } catch { throw ArchiveError(error) }
  }

  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
    do throws(FileError) { return try file.read(into: buffer) } catch { throw ArchiveError(error) }
  }
}
