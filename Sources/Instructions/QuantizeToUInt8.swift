import Kernels
import Tensors

/// Quantises by the result's own quantisation: y = saturate(round(x / scale) + zero point), ties to
/// even; NaN becomes 0.
///
/// x: float32; y: uint8 with a quantisation, per tensor or along its last physical axis; one shape,
/// rows strided. Where x lies as declared and y channels-last, the elements are transposed too.
package struct QuantizeToUInt8: Instruction {
  package static let opcode = "quantize_uint8"

  package var input = Operand.none
  package var output = Operand.none
  private var layout = QuantizedLayout()
  private var scales: QuantizedScales?
  private var kernel: QuantizedElementsKernel?

  package init() {}

  package init(_ input: Operand, to output: Operand) {
    self.input = input
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input, strided: true)
    visitor.output("y", &output, strided: true)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    let scales = try QuantizedScales(self, y)
    layout = try QuantizedLayout(self, reals: x, bytes: y, isPerChannel: scales.isPerChannel)
    self.scales = scales
    kernel = .best(isas: preparation.isas)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard let kernel, let scales else { return }
    layout.quantize(
      kernel, context.pointer(input, as: Float.self), context.pointer(output, as: UInt8.self),
      scales, context)
  }
}
