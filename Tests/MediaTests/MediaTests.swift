import Imaging
import ModelFile
import Pictures
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite(.serialized) struct MediaTests {
  /// The pictures under Tests/Fixtures/imaging.
  private func fixture(_ name: String) -> String {
    let parts = "\(#filePath)".split(separator: "/").dropLast(2)
    return "/" + parts.joined(separator: "/") + "/Fixtures/imaging/" + name
  }

  private func bytes(_ path: String) throws -> [UInt8] {
    let file = try #require(fopen(path, "rb"), "\(path)")
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4 << 20)
    return Array(bytes[0..<fread(&bytes, 1, bytes.count, file)])
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    let file = try #require(fopen(path, "wb"), "\(path)")
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    fclose(file)
  }

  private func folder() throws -> String {
    var template = Array("/tmp/apus-media-XXXXXX\0".utf8.map { CChar(bitPattern: $0) })
    _ = try #require(mkdtemp(&template))
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func names(in folder: String) throws -> [String] {
    let directory = try #require(opendir(folder))
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

  /// Reads the samples of a netpbm picture.
  private func netpbm(_ name: String) throws -> [UInt8] {
    let all = try bytes(fixture(name))
    var lines = 0
    let start = try #require(
      all.firstIndex { byte in
        if byte == 10 { lines += 1 }
        return lines == 3
      })
    return Array(all[(start + 1)...])
  }

  /// A frame with a bar whose place tells the index; 64x48 unless told otherwise.
  private func frame(
    _ index: Int, width: Int = 64, height: Int = 48, timeMs: Double? = nil
  ) throws -> Frame {
    let frame = try Frame(.rgb24, width: width, height: height, timeMs: timeMs)
    frame.withMutablePlane(0) { samples, stride in
      for y in 0..<height {
        for x in 0..<width {
          let isBar = (x / 4) % 16 == index % 16
          samples[y * stride + x * 3] = isBar ? 220 : 40
          samples[y * stride + x * 3 + 1] = isBar ? 200 : UInt8(y * 4 % 200)
          samples[y * stride + x * 3 + 2] = 90
        }
      }
    }
    return try frame.converted(to: .i420)
  }

  private func video(
    _ path: String, frames: Int = 40, width: Int = 64, height: Int = 48
  ) throws {
    let sink = try VideoSink(path, rate: #require(FrameRate(25)), quality: 12)
    for index in 0..<frames {
      try sink.write(
        frame(index, width: width, height: height, timeMs: Double(index) * 40))
    }
    try sink.finish()
  }

  @Test(arguments: [
    "png-rgb.png", "png-rgba.png", "png-gray.png", "png-16.png", "png-palette.png", "bmp.bmp",
    "webp.webp", "webp-lossy.webp", "jpeg2000.jp2", "tiff.tiff",
  ])
  func `pictures equal OpenCV's or Pillow's decoder`(_ file: String) throws {
    let name = file.prefix { $0 != "." }
    let picture = try Picture.read(fixture(file))
    let samples = try picture.converted(to: .rgb24).denseBytes()
    let expected = try netpbm("\(name).ppm")
    #expect(samples.count == expected.count)
    let worst = zip(samples, expected).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
    #expect(worst <= 1)
  }

  @Test(arguments: ["png-rgb.png", "png-palette.png", "bmp.bmp"])
  func `every cut-off picture is an error`(_ name: String) throws {
    let whole = try bytes(fixture(name))
    for count in stride(from: 0, to: whole.count - 12, by: 7) {
      #expect(throws: ImagingError.self, "\(count) of \(whole.count)") {
        try Picture.decode(Array(whole[0..<count]))
      }
    }
  }

  @Test func `damaged pictures and noise never crash`() throws {
    var state: UInt64 = 7
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    for name in ["png-rgba.png", "png-16.png", "bmp.bmp", "webp.webp", "webp-lossy.webp"] {
      let whole = try bytes(fixture(name))
      var refused = 0
      for _ in 0..<200 {
        var copy = whole
        for _ in 0..<(1 + random(4)) { copy[random(copy.count)] = UInt8(random(256)) }
        do { _ = try Picture.decode(copy) } catch { refused += 1 }
      }
      #expect(refused > 0, "seed 7, \(name)")
    }
    let text = #expect(throws: ImagingError.self) { try Picture.decode(Array("hello".utf8)) }
    #expect(text?.code == .unsupported)
  }

  @Test func `a picture that claims a hostile size is refused`() throws {
    var png = try bytes(fixture("png-rgb.png"))
    for offset in [16, 20] { png.replaceSubrange(offset..<(offset + 4), with: [0, 0, 0xF0, 0]) }
    let error = #expect(throws: ImagingError.self) { try Picture.decode(png) }
    #expect(error?.code == .limit || error?.code == .corrupt)
  }

  @Test func `a video is written and read back frame by frame`() throws {
    let path = try folder() + "/out.mp4"
    try video(path)
    #expect(try names(in: String(path.dropLast(8))) == ["out.mp4"])
    let source = try VideoSource(path)
    #expect(source.size == Preprocessing.Size(width: 64, height: 48))
    #expect(source.rate == FrameRate(25))
    #expect(source.frameCount == 40)
    #expect(source.codec == "h264")
    var index = 0
    while let picture = try source.next() {
      #expect(picture.format == .i420)
      #expect(picture.timeMs == Double(index) * 40)
      let expected = try frame(index).denseBytes()
      let luma = zip(picture.denseBytes(), expected).prefix(64 * 48)
      let total = luma.reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
      #expect(total < 64 * 48 * 6, "frame \(index)")
      index += 1
    }
    #expect(index == 40)
    #expect(source.statistics.frames == 40)
    #expect(source.statistics.errors == 0)
  }

  @Test func `frames come upright, as the file asks`() throws {
    let source = try VideoSource(fixture("rotated.mp4"))
    let frame = try #require(try source.next())
    #expect(source.size == Preprocessing.Size(width: 96, height: 54))
    #expect(frame.size == Preprocessing.Size(width: 54, height: 96))
    #expect(try frame.denseBytes() == bytes(fixture("rotated-54x96.yuv")))
  }

  @Test func `colour tags travel with the video`() throws {
    let path = try folder() + "/tags.mp4"
    let sink = try VideoSink(path, rate: #require(FrameRate(30000, 1001)))
    let tagged = try Frame(.i420, width: 32, height: 32, matrix: .bt709, range: .full)
    for _ in 0..<3 { try sink.write(tagged) }
    try sink.finish()
    let source = try VideoSource(path)
    #expect(source.rate == FrameRate(30000, 1001))
    let frame = try #require(try source.next())
    #expect(frame.matrix == .bt709)
    #expect(frame.range == .full)
  }

  @Test func `frames outlive their decoder`() throws {
    let path = try folder() + "/out.mp4"
    try video(path, frames: 3)
    var source: VideoSource? = try VideoSource(path)
    let first = try #require(try source?.next())
    let before = first.denseBytes()
    source?.close()
    source = nil
    #expect(first.denseBytes() == before)
  }

  @Test func `odd sides are padded`() throws {
    let path = try folder() + "/odd.mp4"
    try video(path, frames: 3, width: 63, height: 47)
    let source = try VideoSource(path)
    #expect(source.size == Preprocessing.Size(width: 64, height: 48))
    #expect(try source.next() != nil)
  }

  @Test func `a sink that is dropped leaves nothing behind`() throws {
    let folder = try folder()
    do {
      let sink = try VideoSink(folder + "/a.mp4", rate: #require(FrameRate(25)))
      for index in 0..<5 { try sink.write(frame(index)) }
    }
    #expect(try names(in: folder).isEmpty)
    let empty = try VideoSink(folder + "/b.mp4", rate: #require(FrameRate(25)))
    #expect(throws: ImagingError.self) { try empty.finish() }
    let mixed = try VideoSink(folder + "/c.mp4", rate: #require(FrameRate(25)))
    try mixed.write(frame(0))
    #expect(throws: ImagingError.self) { try mixed.write(frame(0, width: 32, height: 32)) }
  }

  @Test func `a full disk and a missing folder are told apart`() throws {
    let full = #expect(throws: ImagingError.self) {
      let sink = try VideoSink("/dev/full", rate: #require(FrameRate(25)))
      for index in 0..<50 { try sink.write(frame(index)) }
      try sink.finish()
    }
    #expect(full?.code == .diskFull)
    #expect(full?.code.exitStatus == 74)
    let nowhere = #expect(throws: ImagingError.self) {
      let sink = try VideoSink("/nowhere/x.mp4", rate: #require(FrameRate(25)))
      try sink.write(frame(0))
    }
    #expect(nowhere?.code == .notWritable)
  }

  @Test func `a cut-off video reports the place after its last good frame`() throws {
    let path = try folder() + "/out.mp4"
    try video(path)
    let whole = try bytes(path)
    var places = 0
    for count in stride(from: 0, to: whole.count - 1, by: max(whole.count / 40, 1)) {
      try write(Array(whole[0..<count]), to: path)
      var frames = 0
      let error = #expect(throws: ImagingError.self, "\(count) of \(whole.count)") {
        let source = try VideoSource(path)
        while try source.next() != nil { frames += 1 }
      }
      #expect(error?.place == path)
      if error?.message.contains("of 40") == true { places += 1 }
      #expect(frames <= 40)
    }
    #expect(places > 5)
  }

  @Test func `damage in the middle is counted and survived`() throws {
    let path = try folder() + "/out.mp4"
    try video(path, frames: 120)
    var whole = try bytes(path)
    let start = try #require(
      (0..<(whole.count - 4)).first {
        Array(whole[$0..<($0 + 4)]) == Array("mdat".utf8)
      })
    let middle = start + (whole.count - start) / 2
    for offset in middle..<min(middle + 60, whole.count) { whole[offset] = 0xFF }
    try write(whole, to: path)
    let source = try VideoSource(path)
    var frames = 0
    while try source.next() != nil { frames += 1 }
    let statistics = source.statistics
    #expect(frames > 30)
    #expect(statistics.errors + statistics.damaged > 0)
    #expect(statistics.frames == frames)
  }

  @Test func `what is no video is an error`() throws {
    let missing = #expect(throws: ImagingError.self) { try VideoSource("/nowhere/a.mp4") }
    #expect(missing?.code == .notFound)
    #expect(throws: ImagingError.self) { try VideoSource("/tmp") }
    let path = try folder() + "/noise.mp4"
    try write((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }, to: path)
    let noise = #expect(throws: ImagingError.self) { try VideoSource(path) }
    #expect(noise?.code.exitStatus == 65)
    #expect(noise.map { "\($0)" }?.hasPrefix(path) == true)
  }

  @Test func `the last file handle is named as such`() async throws {
    let path = fixture("loop.mp4")
    await #expect(processExitsWith: .exitCode(0)) { [path = path as String] in
      var sources = [try VideoSource(path)]
      var limits = rlimit(rlim_cur: 40, rlim_max: 40)
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
      do throws(ImagingError) {
        while sources.count < 100 { sources.append(try VideoSource(path)) }
      } catch {
        let isNamed = error.message.contains("40 of 40 file handles are in use")
        exit(error.code == .handles && isNamed && sources.count > 10 ? 0 : 2)
      }
      exit(3)
    }
  }

  @Test func `the library names its versions`() throws {
    let versions = try MediaLibrary.shared().versions
    #expect(versions.contains("libavcodec 59."))
  }
}
