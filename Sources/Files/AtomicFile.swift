#if canImport(Glibc)
  import Glibc
#endif

/// A buffered writer whose file appears complete or not at all.
///
/// ```swift
/// var file = try AtomicFile(replacing: path)
/// try file.write(text)
/// try file.commit()
/// ```
package struct AtomicFile: ~Copyable {
  private var pending: PendingFile
  /// The open file, where the pending file has not opened it itself.
  private var own: OwnedDescriptor
  private var buffer: [UInt8] = []
  /// The bytes written so far.
  package private(set) var byteCount = 0

  private static let bufferByteCount = 1 << 18

  /// Opens the file that will replace `path`.
  package init(replacing path: String) throws(FileError) {
    // Fields are set last: Swift does not unwind a half-made noncopyable value.
    let pending = try PendingFile(replacing: path)
    var own = OwnedDescriptor(number: -1)
    if pending.descriptor == nil {
      let creation = pending.isInPlace ? 0 : O_CREAT | O_EXCL
      own = OwnedDescriptor(
        number: open(pending.temporaryPath, O_WRONLY | O_CLOEXEC | creation, 0o666))
      guard own.number >= 0 else { throw FileError.writing(path, errno) }
    }
    self.pending = pending
    self.own = own
    buffer.reserveCapacity(AtomicFile.bufferByteCount)
  }

  private var descriptor: Int32 { pending.descriptor ?? own.number }

  /// The destination as the user gave it.
  package var path: String { pending.path }

  /// Appends bytes.
  package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    byteCount += bytes.count
    if bytes.count <= AtomicFile.bufferByteCount - buffer.count {
      buffer.append(contentsOf: bytes)
      return
    }
    try flush()
    if bytes.count < AtomicFile.bufferByteCount {
      buffer.append(contentsOf: bytes)
    } else {
      try AtomicFile.send(bytes, to: descriptor, path)
    }
  }

  /// Appends bytes.
  package mutating func write(_ bytes: [UInt8]) throws(FileError) {
    try bytes.withUnsafeBufferPointer { (bytes) throws(FileError) in
      try write(UnsafeRawBufferPointer(bytes))
    }
  }

  /// Appends text as UTF-8.
  package mutating func write(_ text: String) throws(FileError) { try write(Array(text.utf8)) }

  /// Sends what was written so far where the destination is a pipe or a device: somebody may be
  /// waiting at its other end. Files get theirs in larger pieces.
  package mutating func deliver() throws(FileError) {
    if pending.isInPlace { try flush() }
  }

  /// Completes the file and gives it its name.
  ///
  /// - Throws: `FileError`; the destination is then as it was before.
  package mutating func commit() throws(FileError) {
    try flush()
    guard own.number < 0 || own.close() == 0 else { throw FileError.writing(path, errno) }
    try pending.commit()
  }

  private mutating func flush() throws(FileError) {
    let (descriptor, path) = (descriptor, path)
    try buffer.withUnsafeBufferPointer { (bytes) throws(FileError) in
      try AtomicFile.send(UnsafeRawBufferPointer(bytes), to: descriptor, path)
    }
    buffer.removeAll(keepingCapacity: true)
  }

  private static func send(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String
  ) throws(FileError) {
    var rest = bytes
    while let base = rest.baseAddress, !rest.isEmpty {
      let count = Glibc.write(descriptor, base, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw FileError.writing(path, errno)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  /// Writes `bytes` as the whole contents of the file at `path`.
  package static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    var file = try AtomicFile(replacing: path)
    try file.write(bytes)
    try file.commit()
  }

  /// Writes `text` as the whole contents of the file at `path`.
  package static func write(_ text: String, to path: String) throws(FileError) {
    try write(Array(text.utf8), to: path)
  }
}
