import Tensors

/// The value of an attribute of a source node.
public enum Attribute: Sendable {
  case int(Int)
  case float(Float)
  case string(String)
  case tensor(TensorBuffer)
  case ints([Int])
  case floats([Float])
  case strings([String])
  case tensors([TensorBuffer])
  case graph(Graph)
  case graphs([Graph])
  /// The type of a value. What it says is not read: values of a run know their types.
  case type

  var kind: String {
    switch self {
    case .int: "an integer"
    case .float: "a float"
    case .string: "a string"
    case .tensor: "a tensor"
    case .ints: "integers"
    case .floats: "floats"
    case .strings: "strings"
    case .tensors: "tensors"
    case .graph: "a graph"
    case .graphs: "graphs"
    case .type: "a type"
    }
  }
}
