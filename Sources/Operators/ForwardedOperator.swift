import Graphs
import Tensors

/// What tells one of ONNX Runtime's doubles of a standard operator from the next.
package protocol ForwardedDefinition: Sendable {
  static var name: String { get }
  /// The standard operator with the same inputs, outputs and meaning.
  static var standard: String { get }
  /// The attributes by kind.
  static var integers: [String] { get }
  static var strings: [String] { get }
  /// The values of attributes that the standard operator has other defaults for.
  static var defaults: [String: Attribute] { get }
}

extension ForwardedDefinition {
  package static var standard: String { name }
  package static var integers: [String] { [] }
  package static var strings: [String] { [] }
  package static var defaults: [String: Attribute] { [:] }
}

/// An operator of ONNX Runtime from before the standard had it: it becomes the standard's.
/// com.microsoft version 1.
package struct ForwardedOperator<Definition: ForwardedDefinition>: ComposedOperator {
  package static var name: String { Definition.name }
  package static var domain: String { "com.microsoft" }
  private var attributes: [String: Attribute]

  package init(importing node: NodeReader) throws(ImportError) {
    attributes = Definition.defaults
    for name in Definition.integers {
      if let value = try node.int(name) { attributes[name] = .int(value) }
    }
    for name in Definition.strings {
      if let value = try node.string(name) { attributes[name] = .string(value) }
    }
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    [try composer.add(Definition.standard, composer.node.inputs, attributes)]
  }
}

/// The definitions of operators that became standard ones.
package enum Forwarded {
  package enum DequantizeLinear: ForwardedDefinition {
    package static let name = "DequantizeLinear"
    package static var integers: [String] { ["axis"] }
  }

  package enum GatherND: ForwardedDefinition {
    package static let name = "GatherND"
  }

  package enum Pad: ForwardedDefinition {
    package static let name = "Pad"
    package static var strings: [String] { ["mode"] }
  }

  package enum QuantizeLinear: ForwardedDefinition {
    package static let name = "QuantizeLinear"
    package static var integers: [String] { ["axis"] }
  }

  package enum Range: ForwardedDefinition {
    package static let name = "Range"
  }

  package enum Trilu: ForwardedDefinition {
    package static let name = "Trilu"
    package static var integers: [String] { ["upper"] }
  }
}

/// Inserts an axis of extent 1: `Unsqueeze` with the axis as a scalar. com.microsoft version 1.
package struct ExpandDims: ComposedOperator {
  package static let name = "ExpandDims"
  package static let domain = "com.microsoft"

  package init(importing node: NodeReader) throws(ImportError) {}

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    guard let axis = try composer.inputInfos.constantIntegers(1, "axis"), axis.count == 1 else {
      throw GraphError("the axis must be one integer")
    }
    return [try composer.add("Unsqueeze", [composer.input(0), composer.integers(axis)])]
  }
}
