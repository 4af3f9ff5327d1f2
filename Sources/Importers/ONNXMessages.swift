/// The messages of an ONNX file as they lie in it: names are numbers of the `NameTable`, weights
/// and attributes are byte ranges.
///
/// Source: onnx.proto of the ONNX standard.

struct ONNXModel {
  var irVersion = 0
  var producer: Range<Int>?
  var producerVersion: Range<Int>?
  var domain: Range<Int>?
  var modelVersion = 0
  var graph: ONNXGraph?
  var opsets: [ONNXOpset] = []
  var functions: [ONNXFunction] = []
  var metadata: [(key: Range<Int>, value: Range<Int>)] = []
}

struct ONNXOpset {
  var domain = NameTable.ID.empty
  var version = 0
}

/// A graph or the body of a function. A class because graphs nest.
final class ONNXGraph {
  var name = NameTable.ID.empty
  var offset = 0
  var nodes: [ONNXNode] = []
  /// The operands of all nodes, one after the other: inputs, then outputs.
  var operands: [NameTable.ID] = []
  /// The attributes of all nodes, one after the other.
  var attributes: [ONNXAttribute] = []
  var inputs: [ONNXValueInfo] = []
  var outputs: [ONNXValueInfo] = []
  var hints: [ONNXValueInfo] = []
  var initializers: [ONNXTensor] = []
  var sparseInitializers: [ONNXSparseTensor] = []
  /// The names that this graph uses and does not define: those of the graphs around it.
  var freeNames: [NameTable.ID] = []

  func inputs(of node: ONNXNode) -> ArraySlice<NameTable.ID> {
    operands[node.firstOperand..<node.firstOutput]
  }

  func outputs(of node: ONNXNode) -> ArraySlice<NameTable.ID> {
    operands[node.firstOutput..<node.endOperand]
  }

  func attributes(of node: ONNXNode) -> ArraySlice<ONNXAttribute> {
    attributes[node.attributes]
  }
}

struct ONNXNode {
  var name = NameTable.ID.empty
  var operatorName = NameTable.ID.empty
  var domain = NameTable.ID.empty
  var overload = NameTable.ID.empty
  var firstOperand = 0
  var firstOutput = 0
  var endOperand = 0
  var attributes = 0..<0
}

struct ONNXAttribute {
  var name = NameTable.ID.empty
  /// In functions: the attribute of the call that this one stands for.
  var reference = NameTable.ID.empty
  /// The number of `AttributeProto.AttributeType`; 0 where the file does not say.
  var type = 0
  var message = 0..<0
  var graphs: [ONNXGraph] = []
}

struct ONNXValueInfo {
  var name = NameTable.ID.empty
  var offset = 0
  /// The `TypeProto`, if there is one.
  var type: Range<Int>?
}

struct ONNXTensor {
  var name = NameTable.ID.empty
  var dimensions: [Int] = []
  var type = 0
  var message = 0..<0
  var raw: Range<Int>?
  /// The fields, by number, in which elements are listed one by one.
  var typedFields: Set<Int> = []
  var isExternal = false
  var external: [(key: Range<Int>, value: Range<Int>)] = []
}

struct ONNXSparseTensor {
  var values = ONNXTensor()
  var indices = ONNXTensor()
  var dimensions: [Int] = []
  var offset = 0
}

struct ONNXFunction {
  var name = NameTable.ID.empty
  var domain = NameTable.ID.empty
  var overload = NameTable.ID.empty
  var inputs: [NameTable.ID] = []
  var outputs: [NameTable.ID] = []
  /// Nodes only; inputs and outputs are in the function.
  var body = ONNXGraph()
  /// Attributes that calls may give and that have no value otherwise.
  var attributes: [NameTable.ID] = []
  /// Attributes with a value for calls that do not give one.
  var defaults: [ONNXAttribute] = []
  var opsets: [ONNXOpset] = []
}
