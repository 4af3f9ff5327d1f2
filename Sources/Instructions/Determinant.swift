import Tensors

/// Computes the determinants of square matrices, by elimination with partial pivoting in double.
///
/// x: [..., n, n] float32, bfloat16 or float64; y: [...] likewise. Dense. A matrix of no rows has
/// determinant 1.
package struct Determinant: Instruction {
  package static let opcode = "determinant"

  package var input = Operand.none
  package var output = Operand.none
  private var inputType = ElementType.float32
  private var outputType = ElementType.float32
  private var size = 0
  private var count = 0

  package init() {}

  package init(_ input: Operand, to output: Operand) {
    self.input = input
    self.output = output
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
  }

  package var operationCount: Int { count * size * size * size / 3 * 2 }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    (inputType, outputType) = (x.type, y.type)
    let floats: Set<ElementType> = [.float32, .bfloat16, .float64]
    let rank = x.shape.rank
    try preparation.require(
      floats.isSuperset(of: [x.type, y.type]) && rank >= 2
        && x.shape[rank - 1] == x.shape[rank - 2]
        && x.shape.dimensions.dropLast(2).elementsEqual(y.shape.dimensions), self,
      "\(x.type) \(x.shape) into \(y.type) \(y.shape)")
    size = x.shape[rank - 1]
    count = y.shape.elementCount
    preparation.requestScratch(preparation.parts * size * size * MemoryLayout<Double>.size)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let x = NumericElements(context.pointer(input), inputType)
    let y = NumericElements(context.pointer(output), outputType)
    let matrix =
      context.scratch.assumingMemoryBound(to: Double.self) + context.part * size * size
    for index in context.share(of: count) {
      for i in 0..<size * size { matrix[i] = x.real(index * size * size + i) }
      y.set(determinant(matrix), at: index)
    }
  }

  /// Eliminates column by column; the matrix is lost.
  private func determinant(_ matrix: UnsafeMutablePointer<Double>) -> Double {
    var result = 1.0
    for column in 0..<size {
      var pivot = column
      for row in column..<size
      where matrix[row * size + column].magnitude > matrix[pivot * size + column].magnitude {
        pivot = row
      }
      let divisor = matrix[pivot * size + column]
      result *= pivot == column ? divisor : -divisor
      if divisor == 0 { return 0 }
      if pivot != column {
        for i in column..<size {
          let kept = matrix[pivot * size + i]
          matrix[pivot * size + i] = matrix[column * size + i]
          matrix[column * size + i] = kept
        }
      }
      for row in column + 1..<max(size, column + 1) {
        let factor = matrix[row * size + column] / divisor
        for i in column + 1..<max(size, column + 1) {
          matrix[row * size + i] -= factor * matrix[column * size + i]
        }
      }
    }
    return result
  }
}
