import Imaging
import ModelFile
import Tensors
import Testing

@Suite struct PreprocessorTests {
  /// Runs a preprocessing into a uint8 [1,H,W,3] input: the pixels themselves.
  private func pixels(
    _ frame: Frame, _ text: String, width: Int, height: Int, channels: Int = 3
  ) throws -> [UInt8] {
    let specification = try Preprocessing(parsing: text)
      .resolved(input: "x", shape: [1, height, width, channels], type: .uint8)
    return Preprocessor(specification).tensor(of: [frame]).tensor.elements(as: UInt8.self)
  }

  @Test(arguments: [(96, 60), (48, 30), (61, 37), (130, 81), (20, 70), (1, 1)])
  func `bilinear pixels equal OpenCV's`(_ width: Int, _ height: Int) throws {
    let result = try pixels(
      Fixture.picture("source.ppm"), "interpolation=bilinear", width: width, height: height)
    let expected = try Fixture.picture("linear-\(width)x\(height).ppm").denseBytes()
    #expect(largestDifference(result, expected) <= 1)
  }

  @Test(arguments: [(48, 30), (32, 20), (37, 23), (120, 20), (110, 70), (1, 1)])
  func `area pixels equal OpenCV's`(_ width: Int, _ height: Int) throws {
    let result = try pixels(
      Fixture.picture("source.ppm"), "interpolation=area", width: width, height: height)
    let expected = try Fixture.picture("area-\(width)x\(height).ppm").denseBytes()
    #expect(largestDifference(result, expected) <= 1)
  }

