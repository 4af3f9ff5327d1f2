import Imaging
import ModelFile
import Pictures
import Testing

@Suite struct JPEGTests {
  @Test(arguments: [
    "jpeg-444", "jpeg-422", "jpeg-420", "jpeg-progressive", "jpeg-gray", "jpeg-cmyk",
  ])
  func `pixels equal OpenCV's decoder`(_ name: String) throws {
    let picture = try Picture.read(Fixture.path("\(name).jpg")).converted(to: .rgb24)
    let expected = try Fixture.picture("\(name).ppm")
    #expect(picture.size == expected.size)
    #expect(largestDifference(picture.denseBytes(), expected.denseBytes()) <= 1)
  }

  @Test(arguments: 1...8)
  func `each EXIF orientation comes out upright`(_ orientation: Int) throws {
    let picture = try Picture.read(Fixture.path("exif-\(orientation).jpg"))
    let expected = try Fixture.picture("exif-\(orientation).ppm")
    #expect(picture.size == expected.size)
    #expect(largestDifference(picture.denseBytes(), expected.denseBytes()) <= 1)
  }

  @Test func `every cut-off file is an error`() throws {
    let whole = try Fixture.bytes("jpeg-420.jpg")
    for count in 0..<whole.count {
      #expect(throws: ImagingError.self, "\(count) bytes of \(whole.count)") {
        try Picture.decode(Array(whole[0..<count]))
      }
    }
  }

  @Test func `damaged files never crash`() throws {
    var state: UInt64 = 20_261_121
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    for name in ["jpeg-420.jpg", "jpeg-progressive.jpg", "jpeg-cmyk.jpg", "exif-6.jpg"] {
      let whole = try Fixture.bytes(name)
      var refused = 0
      for _ in 0..<300 {
        var bytes = whole
        for _ in 0..<(1 + random(6)) { bytes[random(bytes.count)] = UInt8(random(256)) }
        // The first marker decides which decoder reads the file; that one is under test here.
        bytes.replaceSubrange(0..<3, with: [0xFF, 0xD8, 0xFF])
        do { _ = try Picture.decode(bytes) } catch { refused += 1 }
      }
      #expect(refused > 0, "seed 20261121, \(name)")
    }
  }

  @Test func `a header that claims too much is refused before memory is taken`() throws {
    var bytes = try Fixture.bytes("jpeg-420.jpg")
    let frame = try #require(
      (0..<(bytes.count - 9)).first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC0 })
    bytes.replaceSubrange((frame + 5)...(frame + 8), with: [0xFD, 0xE8, 0xFD, 0xE8])
    let error = #expect(throws: ImagingError.self) { try Picture.decode(bytes) }
    #expect(error?.message.contains("65000x65000") == true)
  }

  @Test func `what is missing is named`() throws {
    let missing = #expect(throws: ImagingError.self) { try Picture.read("/nowhere/a.jpg") }
    #expect(missing?.code == .notFound)
    #expect(missing?.code.exitStatus == 66)
    #expect(missing.map { "\($0)" }?.hasPrefix("/nowhere/a.jpg: ") == true)
    #expect(throws: ImagingError.self) { try Picture.read("/tmp") }
  }

  @Test(arguments: [PixelFormat.rgb24, .bgr24, .rgba, .gray8, .i420, .nv12, .rgbPlanar])
  func `written pictures read back nearly the same`(_ format: PixelFormat) throws {
    let source = try Fixture.picture("source.ppm").converted(to: format)
    let path = try Fixture.temporary([], "out.jpg")
    try Picture.write(source, to: path, quality: 98)
    for (target, limit) in [(PixelFormat.rgb24, 12.0), (.gray8, 2.0)] {
      let back = try Picture.read(path).converted(to: target).denseBytes()
      let expected = try source.converted(to: target).denseBytes()
      let total = zip(back, expected).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
      #expect(Double(total) / Double(expected.count) < limit, "\(target): chroma is subsampled")
    }
  }

  @Test func `a full disk is an error and leaves the old file`() throws {
    let frame = try Fixture.picture("source.ppm")
    let full = #expect(throws: ImagingError.self) { try Picture.write(frame, to: "/dev/full") }
    #expect(full?.code == .diskFull)
    #expect(full?.code.exitStatus == 74)
    let nowhere = #expect(throws: ImagingError.self) {
      try Picture.write(frame, to: "/nowhere/x.jpg")
    }
    #expect(nowhere?.code == .notWritable)
  }
}
