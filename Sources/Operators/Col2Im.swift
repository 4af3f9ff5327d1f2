import Graphs
import Instructions
import Tensors

/// Adds blocks of a picture up where they overlap.
///
/// input: [N, C · Π block, L]; image_shape, block_shape: constant int64, one number per spatial
/// axis; output: [N, C, image…]; float. `dilations`, `pads` (in front by axis, then behind),
/// `strides`. ONNX version 18.
package struct Col2Im: LoweredOperator {
  package static let name = "Col2Im"
  package static let sinceVersion = 18
  package var dilations: [Int]?
  package var pads: [Int]?
  package var strides: [Int]?

  package init(importing node: NodeReader) throws(ImportError) {
    dilations = try node.ints("dilations")
    pads = try node.ints("pads")
    strides = try node.ints("strides")
  }

  /// The instruction without operands, the extents and the channels of the picture.
  private func resolved(
    _ inputs: [ValueInfo?]
  ) throws(GraphError) -> (fold: FoldColumns, extents: [Int], channels: Int) {
    let shape = try inputs.required(0, "input").shape
    guard let image = try inputs.constantIntegers(1, "image_shape"),
      let block = try inputs.constantIntegers(2, "block_shape")
    else { throw GraphError("image_shape or block_shape is missing") }
    let rank = image.count
    var fold = FoldColumns()
    fold.block = block
    fold.dilations = dilations ?? Array(repeating: 1, count: rank)
    fold.strides = strides ?? Array(repeating: 1, count: rank)
    let sides = pads ?? Array(repeating: 0, count: 2 * rank)
    let limit = 1 << 24
    guard rank >= 1, shape.rank == 3, block.count == rank, fold.dilations.count == rank,
      fold.strides.count == rank, sides.count == 2 * rank,
      (image + block + fold.dilations + fold.strides).allSatisfy({ $0 > 0 && $0 < limit }),
      sides.allSatisfy({ $0 >= 0 && $0 < limit })
    else { throw GraphError("\(shape) cannot be folded by blocks \(block) to \(image)") }
    fold.pads = Array(sides[..<rank])
    for axis in 0..<rank {
      let room =
        image[axis] + sides[axis] + sides[rank + axis] - fold.dilations[axis] * (block[axis] - 1)
        - 1
      guard room >= 0 else { throw GraphError("blocks \(block) do not fit into \(image)") }
      fold.positions.append(room / fold.strides[axis] + 1)
    }
    guard let size = Shape(block).checkedElementCount, size > 0, shape[1] % size == 0,
      Shape(fold.positions).checkedElementCount == shape[2]
    else {
      throw GraphError(
        "\(shape) cannot be folded: blocks \(block) have \(Shape(fold.positions)) positions")
    }
    return (fold, image, shape[1] / size)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "input")
    guard [.float32, .float16, .bfloat16].contains(x.type) else {
      throw GraphError("\(x.type) is not supported; only floats of 16 or 32 bits")
    }
    let (_, extents, channels) = try resolved(inputs)
    return [
      ValueInfo(type: x.type, shape: try Shape(checking: [x.shape[0], channels] + extents))
    ]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var (fold, _, _) = try resolved(lowering.inputInfos)
    fold.input = try lowering.operand(0, type: .float32)
    fold.output = try lowering.result(0, type: .float32)
    lowering.emit(fold)
  }
}