  @Test func `letterbox and short sides equal OpenCV's`() throws {
    let source = try Fixture.picture("source.ppm")
    let boxed = try pixels(source, "resize=letterbox", width: 64, height: 64)
    #expect(
      largestDifference(boxed, try Fixture.picture("letterbox-64x64.ppm").denseBytes()) <= 1)
    let short = try pixels(source, "resize=short:40", width: 32, height: 32)
    #expect(largestDifference(short, try Fixture.picture("short40-32x32.ppm").denseBytes()) <= 1)
    let tall = try columns(of: source, 37)
    let result = try pixels(tall, "resize=letterbox,pad=1/2/3", width: 64, height: 51)
    #expect(
      largestDifference(result, try Fixture.picture("letterbox-tall-64x51.ppm").denseBytes()) <= 1)
  }

  @Test func `the top left anchor pads right and bottom only`() throws {
    let source = try Fixture.picture("source.ppm")
    let centred = try pixels(source, "resize=letterbox,pad=7", width: 64, height: 64)
    let anchored = try pixels(
      source, "resize=letterbox,pad=7,anchor=topleft", width: 64, height: 64)
    #expect(Array(anchored[0..<(40 * 64 * 3)]) == Array(centred[(12 * 64 * 3)..<(52 * 64 * 3)]))
    #expect(anchored[(40 * 64 * 3)...].allSatisfy { $0 == 7 })
  }

  @Test(arguments: [PixelFormat.i420, .nv12, .nv21])
  func `YUV frames equal OpenCV's conversion`(_ format: PixelFormat) throws {
    let raw = try Fixture.bytes("\(format)-48x30.yuv")
    let frame = try Frame(copying: raw, format, width: 48, height: 30)
    let same = try pixels(frame, "resize=stretch", width: 48, height: 30)
    #expect(largestDifference(same, try Fixture.picture("\(format)-48x30.ppm").denseBytes()) <= 1)
    let small = try pixels(frame, "resize=stretch", width: 31, height: 17)
    #expect(largestDifference(small, try Fixture.picture("\(format)-31x17.ppm").denseBytes()) <= 1)
  }

  @Test func `a full-range frame is not stretched`() throws {
    let raw: [UInt8] = [0, 50, 200, 255] + [128] + [128]
    let frame = try Frame(copying: raw, .i420, width: 2, height: 2, range: .full)
    let result = try pixels(frame, "resize=stretch", width: 2, height: 2)
    #expect(result == [0, 0, 0, 50, 50, 50, 200, 200, 200, 255, 255, 255])
    let limited = try Frame(copying: [16, 16, 235, 255, 128, 128], .i420, width: 2, height: 2)
    #expect(
      try pixels(limited, "resize=stretch", width: 2, height: 2)
        == [0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255])
  }

  @Test func `the matrix tag changes the colours`() throws {
    let raw: [UInt8] = [120, 120, 120, 120, 90, 200]
    let colours = try [ColorMatrix.bt601, .bt709, .bt2020].map { matrix in
      try pixels(
        Frame(copying: raw, .i420, width: 2, height: 2, matrix: matrix), "resize=stretch", width: 2,
        height: 2)
    }
    // By the standards' equations: R = 1.164(Y−16) + 1.596, 1.793, 1.679 · (V−128).
    #expect(colours.map { Int($0[0]) } == [236, 250, 242])
  }

  @Test(
    arguments: [PixelFormat.rgb24, .bgr24, .rgba, .rgbPlanar, .bgrPlanar, .gray8],
    ["rgb", "bgr", "gray"])
  func `each pixel format reaches each channel order`(_ format: PixelFormat, _ order: String) throws
  {
    let source = try Fixture.picture("source.ppm")
    let frame = try source.converted(to: format)
    let channels = order == "gray" ? 1 : 3
    let result = try pixels(
      frame, "channel-order=\(order)", width: 96, height: 60, channels: channels)
    let gray = try Fixture.picture("gray.pgm").denseBytes()
    var expected: [UInt8] = []
    let rgb = source.denseBytes()
    for pixel in 0..<(96 * 60) {
      let colour = Array(rgb[(pixel * 3)..<(pixel * 3 + 3)])
      if order == "gray" {
        expected.append(gray[pixel])
      } else if format == .gray8 {
        expected += [gray[pixel], gray[pixel], gray[pixel]]
      } else {
        expected += order == "rgb" ? colour : colour.reversed()
      }
    }
    #expect(largestDifference(result, expected) <= 1)
  }

  @Test func `numbers follow the formula, planar and interleaved`() throws {
    let source = try Fixture.picture("source.ppm")
    let text = "mean=123.7/116.3/103.5,std=58.4/57.1/57.4,input-scale=2,channel-order=bgr"
    let planar = try Preprocessing(parsing: text)
      .resolved(input: "x", shape: [1, 3, 60, 96], type: .float32)
    let packed = try Preprocessing(parsing: text)
      .resolved(input: "x", shape: [1, 60, 96, 3], type: .float32)
    let a = Preprocessor(planar).tensor(of: [source]).tensor.elements(as: Float.self)
    let b = Preprocessor(packed).tensor(of: [source]).tensor.elements(as: Float.self)
    let rgb = source.denseBytes()
    let mean: [Float] = [123.7, 116.3, 103.5]
    let std: [Float] = [58.4, 57.1, 57.4]
    var worst: Float = 0
    for pixel in 0..<(96 * 60) {
      for channel in 0..<3 {
        let y = (Float(rgb[pixel * 3 + 2 - channel]) - mean[channel]) / std[channel] * 2
        worst = max(worst, abs(a[channel * 96 * 60 + pixel] - y))
        worst = max(worst, abs(b[pixel * 3 + channel] - y))
      }
    }
    #expect(worst <= 1e-6)
  }

  @Test func `raw scale and padding pass through the formula`() throws {
    let specification = try Preprocessing(
      parsing: "resize=letterbox,raw-scale=1,pad=51,mean=0.1,std=0.5"
    ).resolved(input: "x", shape: [1, 3, 4, 8], type: .float32)
    let frame = try Frame(
      copying: [UInt8](repeating: 255, count: 48), .rgb24, width: 4, height: 4)
    let values = Preprocessor(specification).tensor(of: [frame]).tensor.elements(as: Float.self)
    #expect(abs(values[0] - 0.2) < 1e-6)
    #expect(abs(values[3] - 1.8) < 1e-6)
  }

  @Test func `a batch holds one sample per frame, of any size`() throws {
    let source = try Fixture.picture("source.ppm")
    let small = try Fixture.picture("linear-20x70.ppm")
    let specification = try Preprocessing(parsing: "resize=letterbox")
      .resolved(input: "x", shape: [2, 3, 40, 40], type: .float32)
    let preprocessor = Preprocessor(specification)
    let both = preprocessor.tensor(of: [source, small])
    #expect(both.tensor.shape == [2, 3, 40, 40])
    #expect(both.mappings[1].source == small.size)
    let alone = preprocessor.tensor(of: [small]).tensor.elements(as: Float.self)
    #expect(Array(both.tensor.elements(as: Float.self)[(3 * 1600)...]) == alone)
  }

  @Test func `extreme proportions stay within bounds`() throws {
    for (width, height) in [(1, 1), (1, 5000), (5000, 1), (3, 2)] {
      let frame = try Frame(.rgb24, width: width, height: height)
      for text in ["resize=stretch", "resize=letterbox", "resize=short:33", "interpolation=area"] {
        let specification = try Preprocessing(parsing: text)
          .resolved(input: "x", shape: [1, 3, 31, 33], type: .float32)
        let values = Preprocessor(specification).tensor(of: [frame]).tensor.elements(as: Float.self)
        #expect(values.allSatisfy { $0 == 0 || $0 == 114 })
      }
    }
  }

  /// The left columns of a packed picture.
  private func columns(of frame: Frame, _ count: Int) throws -> Frame {
    let bytes = frame.denseBytes()
    var result: [UInt8] = []
    for y in 0..<frame.height {
      result += bytes[(y * frame.width * 3)..<((y * frame.width + count) * 3)]
    }
    return try Frame(copying: result, .rgb24, width: count, height: frame.height)
  }
}
