import Graphs
import Instructions
import Tensors

/// Inserts axes of extent 1 so that they stand at the places `axes` of the result.
///
/// data: any; axes: attribute until version 12, then a constant input. ONNX versions 1 to 25. No
/// memory is touched.
package struct Unsqueeze: MovesElements {
  package static let name = "Unsqueeze"
  package var axes: [Int]?

  package init(importing node: NodeReader) throws(ImportError) {
    axes = try node.ints("axes")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "data")
    guard let wanted = try inputs.integers(axes, or: 1, "axes") else {
      throw GraphError("input 1 (axes) is missing")
    }
    let rank = x.shape.rank + wanted.count
    guard rank <= 64 else { throw GraphError("a result of rank \(rank) is impossible") }
    let added = Set(try normalized(axes: wanted, rank: rank))
    var rest = x.shape.dimensions.makeIterator()
    let dimensions = (0..<rank).map { added.contains($0) ? 1 : rest.next() ?? 1 }
    return [ValueInfo(type: x.type, shape: Shape(dimensions))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    try lowering.aliasReshaped()
  }
}
