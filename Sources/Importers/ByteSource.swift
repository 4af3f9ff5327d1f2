import Graphs
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Bytes that stay where they are while a graph borrows its weights from them: a mapped file or a
/// copy of bytes in memory.
///
/// Sendable because nothing writes the bytes after the initialiser. (A mapped file must not be
/// shortened by others while it is in use; the kernel answers that with SIGBUS.)
final class ByteSource: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
  private let isMapped: Bool
  /// Whom the bytes belong to; nil: to this object.
  private let owner: AnyObject?

  /// Bytes that a tensor holds and keeps.
  init(borrowing tensor: TensorBuffer) {
    bytes = tensor.withBytes { $0 }
    isMapped = false
    owner = tensor
  }

  /// The bytes as a tensor that borrows them.
  var tensor: TensorBuffer {
    TensorBuffer(borrowing: bytes, type: .uint8, shape: [bytes.count], owner: self)
  }

  /// Copies bytes that are in memory.
  init(copying source: UnsafeRawBufferPointer) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 64)
    copy.copyMemory(from: source)
    bytes = UnsafeRawBufferPointer(copy)
    isMapped = false
    owner = nil
  }

  /// Maps an open file from its beginning. The descriptor stays with the caller.
  ///
  /// - Parameter name: what messages call the file.
  init(mapping descriptor: Int32, name: String, limit: Int) throws(ImportError) {
    let count = try ByteSource.regularFileSize(descriptor, name: name)
    guard count <= limit else {
      throw ImportError(.malformed, "\(count) bytes are more than the limit of \(limit)")
    }
    owner = nil
    isMapped = count > 0
    if count == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED
    else {
      throw ImportError(.unreadable, "cannot map \(name.quoted): \(ByteSource.lastError)")
    }
    bytes = UnsafeRawBufferPointer(start: base, count: count)
  }

  deinit {
    if owner != nil { return }
    if isMapped {
      munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    } else {
      bytes.deallocate()
    }
  }

  /// Opens and maps the file at `path`.
  static func open(_ path: String, limit: Int) throws(ImportError) -> ByteSource {
    // Not blocking: opening a pipe must not wait for a writer.
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw ImportError(.unreadable, "cannot open: \(lastError)") }
    defer { close(descriptor) }
    return try ByteSource(mapping: descriptor, name: path, limit: limit)
  }

  /// The size of a regular file; anything else (a directory, a pipe, a device) is an error.
  private static func regularFileSize(
    _ descriptor: Int32, name: String
  ) throws(ImportError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw ImportError(.unreadable, "cannot read \(name.quoted): \(lastError)")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ImportError(
        .unreadable, status.st_mode & S_IFMT == S_IFDIR ? "is a directory" : "is not a file")
    }
    return Int(status.st_size)
  }

  static var lastError: String { String(cString: strerror(errno)) }
}
