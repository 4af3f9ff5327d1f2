import ModelFile
import Tensors
import Testing

@Suite struct PreprocessingTextTests {
  @Test func `canonical text reads back as the same value`() throws {
    let text =
      "size=640x480,resize=letterbox,anchor=topleft,interpolation=area,pad=0,"
      + "mean=123.7/116.3/103.5,"
      + "std=58.4/57.1/57.4,raw-scale=1,input-scale=0.5,channel-order=bgr,pixel-format=nv12"
    let value = try Preprocessing(parsing: text)
    #expect(value.description == text)
    #expect(try Preprocessing(parsing: value.description) == value)
    #expect(value.size == Preprocessing.Size(width: 640, height: 480))
    #expect(value.pixelFormat == .nv12)
  }

  @Test func `the default prints something that reads back`() throws {
    #expect(try Preprocessing(parsing: Preprocessing().description) == Preprocessing())
  }

  @Test func `the name of the input ends at the last colon before the first equals sign`() throws {
    let named = try Preprocessing.option("model:images:0:resize=short:256,crop=224x224")
    #expect(named.input == "model:images:0")
    #expect(named.specification.resize == .short(256))
    let plain = try Preprocessing.option("resize=short:256,crop=224x224")
    #expect(plain.input == nil)
    #expect(plain.specification == named.specification)
  }

  @Test(arguments: [
    ("sise=3x3", "size"), ("men=1", "mean"), ("resize=leterbox", "letterbox"),
    ("raw_scale=1", "raw-scale"), ("channel-order=rbg", "rgb"), ("pixel-format=nv13", "nv12"),
  ])
  func `a typo names the nearest`(_ text: String, _ nearest: String) {
    #expect(message { _ = try Preprocessing(parsing: text) }.contains("did you mean '\(nearest)'"))
  }

  @Test(arguments: [
    "size=640", "size=0x3", "size=-1x3", "size=99999x3", "size=3x3x3", "resize=short:0", "pad=300",
    "mean=1/2", "mean=nan", "std=0", "std=1/0/1", "raw-scale=x", "input-scale=inf", "", "size",
    "size=3x3,size=4x4", "crop=3x3", "size=4x4,crop=5x5", "resize=short:200,crop=224x224",
    "resize=letterbox,size=4x4,crop=2x2", "resize=short:256,size=200x200,crop=224x224",
    "size=3x3,,pad=1", "mean=1/2/3/4/5/6/7/8",
  ])
  func `a bad value is refused with a sentence`(_ text: String) {
    #expect(message { _ = try Preprocessing(parsing: text) }.contains("--preprocess"))
  }

  @Test func `size, channels and layout come from the input`() throws {
    let letterbox = try Preprocessing(parsing: "resize=letterbox")
    let planar = try letterbox.resolved(input: "x", shape: [1, 3, 480, 640], type: .float32)
    #expect(planar.output == Preprocessing.Size(width: 640, height: 480))
    #expect(planar.arrangement == .planar)
    #expect(planar.specification.channelOrder == .rgb)
    #expect(planar.specification.description == "size=640x480,resize=letterbox,channel-order=rgb")
    let packed = try letterbox.resolved(input: "x", dimensions: [nil, 96, 96, 1], type: .uint8)
    #expect(packed.arrangement == .interleaved)
    #expect(packed.specification.channelOrder == .gray)
    #expect(packed.shape(batch: 2) == [2, 96, 96, 1])
    let tiny = try Preprocessing().resolved(input: "x", shape: [1, 1, 1, 3], type: .uint8)
    #expect(tiny.arrangement == .interleaved)
    let short = try Preprocessing(parsing: "resize=short:256")
      .resolved(input: "x", shape: [1, 3, 224, 224], type: .float32)
    #expect(short.specification.crop == Preprocessing.Size(width: 224, height: 224))
    #expect(
      try Preprocessing(parsing: short.specification.description) == short.specification,
      "the stored text is complete")
  }

  @Test func `an input that no picture fits is refused with both sides`() throws {
    let plain = Preprocessing()
    func fault(_ specification: Preprocessing, _ dimensions: [Int?], _ type: ElementType) -> String
    {
      message { _ = try specification.resolved(input: "in", dimensions: dimensions, type: type) }
    }
    #expect(fault(plain, [1, 3, nil, nil], .float32).contains("add size=WxH"))
    #expect(fault(plain, [1, 3, 8, 8], .int64).contains("int64[1,3,8,8]"))
    #expect(fault(plain, [1, 10], .float32).contains("[N,C,H,W]"))
    #expect(fault(plain, [1, 5, 8, 8], .float32).contains("1 or 3 channels"))
    #expect(fault(plain, [1, 3, 8, -1], .float32).contains("[1,3,8,-1]"))
    #expect(fault(plain, [1, 3, 8, Int.max], .float32).contains("in"))
    let sized = try Preprocessing(parsing: "size=32x16")
    #expect(fault(sized, [1, 3, 32, 32], .float32).contains("use size=32x32"))
    let gray = try Preprocessing(parsing: "channel-order=gray")
    #expect(fault(gray, [1, 3, 32, 32], .float32).contains("3 channels"))
    let means = try Preprocessing(parsing: "mean=1/2/3")
    #expect(fault(means, [1, 1, 32, 32], .float32).contains("3 values"))
    let short = try Preprocessing(parsing: "resize=short:20")
    #expect(fault(short, [1, 3, 32, 32], .float32).contains("short:20"))
  }

  @Test func `the option to add is one that fits`() throws {
    let option = try #require(
      Preprocessing.suggestedOption(input: "x", dimensions: [1, 3, 64, 32], type: .float32))
    #expect(option == "--preprocess 'x:size=32x64,resize=letterbox,raw-scale=1,channel-order=rgb'")
    #expect(
      Preprocessing.suggestedOption(input: "x", dimensions: [1, 5], type: .float32) == nil)
  }

  @Test func `odd padding goes right and bottom`() throws {
    let spec = try Preprocessing(parsing: "resize=letterbox")
      .resolved(input: "x", shape: [1, 3, 100, 100], type: .float32)
    let wide = spec.mapping(source: Preprocessing.Size(width: 200, height: 90))
    #expect(wide.resized == Preprocessing.Size(width: 100, height: 45))
    #expect((wide.left, wide.top) == (0, 27))
    #expect(wide.sourceY(27) == 0)
    #expect(wide.sourceY(72) == 90)
    let thin = spec.mapping(source: Preprocessing.Size(width: 1, height: 9000))
    #expect(thin.resized == Preprocessing.Size(width: 1, height: 100))
  }
}

/// Returns the message of the specification error that `body` throws, or an empty text.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch {
    return "\(error)"
  }
}
