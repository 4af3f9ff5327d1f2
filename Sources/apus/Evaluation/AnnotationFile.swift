import Files
import Options
import Texts

/// Reading annotation files: whole, as lines, and the errors that name a place in them.
enum AnnotationFile {
  /// Reads a file, at most `limit` bytes of it, without a byte order mark.
  static func bytes(
    of path: String, limit: Int = LabelledPictures.maximumByteCount
  ) throws(FileError) -> [UInt8] {
    let bytes = try FileContents.bytes(of: path, limit: limit)
    return bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
  }

  /// The lines as text.
  ///
  /// - Throws: exit 65 for a line that is not UTF-8.
  static func lines(of bytes: [UInt8], _ path: String) throws -> [String] {
    var lines: [String] = []
    for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      let content = line.last == 0x0D ? line.dropLast() : line
      guard let text = String(validating: content, as: UTF8.self), !content.contains(0) else {
        throw error(path, line: lines.count + 1, "is not UTF-8 text; save the file as UTF-8")
      }
      lines.append(text)
    }
    return lines
  }

  static func error(_ path: String, line: Int, _ message: String) -> VerbError {
    VerbError(.badInput, "\(path): line \(line): \(message)")
  }

  static func error(_ path: String, _ position: TextPosition, _ message: String) -> VerbError {
    VerbError(.badInput, "\(path): \(position): \(message)")
  }
}
