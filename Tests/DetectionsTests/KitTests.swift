import Detections
import ModelFile
import Tensors
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct KitTests {
  /// A 64x64 input filled by a source of the same size.
  static func mapping(
    source: (Int, Int) = (64, 64), input: Int = 64
  ) throws -> InputMapping {
    try Preprocessing(parsing: "resize=letterbox")
      .resolved(input: "x", shape: [1, 3, input, input], type: .float32)
      .mapping(source: Preprocessing.Size(width: source.0, height: source.1))
  }

  private func output(_ shape: Shape, _ values: [Float], _ name: String = "out") -> KitOutput {
    KitOutput(name: name, tensor: TensorBuffer(shape, values))
  }

  /// Three anchors of 4 + 2 channels; the second is a worse copy of the first.
  private let rows: [[Float]] = [
    [20, 20, 20, 10, 0.9, 0.1], [21, 20, 20, 10, 0.6, 0.3], [50, 40, 10, 30, 0.2, 0.8],
  ]
  private var eightColumns: [[Float]] {
    rows + (0..<9).map { _ in [1, 1, 2, 2, 0, 0] }
  }

  @Test func `yolov8 reads both orders and suppresses per class`() throws {
    let anchors = eightColumns
    let last = output([1, 12, 6], anchors.flatMap { $0 })
    let first = output([1, 6, 12], (0..<6).flatMap { c in anchors.map { $0[c] } })
    let detector = try Detector(Postprocessing(parsing: "yolov8:score=0.25"))
    for value in [last, first] {
      let found = try detector.detect(in: [value], mapping: Self.mapping())
      #expect(
        found.map { [Float($0.classIndex), $0.score] } == [[0, 0.9], [1, 0.8], [1, 0.3]])
      #expect(found[0].box == Box(x1: 10, y1: 15, x2: 30, y2: 25))
      #expect(found[1].box == Box(x1: 45, y1: 25, x2: 55, y2: 55))
    }
    let single = try Detector(Postprocessing(parsing: "yolov8:score=0.25,multi-label=false"))
      .detect(in: [first], mapping: Self.mapping())
    #expect(single.map(\.score) == [0.9, 0.8])
    let agnostic = try Detector(Postprocessing(parsing: "yolov8:score=0.05,agnostic=true"))
      .detect(in: [first], mapping: Self.mapping())
    #expect(agnostic.map(\.score) == [0.9, 0.8])
    let one = try Detector(Postprocessing(parsing: "yolov8:max=1"))
      .detect(in: [first], mapping: Self.mapping())
    #expect(one.count == 1)
  }

  @Test func `boxes return to source pixels and stay inside`() throws {
    let value = output([1, 6, 12], (0..<6).flatMap { c in eightColumns.map { $0[c] } })
    let mapping = try Self.mapping(source: (128, 64))
    let found = try Detector(Postprocessing(parsing: "yolov8:score=0.5"))
      .detect(in: [value], mapping: mapping)
    // The source fills rows 16...48 at half size.
    #expect(found.first { $0.classIndex == 0 }?.box == Box(x1: 20, y1: 0, x2: 60, y2: 18))
    #expect(found.first { $0.classIndex == 1 }?.box == Box(x1: 90, y1: 18, x2: 110, y2: 64))
  }

  @Test func `each sample of a batch is its own`() throws {
    let empty = [Float](repeating: 0, count: 72)
    let value = output([2, 12, 6], empty + eightColumns.flatMap { $0 })
    let detector = try Detector(Postprocessing(parsing: "yolov8:score=0.5"))
    #expect(try detector.detect(in: [value], sample: 0, mapping: Self.mapping()).isEmpty)
    #expect(try detector.detect(in: [value], sample: 1, mapping: Self.mapping()).count == 2)
    #expect(throws: DetectionError.self) {
      try detector.detect(in: [value], sample: 2, mapping: Self.mapping())
    }
  }

  @Test func `yolov5 multiplies objectness and class score`() throws {
    let value = output(
      [1, 2, 7], [20, 20, 20, 10, 0.5, 0.9, 0.2] + [40, 40, 10, 10, 0.9, 0.1, 0.8])
    let found = try Detector(Postprocessing(parsing: "yolov5:score=0.4"))
      .detect(in: [value], mapping: Self.mapping())
    #expect(found.map(\.classIndex) == [1, 0])
    #expect(abs(found[0].score - 0.72) < 1e-6)
    #expect(abs(found[1].score - 0.45) < 1e-6)
  }

  @Test func `yolox decodes its grids`() throws {
    // 64x64 with strides 8, 16, 32: 64 + 16 + 4 cells.
    var values = [Float](repeating: 0, count: 84 * 6)
    func set(_ anchor: Int, _ row: [Float]) {
      for (i, value) in row.enumerated() { values[anchor * 6 + i] = value }
    }
    set(8 * 2 + 3, [0.5, 0.25, 0, logf(2), 1, 0.9])
    set(64 + 4 * 1 + 2, [0, 0, 0, 0, 0.5, 0.9])
    let found = try Detector(Postprocessing(parsing: "yolox"))
      .detect(in: [output([1, 84, 6], values)], mapping: Self.mapping())
    #expect(found.count == 2)
    #expect(found[0].box == Box(x1: 24, y1: 10, x2: 32, y2: 26))
    #expect(found[1].box == Box(x1: 24, y1: 8, x2: 40, y2: 24))
    let decoded = try Detector(Postprocessing(parsing: "yolox:decoded=true"))
      .detect(in: [output([1, 1, 6], [32, 32, 8, 8, 1, 0.5])], mapping: Self.mapping())
    #expect(decoded[0].box == Box(x1: 28, y1: 28, x2: 36, y2: 36))
  }

  @Test func `ssd reads corners with a background class`() throws {
    let scores = output([1, 3, 2], [0.9, 0.1, 0.2, 0.8, 0.3, 0.7], "scores")
    let boxes = output(
      [1, 3, 4], [0, 0, 1, 1] + [0.25, 0.25, 0.5, 0.5] + [0.26, 0.25, 0.5, 0.5], "boxes")
    for outputs in [[scores, boxes], [boxes, scores]] {
      let found = try Detector(Postprocessing(parsing: "ssd:iou=0.3,score=0.5"))
        .detect(in: outputs, mapping: Self.mapping())
      #expect(found.count == 1)
      #expect(found[0].classIndex == 0)
      #expect(found[0].box == Box(x1: 16, y1: 16, x2: 32, y2: 32))
    }
    let all = try Detector(Postprocessing(parsing: "ssd:background=none,score=0.5"))
      .detect(in: [scores, boxes], mapping: Self.mapping())
    #expect(all.map(\.classIndex) == [0, 1])
  }

  @Test func `ssd decodes priors from sizes, from an output and from Caffe's layer`() throws {
    // One cell grid of stride 32 on 64x64: four cells, one prior of 16 pixels each.
    let offsets: [Float] = [1, -1, logf(2) / 0.2, 0] + [Float](repeating: 0, count: 12)
    let boxes = output([1, 4, 4], offsets, "loc")
    let scores = output([1, 4, 2], [0.1, 0.9] + [Float](repeating: 0, count: 6), "conf")
    let expected = Box(x1: 1.6, y1: 6.4, x2: 33.6, y2: 22.4)
    func close(_ box: Box) -> Bool {
      abs(box.x1 - expected.x1) < 1e-3 && abs(box.y1 - expected.y1) < 1e-3
        && abs(box.x2 - expected.x2) < 1e-3 && abs(box.y2 - expected.y2) < 1e-3
    }
    let made = try Detector(Postprocessing(parsing: "ssd:strides=32,min-sizes=16,boxes=loc"))
      .detect(in: [boxes, scores], mapping: Self.mapping())
    #expect(made.count == 1 && close(made[0].box))
    let centres: [Float] = [0.25, 0.25, 0.25, 0.25] + [Float](repeating: 0.5, count: 12)
    let given = try Detector(Postprocessing(parsing: "ssd:form=priors,boxes=loc,priors=anchors"))
      .detect(in: [boxes, scores, output([4, 4], centres, "anchors")], mapping: Self.mapping())
    #expect(given.count == 1 && close(given[0].box))
    let corners: [Float] = [0.125, 0.125, 0.375, 0.375] + [Float](repeating: 0.5, count: 12)
    let variances = (0..<4).flatMap { _ in [Float](arrayLiteral: 0.1, 0.1, 0.2, 0.2) }
    let caffe = try Detector(Postprocessing(parsing: "ssd:form=priors,boxes=loc,priors=p"))
      .detect(
        in: [boxes, scores, output([1, 2, 16], corners + variances, "p")], mapping: Self.mapping())
    #expect(caffe.count == 1 && close(caffe[0].box))
  }

  @Test func `classification ranks, applies softmax and skips the background`() throws {
    let value = output([1, 4], [5, 1, 3, 2])
    let plain = try Detector(Postprocessing(parsing: "classification:max=2"))
      .detect(in: [value], mapping: Self.mapping(source: (30, 20)))
    #expect(plain.map(\.classIndex) == [0, 2])
    #expect(plain[0].box == Box(x1: 0, y1: 0, x2: 30, y2: 20))
    let soft = try Detector(Postprocessing(parsing: "classification:softmax=true,offset=1"))
      .detect(in: [value], mapping: Self.mapping())
    #expect(soft.map(\.classIndex) == [1, 2, 0])
    let total = [5, 1, 3, 2].map { exp(Double($0)) }.reduce(0, +)
    #expect(abs(Double(soft[0].score) - exp(3) / total) < 1e-6)
  }

  @Test func `classification takes bytes where the model has no float output`() throws {
    let bytes = KitOutput(name: "b", tensor: TensorBuffer(.uint8, [1, 3], [UInt8(7), 200, 31]))
    let detector = try Detector(Postprocessing(parsing: "classification"))
    let found = try detector.detect(in: [bytes], mapping: Self.mapping())
    #expect(found.map(\.classIndex) == [1, 2, 0] && found.map(\.score) == [200, 31, 7])
    let both = try detector.detect(
      in: [bytes, output([1, 2], [0, 1])], mapping: Self.mapping())
    #expect(both.map(\.classIndex) == [1, 0])
    #expect(throws: DetectionError.self) {
      try Detector(Postprocessing(.yolov8)).detect(in: [bytes], mapping: Self.mapping())
    }
  }

  @Test func `equal scores keep class and position order`() throws {
    let row: [Float] = [10, 10, 4, 4, 0.5, 0.5]
    let far: [Float] = [40, 40, 4, 4, 0.5, 0.5]
    let value = output(
      [1, 12, 6], ([row, far] + (0..<10).map { _ in [0, 0, 0, 0, 0, 0] }).flatMap { $0 })
    let found = try Detector(Postprocessing(.yolov8)).detect(in: [value], mapping: Self.mapping())
    #expect(found.map(\.classIndex) == [0, 0, 1, 1])
    #expect(found.map(\.box.x1) == [8, 38, 8, 38])
  }

  @Test(arguments: ["yolov8", "yolov5", "yolox", "ssd", "classification"])
  func `outputs that do not fit print both sides`(_ kit: String) throws {
    let detector = try Detector(Postprocessing(parsing: kit))
    for shape: Shape in [[1, 2, 3, 4, 5], [1], [], [1, 3, 2], [0, 5]] {
      let value = output(shape, [Float](repeating: 0, count: shape.elementCount), "strange")
      let error = #expect(throws: DetectionError.self, "\(shape)") {
        try detector.detect(in: [value], mapping: Self.mapping())
      }
      #expect(error?.code == .unfitOutputs)
      #expect(error?.message.contains("'strange' float32[") == true)
      #expect(error?.message.contains("the kit wants \(detector.expectation)") == true)
    }
    #expect(throws: DetectionError.self) { try detector.detect(in: [], mapping: Self.mapping()) }
  }

  @Test func `numbers that are not finite are named, not hidden`() throws {
    var values = eightColumns.flatMap { $0 }
    values[6 + 4] = .nan
    let detector = try Detector(Postprocessing(.yolov8))
    let score = #expect(throws: DetectionError.self) {
      try detector.detect(in: [output([1, 12, 6], values)], mapping: Self.mapping())
    }
    #expect(score?.code == .notFinite)
    #expect(score?.message.contains("element 10") == true)
    values[10] = 0
    values[0] = .infinity
    #expect(throws: DetectionError.self) {
      try detector.detect(in: [output([1, 12, 6], values)], mapping: Self.mapping())
    }
  }

  @Test func `labels are checked against the model's classes`() throws {
    var specification = Postprocessing(.yolov8)
    specification.labels = ["person", "car"]
    let value = output([1, 12, 6], eightColumns.flatMap { $0 })
    let found = try Detector(specification).detect(in: [value], mapping: Self.mapping())
    #expect(found.map(\.label) == ["person", "car", "car"])
    specification.labels = ["person", "car", "dog"]
    let error = #expect(throws: DetectionError.self) {
      try Detector(specification).detect(in: [value], mapping: Self.mapping())
    }
    #expect(error?.message.contains("2 classes, but there are 3 labels") == true)
    let missing = #expect(throws: DetectionError.self) {
      try Detector(Postprocessing(parsing: "yolov8:classes=/nowhere.txt"))
    }
    #expect(missing?.code == .labels)
  }

  @Test func `JSON is exact and escaped`() {
    let objects = [
      Detection(
        classIndex: 2, label: "a\"b\\c\u{1}\n日", score: 0.5,
        box: Box(x1: 1, y1: 2.25, x2: 1e-7, y2: 3)),
      Detection(classIndex: 0, label: nil, score: 1, box: Box(x1: 0, y1: 0, x2: 4, y2: 4)),
    ]
    #expect(
      JSONText.document(objects)
        == "{\"objects\":[{\"class\":2,\"label\":\"a\\\"b\\\\c\\u0001\\n日\",\"score\":0.5,"
        + "\"box\":[1,2.25,1e-07,3]},{\"class\":0,\"label\":null,\"score\":1,\"box\":[0,0,4,4]}]}")
    let line = FrameDetections(
      stream: "cam 1", frame: 7, timeMs: 280, width: 64, height: 48, objects: []
    ).jsonLine
    #expect(
      line
        == "{\"stream\":\"cam 1\",\"frame\":7,\"pts_ms\":280,\"width\":64,\"height\":48,"
        + "\"objects\":[]}"
    )
  }
}
