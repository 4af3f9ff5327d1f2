import Graphs
import Instructions
import Tensors

/// Samples a picture (or volume) where a grid says, by interpolation.
///
/// X: [N, C, H, W] or [N, C, D, H, W]; grid: [N, …, 2 or 3] in -1...1, innermost axis first; Y: [N,
/// C, …]; float. `mode`: linear (bilinear), nearest, cubic (bicubic; pictures only);
/// `padding_mode`: zeros, border, reflection; `align_corners`. ONNX versions 16 to 22.
package struct GridSample: LoweredOperator {
  package static let name = "GridSample"
  package static let sinceVersion = 16
  package var filter: Interpolation.Filter
  package var padding: SampleGrid.Padding
  package var alignsCorners: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    let mode = try node.string("mode", default: "linear")
    switch mode {
    case "linear", "bilinear": filter = .linear
    case "nearest": filter = .nearest
    case "cubic", "bicubic": filter = .cubic
    default: throw node.unsupported("mode \"\(mode)\" is not known")
    }
    let outside = try node.string("padding_mode", default: "zeros")
    switch outside {
    case "zeros": padding = .zeros
    case "border": padding = .border
    case "reflection": padding = .reflection
    default: throw node.unsupported("padding_mode \"\(outside)\" is not known")
    }
    alignsCorners = try node.bool("align_corners", default: false)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "X")
    let grid = try inputs.required(1, "grid")
    let floats: Set<ElementType> = [.float32, .float16, .bfloat16]
    guard floats.contains(x.type), floats.contains(grid.type) else {
      throw GraphError("\(x.type) at \(grid.type) is not supported; only floats of 16 or 32 bits")
    }
    let rank = x.shape.rank
    guard rank == 4 || rank == 5 && filter != .cubic, grid.shape.rank == rank,
      grid.shape[rank - 1] == rank - 2, grid.shape[0] == x.shape[0]
    else { throw GraphError("a grid of shape \(grid.shape) does not fit to \(x.shape)") }
    let shape = try Shape(
      checking: [x.shape[0], x.shape[1]] + grid.shape.dimensions[1..<rank - 1])
    guard x.shape.elementCount > 0 || shape.elementCount == 0 else {
      throw GraphError("there is nothing in \(x.shape) to sample")
    }
    return [ValueInfo(type: x.type, shape: shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var sample = SampleGrid()
    sample.filter = filter
    sample.padding = padding
    sample.alignsCorners = alignsCorners
    sample.input = try lowering.operand(0, type: .float32)
    sample.grid = try lowering.operand(1, type: .float32)
    sample.output = try lowering.result(0, type: .float32)
    lowering.emit(sample)
  }
}
