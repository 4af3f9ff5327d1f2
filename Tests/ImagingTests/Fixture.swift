import Imaging
import ModelFile
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// The committed pictures under Tests/Fixtures/imaging; Samples/fixtures/imaging.py makes them.
enum Fixture {
  struct Damaged: Error { let name: String }

  static func path(_ name: String, file: StaticString = #filePath) -> String {
    let parts = "\(file)".split(separator: "/").dropLast(2)
    return "/" + parts.joined(separator: "/") + "/Fixtures/imaging/" + name
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    guard let file = fopen(path(name), "rb") else { throw Damaged(name: name) }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes[0..<count])
  }

  /// Reads a netpbm picture as rgb24 or gray8.
  static func picture(_ name: String) throws -> Frame {
    let bytes = try bytes(name)
    let header = bytes.prefix(32).split(separator: UInt8(ascii: "\n"), maxSplits: 3)
    guard header.count >= 3, let kind = header.first.map({ String(decoding: $0, as: UTF8.self) })
    else { throw Damaged(name: name) }
    let size = String(decoding: header[1], as: UTF8.self).split(separator: " ").compactMap {
      Int($0)
    }
    guard size.count == 2 else { throw Damaged(name: name) }
    let start = header[0].count + header[1].count + header[2].count + 3
    return try Frame(
      copying: Array(bytes[start...]), kind == "P6" ? .rgb24 : .gray8, width: size[0],
      height: size[1])
  }

  /// Writes bytes to a file in a fresh temporary folder and returns its path.
  static func temporary(_ bytes: [UInt8], _ name: String) throws -> String {
    var template = Array("/tmp/apus-imaging-XXXXXX\0".utf8.map { CChar(bitPattern: $0) })
    guard mkdtemp(&template) != nil else { throw Damaged(name: name) }
    let path =
      String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) + "/"
      + name
    guard let file = fopen(path, "wb") else { throw Damaged(name: path) }
    defer { fclose(file) }
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw Damaged(name: path) }
    return path
  }
}

/// The largest difference of two rows of samples; large where the counts differ.
func largestDifference(_ a: [UInt8], _ b: [UInt8]) -> Int {
  guard a.count == b.count else { return 1000 }
  return zip(a, b).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
}
