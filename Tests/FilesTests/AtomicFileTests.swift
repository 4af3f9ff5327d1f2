import Testing

@testable import Files

#if canImport(Glibc)
  import Glibc
#endif

/// A directory that goes away with the test.
private final class Scratch {
  let path: String

  init() {
    var template = Array("/tmp/apus-files-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }

  deinit {
    for name in names { unlink("\(path)/\(name)") }
    rmdir(path)
  }

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
    return names.sorted()
  }
}

@Suite struct `An atomic file` {
  @Test func `appears when it is committed, and not before`() throws {
    let scratch = Scratch()
    let path = "\(scratch.path)/out.bin"
    // More than the buffer, in pieces that straddle it.
    let piece = (0..<100_003).map { UInt8(truncatingIfNeeded: $0) }
    var file = try AtomicFile(replacing: path)
    for _ in 0..<5 { try file.write(piece) }
    try file.write([UInt8](repeating: 7, count: 300_000))
    #expect(scratch.names.isEmpty)
    try file.commit()
    #expect(scratch.names == ["out.bin"])
    let expected = Array([[UInt8]](repeating: piece, count: 5).joined())
    let bytes = try FileContents.bytes(of: path, limit: 1 << 20)
    #expect(bytes == expected + [UInt8](repeating: 7, count: 300_000))
    #expect(file.byteCount == bytes.count)
  }

  @Test func `that is given up leaves the old contents`() throws {
    let scratch = Scratch()
    let path = "\(scratch.path)/out.txt"
    try AtomicFile.write("old", to: path)
    do {
      var file = try AtomicFile(replacing: path)
      try file.write("new")
    }
    #expect(scratch.names == ["out.txt"])
    #expect(try FileContents.text(of: path, limit: 10) == "old")
  }

  @Test func `keeps permissions and follows symbolic links`() throws {
    let scratch = Scratch()
    let target = "\(scratch.path)/target"
    let link = "\(scratch.path)/link"
    try AtomicFile.write("old", to: target)
    chmod(target, 0o640)
    symlink(target, link)
    try AtomicFile.write("new", to: link)
    #expect(try FileContents.text(of: target, limit: 10) == "new")
    var status = stat()
    #expect(lstat(link, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    #expect(stat(target, &status) == 0 && status.st_mode & 0o777 == 0o640)
  }

  @Test func `says what is wrong with its place`() {
    let missing = #expect(throws: FileError.self) {
      try AtomicFile.write("x", to: "/nonexistent/out")
    }
    #expect(missing?.code == .notWritable)
    let directory = #expect(throws: FileError.self) { try AtomicFile.write("x", to: "/tmp") }
    #expect(directory?.code == .notWritable)
    let full = #expect(throws: FileError.self) { try AtomicFile.write("x", to: "/dev/full") }
    #expect(full?.code == .diskFull)
    var status = stat()
    #expect(stat("/dev/full", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
  }

  @Test func `pending at the end of the process can be removed`() throws {
    let scratch = Scratch()
    let pending = try PendingFile(
      replacing: "\(scratch.path)/clip.mp4", allowsNameless: false)
    #expect(pending.temporaryPath.hasSuffix("clip.mp4"))
    try AtomicFile.write("x", to: pending.temporaryPath)
    #expect(scratch.names.count == 1)
    PendingFile.removeAll()
    #expect(scratch.names.isEmpty)
  }

  @Test(arguments: [true, false])
  func `pending is written by a path and then gets its name`(_ allowsNameless: Bool) throws {
    let scratch = Scratch()
    let path = "\(scratch.path)/clip.mp4"
    for text in ["first", "second"] {
      var pending = try PendingFile(replacing: path, allowsNameless: allowsNameless)
      #expect((pending.descriptor != nil) == allowsNameless)
      // As a library would: opened twice, to write and to read.
      let file = try #require(fopen(pending.temporaryPath, "w"))
      #expect(fputs(text, file) >= 0 && fclose(file) == 0)
      #expect(try FileContents.text(of: pending.temporaryPath, limit: 10) == text)
      if text == "second" { #expect(try FileContents.text(of: path, limit: 10) == "first") }
      chmod(path, 0o604)
      try pending.commit()
      #expect(scratch.names == ["clip.mp4"])
      #expect(try FileContents.text(of: path, limit: 10) == text)
    }
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o604)
    do { _ = try PendingFile(replacing: path, allowsNameless: allowsNameless) }
    #expect(scratch.names == ["clip.mp4"])
  }

  @Test func `of a killed process leaves nothing behind`() async throws {
    let scratch = Scratch()
    let path = "\(scratch.path)/out.jsonl"
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
      var file = try AtomicFile(replacing: path)
      for line in 0..<200_000 { try file.write("{\"frame\":\(line)}\n") }
      kill(getpid(), SIGKILL)
    }
    #expect(scratch.names.isEmpty)
    try AtomicFile.write("whole", to: path)
    #expect(scratch.names == ["out.jsonl"])
  }
}

@Suite struct `File contents` {
  @Test func `are limited, and their absence is named`() throws {
    let scratch = Scratch()
    let path = "\(scratch.path)/a"
    try AtomicFile.write("12345", to: path)
    #expect(try FileContents.text(of: path, limit: 5) == "12345")
    let large = #expect(throws: FileError.self) { try FileContents.bytes(of: path, limit: 4) }
    #expect(large?.code == .tooLarge)
    let endless = #expect(throws: FileError.self) {
      try FileContents.bytes(of: "/dev/zero", limit: 1 << 20)
    }
    #expect(endless?.code == .tooLarge)
    let missing = #expect(throws: FileError.self) { try FileContents.bytes(of: "/no", limit: 4) }
    #expect(missing?.code == .notFound)
    let directory = #expect(throws: FileError.self) { try FileContents.bytes(of: "/", limit: 4) }
    #expect(directory?.code == .unreadable)
    try AtomicFile.write([0xFF, 0xFE], to: path)
    #expect(throws: FileError.self) { try FileContents.text(of: path, limit: 4) }
  }
}
