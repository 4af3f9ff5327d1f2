import Graphs
import Tensors
import Testing

@testable import Operators

/// One use of an operator with the numbers that another implementation gives for it.
struct OperatorCase: Sendable, CustomTestStringConvertible {
  let name: String
  private let runner: OperatorRunner
  private let inputs: [OperatorRunner.Input]
  private let expected: TensorBuffer
  private let tolerance: Float

  init(
    _ name: String, _ type: any LoweredOperator.Type, _ attributes: [String: Attribute],
    version: Int = 22, _ inputs: [OperatorRunner.Input], expected: TensorBuffer,
    tolerance: Float = 0
  ) {
    self.name = name
    runner = OperatorRunner(type, version: version, attributes)
    self.inputs = inputs
    self.expected = expected
    self.tolerance = tolerance
  }

  var testDescription: String { name }

  /// Compares type, shape and every element.
  func check() throws {
    let y = try runner.run(inputs).outputs[0]
    #expect(y.type == expected.type)
    #expect(y.shape == expected.shape)
    #expect(y.contents.allSatisfy { !$0.isNaN })
    #expect(y.difference(to: expected) <= tolerance, "\(y.contents)")
  }
}
