import Graphs
import Tensors

extension [ValueInfo?] {
  /// What is known of the input at this position, which must be given.
  func required(_ index: Int, _ name: String) throws(GraphError) -> ValueInfo {
    guard index < count, let info = self[index] else {
      throw GraphError("input \(index) (\(name)) is missing")
    }
    return info
  }

  /// What is known of the input at this position, or nil where it is absent.
  func optional(_ index: Int) -> ValueInfo? { index < count ? self[index] : nil }

  /// A required input whose elements can be moved in memory: all but strings.
  func movable(_ index: Int, _ name: String) throws(GraphError) -> ValueInfo {
    let info = try required(index, name)
    guard info.type.bitCount > 0 else {
      throw GraphError(
        "input \(index) (\(name)) is \(info.type), which is not supported: use a numeric type")
    }
    return info
  }

  /// The integers of an input that decides shapes; nil where the input is absent.
  func constantIntegers(_ index: Int, _ name: String) throws(GraphError) -> [Int]? {
    guard let tensor = try constant(index, name) else { return nil }
    guard let integers = tensor.integers() else {
      throw GraphError("input \(index) (\(name)) is \(tensor.type), but must be integers")
    }
    return integers
  }

  /// The integers of an attribute, or else of the input that took its place in later versions.
  func integers(
    _ attribute: [Int]?, or index: Int, _ name: String
  ) throws(GraphError) -> [Int]? {
    if let attribute { return attribute }
    return try constantIntegers(index, name)
  }

  /// The floats of an input that decides shapes; nil where the input is absent.
  func constantFloats(_ index: Int, _ name: String) throws(GraphError) -> [Float]? {
    guard let tensor = try constant(index, name) else { return nil }
    guard let floats = tensor.floats() else {
      throw GraphError("input \(index) (\(name)) is \(tensor.type), but must be floats")
    }
    return floats
  }

  private func constant(_ index: Int, _ name: String) throws(GraphError) -> TensorBuffer? {
    guard let info = optional(index) else { return nil }
    guard let tensor = info.constant else { throw GraphError(needing: index, name) }
    guard tensor.elementCount <= Limits.shapeElements else {
      throw GraphError("input \(index) (\(name)) has \(tensor.elementCount) elements")
    }
    return tensor
  }
}

/// Bounds on what a model may ask for.
enum Limits {
  /// The elements of one tensor.
  static let elements = 1 << 44
  /// The rank of a tensor that is moved axis by axis.
  static let rank = 12
  /// The elements of a constant that is read at compile time to find a shape.
  static let shapeElements = 1 << 24
}

extension Shape {
  /// A shape computed from a model's numbers.
  ///
  /// - Throws: where an extent is negative or the tensor could not exist.
  init(checking dimensions: [Int]) throws(GraphError) {
    let shape = Shape(dimensions)
    guard let count = shape.checkedElementCount, count <= Limits.elements else {
      throw GraphError("a result of shape \(shape) is impossible")
    }
    self = shape
  }
}

/// An axis of a tensor of this rank; a negative one counts from the end.
func normalized(axis: Int, rank: Int) throws(GraphError) -> Int {
  guard axis >= -rank && axis < rank else {
    throw GraphError("axis \(axis) does not exist in a tensor of rank \(rank)")
  }
  return axis < 0 ? axis + rank : axis
}

/// Distinct axes of a tensor of this rank; negative ones count from the end.
func normalized(axes: [Int], rank: Int) throws(GraphError) -> [Int] {
  var result: [Int] = []
  for axis in axes {
    let known = try normalized(axis: axis, rank: rank)
    guard !result.contains(known) else { throw GraphError("axis \(axis) is given twice") }
    result.append(known)
  }
  return result
}
