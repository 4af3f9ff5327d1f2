import Graphs
import Instructions
import Tensors

/// Repeats a tensor: y[i] = x[i mod extents], each axis `repeats` times as long.
///
/// input: any; repeats: 1-D int64, constant, one per axis. ONNX versions 6 to 13.
package struct Tile: MovesElements {
  package static let name = "Tile"
  package static let sinceVersion = 6

  package init(importing node: NodeReader) throws(ImportError) {}

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "input")
    guard let repeats = try inputs.constantIntegers(1, "repeats") else {
      throw GraphError("input 1 (repeats) is missing")
    }
    guard repeats.count == x.shape.rank, repeats.allSatisfy({ $0 >= 0 && $0 <= Limits.elements })
    else { throw GraphError("\(x.shape) cannot be repeated \(repeats) times") }
    let extents = zip(x.shape.dimensions, repeats).map { $0.multipliedReportingOverflow(by: $1) }
    guard extents.allSatisfy({ !$0.overflow }) else { throw GraphError("the result is too large") }
    return [ValueInfo(type: x.type, shape: try Shape(checking: extents.map(\.partialValue)))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.outputInfo(0).shape
    let layout = lowering.keptLayout(rank: shape.rank)
    let x = try lowering.operand(0, layout)
    let source = lowering[x].shape
    if source == layout.physical(shape) {
      try lowering.alias(0, to: x, layout)
      return
    }
    let y = try lowering.result(0, layout, type: lowering[x].type)
    let target = lowering[y].shape
    guard target.elementCount > 0 else { return }
    var copy = Copy(x, to: y, extents: [], sourceStrides: [], targetStrides: [])
    for axis in 0..<target.rank {
      let (from, to) = (source.denseStrides[axis], target.denseStrides[axis])
      if target[axis] != source[axis] {
        copy.extents.append(target[axis] / source[axis])
        copy.sourceStrides.append(0)
        copy.targetStrides.append(to * source[axis])
      }
      if source[axis] != 1 {
        copy.extents.append(source[axis])
        copy.sourceStrides.append(from)
        copy.targetStrides.append(to)
      }
    }
    guard copy.extents.count <= 16 else { throw GraphError("rank \(target.rank) is too high") }
    lowering.emit(copy)
  }
}
