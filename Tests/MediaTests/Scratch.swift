import Testing

#if canImport(Glibc)
  import Glibc
#endif

func scratchFolder() throws -> String {
  var template = Array("/tmp/apus-media-XXXXXX\0".utf8.map { CChar(bitPattern: $0) })
  _ = try #require(mkdtemp(&template))
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func fileNames(in folder: String) throws -> [String] {
  let directory = try #require(opendir(folder), "\(folder)")
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// Removes a folder that holds only files.
func removeFolder(_ folder: String) {
  for name in (try? fileNames(in: folder)) ?? [] { unlink(folder + "/" + name) }
  rmdir(folder)
}

func readFile(_ path: String) throws -> [UInt8] {
  let file = try #require(fopen(path, "rb"), "\(path)")
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 4 << 20)
  return Array(bytes[0..<fread(&bytes, 1, bytes.count, file)])
}

func writeFile(_ bytes: [UInt8], to path: String) throws {
  let file = try #require(fopen(path, "wb"), "\(path)")
  #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
  fclose(file)
}
