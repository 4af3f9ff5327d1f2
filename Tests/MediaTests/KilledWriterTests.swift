import Imaging
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct `A video writer` {
  @Test func `that is killed leaves nothing behind`() async throws {
    let folder = try scratchFolder()
    defer { removeFolder(folder) }
    await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
      let sink = try VideoSink(folder + "/clip.mp4", rate: #require(FrameRate(25)))
      for _ in 0..<80 { try sink.write(Frame(.i420, width: 320, height: 240)) }
      kill(getpid(), SIGKILL)
    }
    #expect(try fileNames(in: folder).isEmpty)
    // The next start works.
    let sink = try VideoSink(folder + "/clip.mp4", rate: #require(FrameRate(25)))
    try sink.write(Frame(.i420, width: 320, height: 240))
    try sink.finish()
    #expect(try fileNames(in: folder) == ["clip.mp4"])
    #expect(try VideoSource(folder + "/clip.mp4").next() != nil)
  }

  @Test func `replaces a file and keeps its permissions`() throws {
    let folder = try scratchFolder()
    defer { removeFolder(folder) }
    try writeFile([1, 2, 3], to: folder + "/clip.mp4")
    chmod(folder + "/clip.mp4", 0o640)
    let sink = try VideoSink(folder + "/clip.mp4", rate: #require(FrameRate(25)))
    try sink.write(Frame(.i420, width: 64, height: 48))
    #expect(try readFile(folder + "/clip.mp4") == [1, 2, 3])
    try sink.finish()
    #expect(try fileNames(in: folder) == ["clip.mp4"])
    var status = stat()
    #expect(stat(folder + "/clip.mp4", &status) == 0 && status.st_mode & 0o777 == 0o640)
    #expect(try VideoSource(folder + "/clip.mp4").next() != nil)
  }
}
