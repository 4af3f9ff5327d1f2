import Files
import Tensors
import Testing

@testable import Archives

#if canImport(Glibc)
  import Glibc
#endif

/// A directory that goes away with the test.
final class Scratch {
  let path: String

  init() {
    var template = Array("/tmp/apus-archives-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }

  deinit {
    for name in names { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  /// What lies in the directory.
  var names: [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Writes a file and returns its path.
  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    try AtomicFile.write(bytes, to: "\(path)/\(name)")
    return "\(path)/\(name)"
  }
}

/// The path of a committed fixture.
func fixture(_ name: String, _ file: StaticString = #filePath) -> String {
  let path = "\(file)"
  return path[..<(path.lastIndex(of: "/") ?? path.endIndex)] + "/Fixtures/\(name)"
}

/// The bytes of an `.npy` array with any header text.
func npy(_ header: String, _ elements: [UInt8], version: UInt8 = 1) -> [UInt8] {
  let text = Array(header.utf8)
  var length = [UInt8(text.count & 0xFF), UInt8(text.count >> 8 & 0xFF)]
  if version > 1 { length += [0, 0] }
  return NpyHeader.magic + [version, 0] + length + text + elements
}

/// The error that reading `path` throws; nil where it does not.
func failure(_ path: String, byteLimit: Int = .max) -> ArchiveError? {
  do throws(ArchiveError) {
    _ = try Archive.read(path, byteLimit: byteLimit)
    return nil
  } catch { return error }
}

/// The bytes of the file at `path`.
func bytesOf(_ path: String) throws -> [UInt8] { try FileContents.bytes(of: path, limit: 1 << 24) }
