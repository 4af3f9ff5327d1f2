import Files
import ModelFile

/// SHA-256 of a model, as hexadecimal digits, to tell models apart.
enum ModelFingerprint {
  /// A compiled file has the hash of all its sections in its header; a source model is read.
  ///
  /// - Throws: `FileError`.
  static func of(_ path: String) throws -> String {
    var file = try ReadableFile(path)
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var hash = SHA256()
    let isSource = OpenedModel.isSource(path)
    while true {
      let count = try buffer.withUnsafeMutableBytes { (bytes) throws(FileError) in
        try file.read(into: bytes)
      }
      if !isSource, count >= FileFormat.headerByteCount {
        let start = FileFormat.hashedHeaderByteCount
        return SHA256.hexadecimal(Array(buffer[start..<start + FileFormat.hashByteCount]))
      }
      guard count > 0 else { return SHA256.hexadecimal(hash.finish()) }
      buffer.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
  }
}
