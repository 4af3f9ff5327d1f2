import Graphs
import Tensors

/// Short forms of the nodes that composed operators are mostly made of.
extension Composer {
  /// A number as a scalar of this type.
  mutating func scalar(_ value: Float, _ type: ElementType) throws(GraphError) -> Graph.ValueID {
    guard let tensor = TensorBuffer([], [value]).converted(to: type) else {
      throw GraphError("a number of type \(type) is not supported")
    }
    return constant(tensor)
  }

  /// Integers as an int64 vector.
  mutating func integers(_ values: [Int]) -> Graph.ValueID { constant(TensorBuffer(values)) }

  mutating func reshaped(
    _ x: Graph.ValueID, _ dimensions: [Int]
  ) throws(GraphError) -> Graph.ValueID {
    if try shape(x).dimensions == dimensions { return x }
    return try add("Reshape", [x, integers(dimensions)], ["allowzero": .int(1)])
  }

  mutating func transposed(_ x: Graph.ValueID, _ axes: [Int]) throws(GraphError) -> Graph.ValueID {
    try add("Transpose", [x], ["perm": .ints(axes)])
  }

  mutating func cast(_ x: Graph.ValueID, _ type: ElementType) throws(GraphError) -> Graph.ValueID {
    if try self.type(x) == type { return x }
    return try add("Cast", [x], ["to": .int(Int(type.rawValue))])
  }

  /// The positions `range` of an axis, every `step`-th of them.
  mutating func sliced(
    _ x: Graph.ValueID, axis: Int, _ range: Range<Int>, step: Int = 1
  ) throws(GraphError) -> Graph.ValueID {
    if step == 1, try range == 0..<shape(x)[axis] { return x }
    return try add(
      "Slice",
      [
        x, integers([range.lowerBound]), integers([range.upperBound]), integers([axis]),
        integers([step]),
      ])
  }

  mutating func concatenated(
    _ parts: [Graph.ValueID], axis: Int
  ) throws(GraphError) -> Graph.ValueID {
    parts.count == 1 ? parts[0] : try add("Concat", parts, ["axis": .int(axis)])
  }

  /// x times a number.
  mutating func scaled(_ x: Graph.ValueID, by factor: Float) throws(GraphError) -> Graph.ValueID {
    factor == 1 ? x : try add("Mul", [x, scalar(factor, type(x))])
  }

  /// Applies an activation by its ONNX name; nil or an empty name is none.
  mutating func activated(
    _ x: Graph.ValueID, _ name: String?, _ parameters: [String: Attribute] = [:]
  ) throws(GraphError) -> Graph.ValueID {
    guard let name, !name.isEmpty else { return x }
    return try add(name, [x], parameters)
  }
}

extension Composer {
  /// The floats of a constant input; nil where it is absent or computed at run time.
  func floats(_ index: Int) -> [Float]? {
    optional(index).flatMap { graph[$0].constant?.floats() }
  }
}
