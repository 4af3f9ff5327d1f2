import Kernels
import Tensors

/// Gives the real numbers of an 8-bit tensor: y = (x − zero point) · scale.
///
/// x: uint8 with a quantisation, per tensor or along its last physical axis; y: float32; one shape,
/// rows strided. Where x lies channels-last and y as declared, the elements are transposed too.
package struct DequantizeFromUInt8: Instruction {
  package static let opcode = "dequantize_uint8"

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
    let scales = try QuantizedScales(self, x)
    layout = try QuantizedLayout(self, reals: y, bytes: x, isPerChannel: scales.isPerChannel)
    self.scales = scales
    kernel = .best(isas: preparation.isas)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard let kernel, let scales else { return }
    layout.dequantize(
      kernel, context.pointer(input, as: UInt8.self), context.pointer(output, as: Float.self),
      scales, context)
  }
}
