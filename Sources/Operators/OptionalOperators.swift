import Graphs
import Tensors

/// Makes an optional of a tensor or a sequence, or one that holds nothing: then `type` says of what
/// kind it would be. ONNX version 15.
package struct OptionalOperator: ValueOperator {
  package static let name = "Optional"
  package static let sinceVersion = 15

  package init(importing node: NodeReader) throws(ImportError) {
    node.ignore("type")
    guard node.hasInput(0) || node.has("type") else {
      throw node.invalid("has neither an input nor a type")
    }
  }

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    [.optional(inputs.given(0))]
  }
}

/// Says whether an optional holds something: one bool. A tensor or a sequence does; an absent input
/// does not. ONNX versions 15 and 18.
package struct OptionalHasElement: ValueOperator {
  package static let name = "OptionalHasElement"
  package static let sinceVersion = 15

  package init(importing node: NodeReader) throws(ImportError) {}

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    let holds =
      switch inputs.given(0) {
      case .tensor, .sequence: true
      case .optional(let value): value != nil
      case nil: false
      }
    return [.tensor(TensorBuffer(.bool, [], [holds ? 1 : 0] as [UInt8]))]
  }
}

/// Returns what an optional holds; a tensor or a sequence is returned as it is. Refused: an
/// optional that holds nothing. ONNX versions 15 and 18.
package struct OptionalGetElement: ValueOperator {
  package static let name = "OptionalGetElement"
  package static let sinceVersion = 15

  package init(importing node: NodeReader) throws(ImportError) {}

  package func apply(_ inputs: [StagedValue?]) throws(GraphError) -> [StagedValue] {
    switch inputs.given(0) {
    case .optional(let value?): return [value]
    case .optional(nil): throw GraphError("the optional holds nothing")
    case let value?: return [value]
    case nil: throw GraphError("input 0 (input) is missing")
    }
  }
}
