import Graphs
import Instructions
import Tensors

/// Normalises over axes: y = (x - mean) / (√variance + 1e-9).
///
/// x, y: any shape, float. Attribute `axes` (0, 2, 3; negative ones count from the end). ONNX
/// versions 9 and 13.
package struct MeanVarianceNormalization: LoweredOperator {
  package static let name = "MeanVarianceNormalization"

  package var axes: [Int]

  package init(importing node: NodeReader) throws(ImportError) {
    axes = try node.ints("axes") ?? [0, 2, 3]
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat else { throw GraphError("x is \(x.type), but must be a float") }
    _ = try normalized(axes: axes, rank: x.shape.rank)
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let layout = lowering.layout(0)
    let x = try lowering.operand(0, layout)
    let wide: ElementType = lowering[x].type == .float64 ? .float64 : .float32
    let places = try normalized(axes: axes, rank: shape.rank)
      .map { layout.position(ofAxis: $0, rank: shape.rank) }.sorted()
    var ones = lowering[x].shape
    for place in places { ones[place] = 1 }
    let mean = lowering.temporary(wide, ones, layout: layout)
    lowering.emit(Reduce(.mean, x, axes: places, to: mean))
    let centred = lowering.temporary(wide, lowering[x].shape, layout: layout)
    lowering.emit(Binary(.subtract, x, mean, to: centred))
    let squares = lowering.temporary(wide, lowering[x].shape, layout: layout)
    lowering.emit(Unary(centred, to: squares, Activation(.square)))
    let variance = lowering.temporary(wide, ones, layout: layout)
    lowering.emit(Reduce(.mean, squares, axes: places, to: variance))
    let deviation = lowering.temporary(wide, ones, layout: layout)
    lowering.emit(Unary(variance, to: deviation, Activation(.sqrt)))
    let divisor = lowering.temporary(wide, ones, layout: layout)
    lowering.emit(Unary(deviation, to: divisor, Activation(.affine, alpha: 1, beta: 1e-9)))
    lowering.emit(Binary(.divide, centred, divisor, to: try lowering.result(0, layout)))
  }
}
