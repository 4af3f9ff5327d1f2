import Imaging
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct `A network source` {
  private static let root =
    "/" + "\(#filePath)".split(separator: "/").dropLast(3).joined(separator: "/")
  private static let clip = root + "/Samples/clips/evening.mp4"
  private static let fixtures = root + "/Tests/Fixtures/imaging"

  private func options(open: Int = 10_000, read: Int? = 5000) -> VideoSource.Options {
    var options = VideoSource.Options()
    options.openTimeout = .milliseconds(open)
    options.readTimeout = read.map { .milliseconds($0) }
    return options
  }

  /// The error of `body` and how long it took, in seconds.
  private func failure(_ body: () throws -> Void) -> (error: ImagingError?, seconds: Double) {
    let clock = ContinuousClock()
    var fault: ImagingError?
    let time = clock.measure {
      fault = #expect(throws: ImagingError.self) { try body() }
    }
    return (fault, Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18)
  }

  @Test func `delivers the frames of an RTSP server`() throws {
    let server = try LoopbackServer.rtsp(`A network source`.clip)
    let source = try VideoSource(server.address, options: options())
    let file = try VideoSource(`A network source`.clip)
    #expect(source.isLive && !file.isLive)
    #expect(source.size == file.size && source.codec == "h264")
    var last = -1.0
    for index in 0..<30 {
      let frame = try #require(try source.next())
      let time = try #require(frame.timeMs)
      #expect(time > last && abs(time - Double(index) * 1000 / 15) < 5)
      last = time
      if index < 5 { #expect(try frame.denseBytes() == file.next()?.denseBytes()) }
    }
    #expect(source.statistics.frames == 30 && source.statistics.errors == 0)
    #expect(throws: ImagingError.self) { try source.rewind() }
  }

  @Test func `ends with an error when its server is killed, and comes back`() throws {
    let server = try LoopbackServer.rtsp(`A network source`.clip)
    let source = try VideoSource(server.address, options: options())
    _ = try source.next()
    server.kill()
    let (error, seconds) = failure { while try source.next() != nil {} }
    #expect(error?.code == .connection)
    #expect(error?.message.contains("after frame") == true)
    #expect(seconds < 5)
    #expect(failure { _ = try VideoSource(server.address) }.error?.code == .connection)
    try server.restart()
    #expect(try VideoSource(server.address, options: options()).next() != nil)
  }

  @Test func `times out when its server stands still`() throws {
    let server = try LoopbackServer.rtsp(`A network source`.clip)
    let source = try VideoSource(server.address, options: options(read: 800))
    _ = try source.next()
    server.pause()
    let (error, seconds) = failure { while try source.next() != nil {} }
    #expect(error?.code == .timedOut)
    #expect(error?.message.contains("0.8 s") == true)
    #expect(seconds > 0.7 && seconds < 4)
    let opening = failure { _ = try VideoSource(server.address, options: options(open: 500)) }
    #expect(opening.error?.code == .timedOut)
    #expect(opening.seconds < 3)
    server.resume()
  }

  @Test(arguments: ["rtsp", "http"])
  func `says at once that nobody listens`(_ scheme: String) throws {
    let port = SilentPort(.refuses)
    let (error, seconds) = failure {
      _ = try VideoSource("\(scheme)://camera:secret@127.0.0.1:\(port.port)/clip")
    }
    #expect(error?.code == .connection)
    #expect(error?.code.exitStatus == 75)
    #expect(error?.place == "\(scheme)://camera:***@127.0.0.1:\(port.port)/clip")
    #expect(error?.message.contains("nobody listens") == true)
    #expect(error.map { "\($0)" }?.contains("secret") == false)
    #expect(seconds < 2)
  }

  @Test(arguments: ["rtsp", "http"])
  func `is interrupted from another thread while it opens`(_ scheme: String) throws {
    let port = SilentPort(.isSilent)
    let interruption = MediaInterruption()
    var options = VideoSource.Options()
    options.interruption = interruption
    options.openTimeout = nil
    Later.run(afterMilliseconds: 200) { interruption.interrupt() }
    let (error, seconds) = failure {
      _ = try VideoSource("\(scheme)://127.0.0.1:\(port.port)/x", options: options)
    }
    #expect(error?.code == .interrupted)
    #expect(seconds > 0.15 && seconds < 3)
    #expect(interruption.isInterrupted)
  }

  @Test func `is interrupted from another thread while it reads`() throws {
    let server = try LoopbackServer.rtsp(`A network source`.clip)
    let source = try VideoSource(server.address, options: options(read: nil))
    _ = try source.next()
    server.pause()
    let interruption = source.interruption
    Later.run(afterMilliseconds: 300) { interruption.interrupt() }
    let (error, seconds) = failure { while try source.next() != nil {} }
    #expect(error?.code == .interrupted)
    #expect(seconds < 4)
  }

  @Test func `names a stream or file that the server does not have`() throws {
    let server = try LoopbackServer.rtsp(`A network source`.clip)
    let wrong = "rtsp://127.0.0.1:\(server.port)/other"
    let stream = failure { _ = try VideoSource(wrong, options: options()) }
    #expect(stream.error?.code == .connection)
    #expect(stream.error?.message.contains("no such stream") == true)
    let web = try LoopbackServer.http(`A network source`.fixtures)
    let file = failure { _ = try VideoSource(web.address + "other.mp4", options: options()) }
    #expect(file.error?.code == .connection)
    #expect(file.error?.message.contains("no such stream") == true)
  }

  @Test(arguments: ["loop.mp4", "loop.mkv", "loop.ts"])
  func `reads a file over HTTP, twice`(_ name: String) throws {
    let server = try LoopbackServer.http(`A network source`.fixtures)
    let source = try VideoSource(server.address + name, options: options())
    #expect(!source.isLive)
    for _ in 0..<2 {
      let file = try VideoSource(`A network source`.fixtures + "/" + name)
      var count = 0
      while let frame = try source.next() {
        let expected = try #require(try file.next())
        #expect(frame.denseBytes() == expected.denseBytes() && frame.timeMs == expected.timeMs)
        count += 1
      }
      #expect(count == 25)
      try source.rewind()
    }
  }

  @Test func `opens no local file that a playlist names`() throws {
    let folder = try scratchFolder()
    defer { removeFolder(folder) }
    let segment = `A network source`.fixtures + "/loop.ts"
    func playlist(_ name: String, _ target: String) throws {
      let text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n\(target)\n#EXT-X-ENDLIST\n"
      try writeFile(Array(text.utf8), to: folder + "/" + name)
    }
    try writeFile(try readFile(segment), to: folder + "/loop.ts")
    try playlist("near.m3u8", "loop.ts")
    try playlist("local.m3u8", "file://" + segment)
    let server = try LoopbackServer.http(folder)
    #expect(try VideoSource(server.address + "near.m3u8", options: options()).next() != nil)
    #expect(throws: ImagingError.self) {
      try VideoSource(server.address + "local.m3u8", options: options())
    }
    #expect(throws: ImagingError.self) { try VideoSource(folder + "/near.m3u8") }
  }

  @Test func `takes its packets over UDP where that is asked for`() throws {
    let server = try LoopbackServer.rtsp(`A network source`.clip)
    var options = options()
    options.rtspOverUDP = true
    let source = try VideoSource(server.address, options: options)
    for _ in 0..<10 { #expect(try source.next() != nil) }
  }

  @Test(arguments: [
    ("401 Unauthorized", "credentials"), ("403 Forbidden", "credentials"),
    ("404 Not Found", "no such stream"), ("503 Service Unavailable", "server failed"),
  ])
  func `tells refusals of a server apart`(_ status: String, _ words: String) {
    for scheme in ["http", "rtsp"] {
      let head = scheme == "http" ? "HTTP/1.1 " : "RTSP/1.0 "
      let rest = "\r\nCSeq: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
      let port = SilentPort(.answers(Array((head + status + rest).utf8)))
      let (error, seconds) = failure {
        _ = try VideoSource("\(scheme)://127.0.0.1:\(port.port)/x", options: options())
      }
      #expect(error?.code == .connection)
      #expect(error?.message.contains(words) == true, "\(scheme): \(error?.message ?? "")")
      #expect(seconds < 4)
    }
  }

  @Test func `reports a file whose connection ends too early, after its last frame`() throws {
    let file = try readFile(`A network source`.fixtures + "/loop.mkv")
    let head = "HTTP/1.1 200 OK\r\nContent-Length: \(file.count)\r\nConnection: close\r\n\r\n"
    let port = SilentPort(.answers(Array(head.utf8) + file[0..<(file.count * 2 / 3)]))
    var frames = 0
    let (error, seconds) = failure {
      let source = try VideoSource("http://127.0.0.1:\(port.port)/x.mkv", options: options())
      while try source.next() != nil { frames += 1 }
    }
    #expect(frames > 5 && frames < 25)
    #expect(error?.code == .connection || error?.code == .corrupt)
    #expect(error?.message.contains("after frame \(frames)") == true)
    #expect(seconds < 5)
  }

  @Test func `names a host that is not known`() {
    // No name server is asked for a name with an empty part.
    let (error, seconds) = failure { _ = try VideoSource("http://user:secret@no..host:80/x") }
    #expect(error?.code == .connection)
    #expect(error?.message.contains("no..host is not known") == true)
    #expect(seconds < 2)
  }

  @Test(arguments: ["gopher://127.0.0.1/x", "concat:http://127.0.0.1/a|b", "subfile,,://x"])
  func `refuses other kinds of addresses`(_ address: String) {
    let error = #expect(throws: ImagingError.self) { try VideoSource(address) }
    #expect(error?.code == .unsupported)
    #expect(error?.message.contains("rtsp") == true)
  }

  @Test func `shows no password`() {
    let cases = [
      ("rtsp://user:secret@host/a", "rtsp://user:***@host/a"),
      ("rtsp://user:a:b@c@host:554/a@b", "rtsp://user:***@host:554/a@b"),
      ("rtsp://user@host/a", "rtsp://user@host/a"),
      ("http://host:80/a:b@c", "http://host:80/a:b@c"), ("/a:b@c", "/a:b@c"),
    ]
    for (name, shown) in cases { #expect(MediaAddress.masked(name) == shown) }
    #expect(MediaAddress.isAddress("rtsp://x") && !MediaAddress.isAddress("file:///x"))
  }
}
