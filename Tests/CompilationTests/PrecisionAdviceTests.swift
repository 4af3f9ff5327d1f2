import Graphs
import Operators
import Tensors
import Testing

@testable import Compilation

@Suite struct PrecisionAdviceTests {
  /// Convolutions of `channels` channels, each followed by a function that 8 bits do not know.
  private func compiled(channels: Int, extent: Int, _ function: String) throws -> CompiledProgram {
    var maker = GraphMaker()
    var x = maker.input("x", [1, channels, extent, extent])
    for layer in 0..<3 {
      let w = maker.constant([channels, channels, 1, 1], seed: UInt64(layer))
      x = try maker.one(function, try maker.one("Conv", x, w))
    }
    maker.graph.outputs = [x]
    let calibrator = try Calibrator(Compiler().compile(maker.graph))
    var random = RandomInputs()
    let observer = try calibrator.observer()
    try observer.observe(random.tensors(for: calibrator.inputs), sample: 0, name: "sample")
    let ranges = calibrator.calibration([observer]).ranges(method: .minmax)
    return try Compiler(
      precision: .int8, quantization: QuantizationOptions(ranges: ranges)
    ).compile(maker.graph)
  }

  @Test func `says which layers make int8 slower than bf16`() throws {
    // Sums along channels: floats, between products that are too small to save anything.
    let program = try compiled(channels: 8, extent: 96, "LogSoftmax")
    let advice = try #require(PrecisionAdvice(program))
    #expect(advice.isSlower)
    let text = try #require(advice.text)
    #expect(text.contains("slower than bf16") && text.contains("--precision bf16"))
    let first = try #require(advice.slower.first)
    #expect(text.contains(first.name) && first.int8 > first.bf16)
    // The same model gets the same advice.
    #expect(PrecisionAdvice(program)?.text == text)
  }

  @Test func `says nothing where int8 is faster`() throws {
    let advice = try #require(PrecisionAdvice(try compiled(channels: 256, extent: 14, "Relu")))
    #expect(!advice.isSlower && advice.text == nil)
    #expect(advice.int8 > 0 && advice.bf16 > advice.int8)
  }

  @Test func `has nothing to compare where the program is not int8`() throws {
    var maker = GraphMaker()
    let x = maker.input("x", [1, 4, 3, 3])
    maker.graph.outputs = [try maker.one("Relu", x)]
    #expect(PrecisionAdvice(try Compiler().compile(maker.graph)) == nil)
  }
}
