import Compilation
import Files
import Options

/// Reading ranges tables from files.
enum RangesFile {
  /// A table has a few hundred bytes per value and up to 100 KB of channels.
  private static let limit = 1 << 30

  /// Reads the table at `path`.
  ///
  /// - Throws: exit 65 with file and line for what is wrong in it; 66 where it cannot be read.
  static func read(_ path: String) throws -> Ranges {
    try Ranges(parsing: FileContents.text(of: path, limit: limit), path: path)
  }

  /// The table at `path`; nil where the file does not begin as one.
  static func read(ifTable path: String) throws -> Ranges? {
    guard !FileKind.isDirectory(path) else { return nil }
    var start = [UInt8](repeating: 0, count: 32)
    var file = try ReadableFile(path)
    let count = try start.withUnsafeMutableBytes { (buffer) throws(FileError) in
      try file.read(into: buffer)
    }
    return Ranges.isTable(start[..<count]) ? try read(path) : nil
  }
}
