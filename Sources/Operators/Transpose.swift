import Graphs
import Instructions
import Tensors

/// Reorders axes: axis i of the output is axis `perm[i]` of the input.
///
/// data: any; `perm` defaults to the reverse order. ONNX versions 1 to 25. Where the input lies in
/// memory already as the output would in one of the layouts, no memory is touched: that is how
/// exports with channels-last pictures stay so.
package struct Transpose: MovesElements {
  package static let name = "Transpose"
  package var order: [Int]?

  package init(importing node: NodeReader) throws(ImportError) {
    order = try node.ints("perm")
  }

  package init(order: [Int]) { self.order = order }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "data")
    let axes = try resolved(rank: x.shape.rank)
    return [ValueInfo(type: x.type, shape: x.shape.permuted(axes))]
  }

  private func resolved(rank: Int) throws(GraphError) -> [Int] {
    guard let order else { return Array((0..<rank).reversed()) }
    guard order.count == rank, order.sorted() == Array(0..<rank) else {
      throw GraphError("perm \(order) is no order of the \(rank) axes of the input")
    }
    return order
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let rank = shape.rank
    let axes = try resolved(rank: rank)
    let native = lowering.layout(0)
    let matters = { (axis: Int) in shape[axis] != 1 }
    let memory = native.axes(rank: rank)
    for layout in Layout.allCases where layout == .declared || (3...5).contains(rank) {
      let wanted = layout.axes(rank: rank).map { axes[$0] }
      if wanted.filter(matters) == memory.filter(matters) {
        try lowering.alias(0, to: lowering.operand(0, native), layout)
        return
      }
    }
    let x = try lowering.operand(0, native)
    let y = try lowering.result(0, .declared, type: lowering[x].type)
    let positions = axes.map { native.position(ofAxis: $0, rank: rank) }
    lowering.emit(Copy.converting(x, lowering[x], to: y, lowering[y], axes: positions))
  }
}
