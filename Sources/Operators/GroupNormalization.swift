import Graphs
import Instructions
import Tensors

/// Normalises groups of channels of every sample:
/// y = (x - mean) / √(variance + epsilon) · scale + bias.
///
/// x, y: [N, C, …], float; scale, bias: [C] from version 21 on, [groups] in version 18. Attributes:
/// `num_groups` (divides C), `epsilon` (1e-5), `stash_type` (ignored).
package struct GroupNormalization: LoweredOperator {
  package static let name = "GroupNormalization"
  package static let sinceVersion = 18

  package var groupCount: Int
  package var epsilon: Float
  /// Parameters per group, as in version 18.
  package var parametersPerGroup: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("stash_type")
    guard let groups = try node.int("num_groups"), groups > 0 else {
      throw node.invalid("attribute num_groups must be a positive integer")
    }
    groupCount = groups
    epsilon = try node.float("epsilon", default: 1e-5)
    parametersPerGroup = node.version < 21
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat, x.shape.rank >= 2, x.shape[1] % groupCount == 0 else {
      throw GraphError("x is \(x.type) \(x.shape), but must be a float of \(groupCount) groups")
    }
    let count = parametersPerGroup ? groupCount : x.shape[1]
    for (index, name) in [(1, "scale"), (2, "bias")] {
      let parameter = try inputs.required(index, name)
      guard parameter.type.isFloat, (parameter.type == .float64) == (x.type == .float64),
        parameter.shape == [count]
      else { throw GraphError("\(name) is \(parameter.shape), but must be [\(count)]") }
    }
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let inner = shape.dimensions[2...].reduce(1, *)
    let channels = shape[1] / groupCount
    let grouped: Shape = [shape[0], groupCount, channels * inner]
    var instruction = Normalize(
      lowering.reshaped(try lowering.operand(0), grouped), axis: 2,
      scale: try lowering.operand(1), bias: try lowering.operand(2), epsilon: epsilon,
      to: lowering.reshaped(try lowering.result(0), grouped))
    instruction.period = groupCount
    instruction.run = max(parametersPerGroup ? channels * inner : inner, 1)
    lowering.emit(instruction)
  }
}
