import Graphs
import Testing

@testable import Importers

/// Damaged and malicious files: an error every time, never a crash or a hang.
struct HostileTests {
  private typealias A = ONNX.Attribute

  /// A model with a bit of everything.
  static let rich: [UInt8] = {
    let body = ONNX.graph(
      nodes: [ONNX.node("Probe", ["x", "w", "i"], ["o"], [A.ints("integers", [1, 2])])],
      inputs: [ONNX.value("i")], outputs: [ONNX.value("o")])
    let function = ONNX.function(
      "F", ["a"], ["r"],
      [ONNX.node("Probe", ["a"], ["r"], [A.reference("number", to: "k", type: 2)])],
      defaults: [A.int("k", 3)])
    let sparse = Message { m in
      m.message(1, ONNX.tensor("s", 1, [1], raw: raw([5] as [Float])))
      m.message(2, ONNX.tensor("", 7, [1], raw: raw([1] as [Int64])))
      m.int(3, 4)
    }
    return ONNX.model(
      functions: [function],
      ONNX.graph(
        nodes: [
          ONNX.node("Probe", ["t", "s"], ["y"], [A.graph("body", body), A.text("text", "hi")]),
          ONNX.node("F", ["c"], ["t"], domain: "local"),
          ONNX.node(
            "Constant", [], ["c"], [A.tensor("value", ONNX.tensor("", 1, [1], raw: [0, 0, 0, 0]))]),
        ],
        constants: [
          ONNX.tensor("w", 1, [2], raw: raw([1, 2] as [Float])),
          ONNX.tensor("v", 6, [2]) { $0.packed(5, [1, -2]) },
        ], sparse: [sparse], inputs: [ONNX.value("x", ["n", 3])],
        outputs: [ONNX.value("y")], hints: [ONNX.value("t")]))
  }()

  /// A model of one chain, whose damage reaches the ordering of nodes.
  static let chain = ONNX.model(
    ONNX.graph(
      nodes: (0..<8).map { ONNX.node("Identity", ["v\($0)"], ["v\($0 + 1)"]) },
      inputs: [ONNX.value("v0")], outputs: [ONNX.value("v8")]))

  @Test func `the models are right before they are damaged`() throws {
    #expect(try imported(Self.rich).nodes.count == 2)
    #expect(try imported(Self.chain).nodes.count == 8)
  }

  @Test func `a file cut off at any byte is an error or a sound graph`() {
    for bytes in [Self.rich, Self.chain] {
      var errors = 0
      for count in 0..<bytes.count {
        let text = message(Array(bytes[..<count]))
        #expect(!text.contains("NOT SOUND"), "cut at \(count): \(text)")
        if !text.isEmpty { errors += 1 }
      }
      // Only cuts between fields of the model itself can leave a whole model.
      #expect(errors > bytes.count - 8)
    }
  }

  @Test func `random damage gives an error or a sound graph`() {
    var random = Seeded(state: 0x5EED)
    var accepted = 0
    for round in 0..<20_000 {
      var bytes = round % 2 == 0 ? Self.rich : Self.chain
      for _ in 0..<1 + random.below(4) { damage(&bytes, &random) }
      let text = message(bytes)
      if text.isEmpty { accepted += 1 }
      #expect(!text.contains("NOT SOUND"), "seed 0x5EED, round \(round): \(text)")
    }
    // Both outcomes must occur, or the damage is too weak or too strong to say anything.
    #expect(accepted > 200 && accepted < 19_800, "\(accepted) accepted")
  }

  private func damage(_ bytes: inout [UInt8], _ random: inout Seeded) {
    guard !bytes.isEmpty else { return }
    let place = random.below(bytes.count)
    switch random.below(6) {
    case 0: bytes[place] ^= 1 << UInt8(random.below(8))
    case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
    case 2: bytes.remove(at: place)
    case 3: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
    case 4:
      let end = min(bytes.count, place + random.below(12))
      bytes.insert(contentsOf: bytes[place..<end], at: random.below(bytes.count))
    default: bytes[place] = [0, 0x7F, 0x80, 0xFF][random.below(4)]
    }
  }

  @Test func `lengths and numbers beyond the file are refused where they stand`() {
    let cases: [([UInt8], String)] = [
      ([0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0], "bytes are announced, but only 1 left"),
      ([0x3A] + [UInt8](repeating: 0xFF, count: 9) + [1, 0], "bytes are announced"),
      ([0x08] + [UInt8](repeating: 0xFF, count: 10) + [1], "more than 64 bits"),
      ([0x08, 0x80], "the number is cut off"), ([0x08, 1, 0x7B], "a group"),
      ([0x08, 1, 0x3E], "wire type 6"), ([0x08, 1, 0x00, 0], "0 is no field number"),
      ([0x08, 1, 0x38, 1], "field 7 has wire type 0, but must have 2"),
      ([0x08, 1], "the file has no graph"),
    ]
    for (bytes, text) in cases {
      #expect(message(bytes).contains(text), "\(message(bytes))")
    }
    #expect(message([0x08, 1, 0x7B]).hasPrefix("byte 2: "))
  }

  @Test func `limits are kept`() {
    let nodes = (0..<20).map { ONNX.node("Identity", ["x"], ["v\($0)"]) }
    let bytes = ONNX.model(ONNX.graph(nodes: nodes, inputs: [ONNX.value("x")]))
    let changes: [((inout ONNXLimits) -> Void, String)] = [
      ({ $0.nodes = 19 }, "more nodes than the limit of 19"),
      ({ $0.values = 0 }, "more tensors than the limit of 0"),
      ({ $0.names = 30 }, "more names than the limit of 30"),
      ({ $0.nameBytes = 3 }, "a name of 4 bytes is over the limit of 3"),
    ]
    for (change, text) in changes {
      var limits = ONNXLimits()
      change(&limits)
      #expect(message(bytes, limits: limits).contains(text))
    }
  }
}

/// A small random generator with a seed (SplitMix64).
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(bound, 1))) }
}
