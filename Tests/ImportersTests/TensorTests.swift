import Graphs
import Tensors
import Testing

@testable import Importers

/// Constants of every element type, in every form that the format has.
struct TensorTests {
  private func constant(_ tensor: Message, limits: ONNXLimits = ONNXLimits())
    throws(ImportError) -> TensorBuffer?
  {
    let graph = try imported(
      ONNX.model(ONNX.graph(constants: [tensor])), limits: limits)
    return graph.value(named: "w")?.constant
  }

  private func refusal(_ tensor: Message) -> String {
    message(ONNX.model(ONNX.graph(constants: [tensor])))
  }

  @Test(arguments: ElementType.allCases.filter { $0 != .string })
  func `raw bytes of every element type are kept as they are`(type: ElementType) throws {
    let byteCount = try #require(type.byteCount(of: 5))
    let bytes = (0..<byteCount).map { type == .bool ? UInt8($0 % 2) : UInt8($0 + 1) }
    let tensor = try #require(try constant(ONNX.tensor("w", Int(type.rawValue), [5], raw: bytes)))
    #expect(tensor.type == type && tensor.shape == [5])
    #expect(tensor.withBytes { Array($0) } == bytes)
  }

  @Test func `unaligned raw data reads right`() throws {
    for padding in 0..<8 {
      let name = String(repeating: "x", count: padding)
      let graph = try imported(
        ONNX.model(
          ONNX.graph(
            constants: [
              ONNX.tensor(name + "-", 2, [1], raw: [0]),
              ONNX.tensor("w", 11, [2], raw: raw([1.5, -2] as [Double])),
            ])))
      #expect(graph.value(named: "w")?.constant?.floats() == [1.5, -2])
    }
  }

  @Test func `listed elements of every element type have the bytes of raw ones`() throws {
    // (type, field, listed integers, bytes)
    let cases: [(ElementType, [Int], [UInt8])] = [
      (.int8, [-1, 2], raw([-1, 2] as [Int8])), (.uint8, [255, 2], [255, 2]),
      (.int16, [-300, 2], raw([-300, 2] as [Int16])),
      (.uint16, [65535, 2], raw([65535, 2] as [UInt16])),
      (.int32, [-70000, 2], raw([-70000, 2] as [Int32])), (.bool, [7, 0], [1, 0]),
      (.float16, [0x3C00, 0xC000], raw([1, -2] as [Float16])),
      (.bfloat16, [0x3F80, 0xC000], raw([0x3F80, 0xC000] as [UInt16])),
      (.float8E4M3FN, [0x38, 0xC0], [0x38, 0xC0]),
      (.int64, [.min, .max], raw([Int64.min, .max])),
      (.uint32, [0xFFFF_FFFF, 1], raw([UInt32.max, 1])),
      (.uint64, [-1, 1], raw([UInt64.max, 1])),
      (.int4, [0xF1], [0xF1]), (.uint2, [0x0D], [0x0D]),
    ]
    for (type, values, bytes) in cases {
      let field = type == .int64 ? 7 : type == .uint32 || type == .uint64 ? 11 : 5
      for isPacked in [false, true] {
        let message = ONNX.tensor("w", Int(type.rawValue), [2]) { m in
          if isPacked { m.packed(field, values) } else { for v in values { m.int(field, v) } }
        }
        let tensor = try #require(try constant(message))
        #expect(tensor.withBytes { Array($0) } == bytes, "\(type)")
      }
    }
  }

  @Test func `listed floats, doubles and complex numbers are gathered from all their pieces`()
    throws
  {
    let floats = ONNX.tensor("w", 1, [3]) { m in
      m.float(4, 1)
      m.data(4, raw([2, 3] as [Float]))
    }
    #expect(try constant(floats)?.floats() == [1, 2, 3])
    let doubles = ONNX.tensor("w", 11, [2]) { $0.data(10, raw([0.5, 8] as [Double])) }
    #expect(try constant(doubles)?.floats() == [0.5, 8])
    let complex = ONNX.tensor("w", 14, [1]) { $0.data(4, raw([1, 2] as [Float])) }
    #expect(try constant(complex)?.withBytes { Array($0) } == raw([1, 2] as [Float]))
  }

