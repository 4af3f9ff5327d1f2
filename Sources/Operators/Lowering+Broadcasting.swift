import Graphs
import Instructions
import Tensors

/// How element-wise nodes with several inputs choose a layout and bring their inputs into it.
extension Lowering {
  /// The layout for an element-wise node over several inputs: that of the largest inputs that
  /// are computed; channels-last if they disagree.
  func broadcastLayout(over inputs: [Int], rank: Int) -> Layout {
    guard (3...5).contains(rank) else { return .declared }
    var largest = -1
    var layout = Layout.declared
    for index in inputs {
      guard let info = info(index), info.shape.rank == rank, info.constant == nil else { continue }
      let count = info.shape.elementCount
      if count > largest {
        largest = count
        layout = self.layout(index)
      } else if count == largest && self.layout(index) == .channelsLast {
        layout = .channelsLast
      }
    }
    return layout
  }

  /// The tensor of an input that is broadcast to a result of rank `rank` in `layout`.
  ///
  /// Declared, it keeps its rank. Channels-last, it gets the rank of the result, because its axes
  /// change places: [C, 1, 1] beside [N, C, H, W] becomes [1, 1, 1, C].
  func broadcastOperand(
    _ index: Int, _ layout: Layout, rank: Int, type: ElementType? = nil
  ) throws(GraphError) -> Operand {
    let info = try required(index)
    if layout == .declared || info.shape.rank == rank || info.shape.elementCount == 1 {
      let own = info.shape.rank == rank ? layout : .declared
      return try operand(index, own, type: type)
    }
    let ones = [Int](repeating: 1, count: rank - info.shape.rank)
    let padded = Shape(ones + info.shape.dimensions)
    let axes = layout.axes(rank: rank)
    let physical = padded.permuted(axes)
    if let tensor = info.constant {
      let wanted = type ?? tensor.type.innerType
      guard let converted = tensor.converted(to: wanted) else {
        throw GraphError("a constant \(tensor.type) cannot become \(wanted)")
      }
      return constant(converted.reshaped(padded).transposed(axes))
    }
    let declared = reshaped(try operand(index, .declared, type: type), padded)
    let moved = axes.filter { padded[$0] != 1 }
    if moved == moved.sorted() { return reshaped(declared, physical, layout: layout) }
    let target = temporary(self[declared].type, physical, layout: layout)
    emit(Copy.converting(declared, self[declared], to: target, self[target], axes: axes))
    return target
  }
}

/// The broadcast shape of several inputs.
func broadcastShape(_ inputs: [ValueInfo]) throws(GraphError) -> Shape {
  var result = Shape([])
  for input in inputs {
    guard let shape = Shape.broadcast(result, input.shape) else {
      let shapes = inputs.map { "\($0.shape)" }.joined(separator: ", ")
      throw GraphError("the shapes \(shapes) do not broadcast")
    }
    result = shape
  }
  return try Shape(checking: result.dimensions)
}

/// Checks that several inputs have one element type.
func checkSameType(_ inputs: [ValueInfo]) throws(GraphError) {
  for input in inputs.dropFirst() where input.type != inputs[0].type {
    throw GraphError("the inputs are \(inputs[0].type) and \(input.type); they must be alike")
  }
}
