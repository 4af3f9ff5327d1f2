import Graphs
import Instructions
import Tensors

/// Finds the distinct elements, or the distinct slices along `axis`.
///
/// X: any numeric type of at least 8 bits or bool; Y: the distinct ones, ascending, or with
/// `sorted` 0 in order of their first occurrence; indices: int64, where each occurs first;
/// inverse_indices: int64, for every element or slice of X its place in Y; counts: int64. Slices
/// compare element by element; NaN comes last and equals itself. X must be known when the result is
/// planned, because its contents decide the shape. ONNX version 11.
package struct Unique: LoweredOperator {
  package static let name = "Unique"
  package static let sinceVersion = 11

  package var axis: Int?
  package var isSorted: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    axis = try node.int("axis")
    isSorted = try node.bool("sorted", default: true)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "X")
    let found = try distinct(inputs)
    var shape: Shape = [found.first.count]
    if let axis = try resolvedAxis(x.shape) {
      shape = x.shape
      shape[axis] = found.first.count
    }
    return [
      ValueInfo(type: x.type, shape: shape),
      ValueInfo(type: .int64, shape: [found.first.count]),
      ValueInfo(type: .int64, shape: [found.places.count]),
      ValueInfo(type: .int64, shape: [found.first.count]),
    ]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let found = try distinct(lowering.inputInfos)
    let shape = try lowering.required(0).shape
    let axis = try resolvedAxis(shape)
    if lowering.wants(output: 0) {
      var x = try lowering.operand(0)
      if axis == nil { x = lowering.reshaped(x, [shape.elementCount]) }
      let y = try lowering.result(0, type: lowering[x].type)
      let places = lowering.constant(TensorBuffer(found.first))
      lowering.emit(GatherSlices(x, at: places, axis: axis ?? 0, to: y))
    }
    for (index, numbers) in [found.first, found.places, found.counts].enumerated() {
      try lowering.alias(index + 1, to: lowering.constant(TensorBuffer(numbers)))
    }
  }

  private func resolvedAxis(_ shape: Shape) throws(GraphError) -> Int? {
    guard let axis else { return nil }
    return try normalized(axis: axis, rank: shape.rank)
  }

  /// The distinct slices: where each occurs first, the place of every slice among them, and how
  /// often each occurs.
  private struct Found {
    var first: [Int] = []
    var places: [Int] = []
    var counts: [Int] = []
  }

  private func distinct(_ inputs: [ValueInfo?]) throws(GraphError) -> Found {
    let x = try inputs.required(0, "X")
    let tensor = try inputs.contents(0, "X")
    let axis = try resolvedAxis(x.shape)
    let extent = axis.map { x.shape[$0] } ?? x.shape.elementCount
    let inner = axis.map { x.shape.dimensions[($0 + 1)...].reduce(1, *) } ?? 1
    let outer = axis.map { x.shape.dimensions[..<$0].reduce(1, *) } ?? 1
    // Integers compare as integers: a double does not hold all of them.
    if x.type.integerRange != nil && x.type != .uint64 || x.type == .bool {
      return found(tensor.integers() ?? [], outer, extent, inner) { $0 < $1 }
    }
    if x.type == .uint64 {
      return found(tensor.elements(as: UInt64.self), outer, extent, inner) { $0 < $1 }
    }
    let numbers =
      x.type == .float64
      ? tensor.elements(as: Double.self) : (tensor.floats() ?? []).map { Double($0) }
    guard numbers.count == tensor.elementCount else {
      throw GraphError("\(x.type) is not supported: use a numeric type")
    }
    return found(numbers, outer, extent, inner) { $0 < $1 || $1.isNaN && !$0.isNaN }
  }

  private func found<T>(
    _ elements: [T], _ outer: Int, _ extent: Int, _ inner: Int, _ isLess: (T, T) -> Bool
  ) -> Found {
    /// Negative, zero or positive: how two slices compare.
    func order(_ a: Int, _ b: Int) -> Int {
      for line in 0..<outer {
        for i in 0..<inner {
          let x = elements[(line * extent + a) * inner + i]
          let y = elements[(line * extent + b) * inner + i]
          if isLess(x, y) { return -1 }
          if isLess(y, x) { return 1 }
        }
      }
      return 0
    }
    let sorted = (0..<extent).sorted {
      let order = order($0, $1)
      return order < 0 || order == 0 && $0 < $1
    }
    var groups: [[Int]] = []
    for index in sorted {
      if let last = groups.last, order(last[0], index) == 0 {
        groups[groups.count - 1].append(index)
      } else {
        groups.append([index])
      }
    }
    if !isSorted { groups.sort { $0[0] < $1[0] } }
    var result = Found(places: [Int](repeating: 0, count: extent))
    for (place, group) in groups.enumerated() {
      result.first.append(group[0])
      result.counts.append(group.count)
      for index in group { result.places[index] = place }
    }
    return result
  }
}

extension [ValueInfo?] {
  /// The contents of a required input, which decide shapes.
  func contents(_ index: Int, _ name: String) throws(GraphError) -> TensorBuffer {
    let info = try required(index, name)
    guard let tensor = info.constant else { throw GraphError(needing: index, name) }
    guard tensor.elementCount <= Limits.shapeElements else {
      throw GraphError("input \(index) (\(name)) has \(tensor.elementCount) elements")
    }
    return tensor
  }
}