  @Test func `a bool that is neither 0 nor 1 counts as 1`() throws {
    let tensor = try #require(try constant(ONNX.tensor("w", 9, [3], raw: [0, 2, 255])))
    #expect(tensor.withBytes { Array($0) } == [0, 1, 1])
  }

  @Test func `scalars and empty tensors need no dimensions and no data`() throws {
    #expect(try constant(ONNX.tensor("w", 1, [], raw: raw([4] as [Float])))?.floats() == [4])
    #expect(try constant(ONNX.tensor("w", 1, [0, 7]))?.shape == [0, 7])
    #expect(try constant(ONNX.tensor("w", 7, [0], raw: []))?.integers() == [])
  }

  @Test func `sparse tensors become dense`() throws {
    let flat = Message { m in
      m.message(1, ONNX.tensor("w", 1, [2], raw: raw([5, 6] as [Float])))
      m.message(2, ONNX.tensor("", 7, [2], raw: raw([1, 5] as [Int64])))
      for extent in [2, 3] { m.int(3, extent) }
    }
    let pairs = Message { m in
      m.message(1, ONNX.tensor("w", 1, [2], raw: raw([5, 6] as [Float])))
      m.message(2, ONNX.tensor("", 7, [2, 2], raw: raw([0, 1, 1, 2] as [Int64])))
      for extent in [2, 3] { m.int(3, extent) }
    }
    for sparse in [flat, pairs] {
      let graph = try imported(ONNX.model(ONNX.graph(sparse: [sparse])))
      let tensor = try #require(graph.value(named: "w")?.constant)
      #expect(tensor.shape == [2, 3] && tensor.floats() == [0, 5, 0, 0, 0, 6])
    }
  }

  @Test func `a sparse tensor may not claim much memory nor reach outside`() {
    func sparse(_ position: Int, _ extent: Int) -> String {
      message(
        ONNX.model(
          ONNX.graph(
            sparse: [
              Message { m in
                m.message(1, ONNX.tensor("w", 1, [1], raw: raw([5] as [Float])))
                m.message(2, ONNX.tensor("", 7, [1], raw: raw([Int64(position)])))
                m.int(3, extent)
              }
            ])))
    }
    #expect(sparse(4, 4).contains("an index outside its shape"))
    #expect(sparse(-1, 4).contains("an index outside its shape"))
    #expect(sparse(0, 1 << 40).contains("all of them together may take"))
  }

  @Test func `data that do not fit the shape are refused with both sizes`() {
    #expect(
      refusal(ONNX.tensor("w", 1, [2, 3], raw: [0, 0, 0, 0]))
        .contains("of float32 2x3 needs 24 bytes of raw_data, but has 4"))
    #expect(refusal(ONNX.tensor("w", 1, [2]) { $0.float(4, 1) }).contains("lists 1 values"))
    #expect(refusal(ONNX.tensor("w", 7, [1 << 40]) { $0.int(7, 1) }).contains("lists 1 values"))
    #expect(refusal(ONNX.tensor("w", 1, [1]) { $0.int(5, 1) }).contains("belong into field 4"))
    #expect(
      refusal(ONNX.tensor("w", 1, [1], raw: [0, 0, 0, 0]) { $0.float(4, 1) }).contains("has both"))
    #expect(refusal(ONNX.tensor("w", 1, [-1])).contains("impossible shape"))
    #expect(refusal(ONNX.tensor("w", 1, [1 << 62, 4])).contains("impossible shape"))
    #expect(refusal(ONNX.tensor("w", 77, [1])).contains("the element type 77"))
    #expect(refusal(ONNX.tensor("w", 1, [Int](repeating: 1, count: 65))).contains("65 dimensions"))
  }

  @Test func `strings are refused only where they are used`() {
    let strings = ONNX.tensor("s", 8, [1]) { $0.text(6, "a") }
    #expect(message(ONNX.model(ONNX.graph(constants: [strings]))) == "")
    let used = message(
      ONNX.model(
        ONNX.graph(
          nodes: [ONNX.node("Identity", ["s"], ["y"], name: "n")], constants: [strings],
          outputs: [ONNX.value("y")])))
    #expect(used.contains("input 0, \"s\", is a constant of strings") && used.contains("\"n\""))
  }
}
