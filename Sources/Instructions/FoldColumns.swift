import Tensors

/// Adds blocks of a picture up where they overlap: the inverse of cutting it into columns.
///
/// x: [N, C · Π block, L], L running over the positions of the block; y: [N, C, …spatial]; float32,
/// as declared. y[n, c, p] = Σ x[n, (c, k), l] over all k, l with p = l · stride + k · dilation -
/// pad.
package struct FoldColumns: Instruction {
  package static let opcode = "fold_columns"

  package var input = Operand.none
  package var output = Operand.none
  package var block: [Int] = []
  package var strides: [Int] = []
  package var dilations: [Int] = []
  /// In front of each spatial axis.
  package var pads: [Int] = []
  /// The positions of the block along each spatial axis; L is their product.
  package var positions: [Int] = []
  private var planes = 0
  private var extents: [Int] = []
  private var blockCount = 0
  private var positionCount = 0

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
    visitor.field("block", &block)
    visitor.field("strides", &strides)
    visitor.field("dilations", &dilations)
    visitor.field("pads", &pads)
    visitor.field("positions", &positions)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    let rank = y.shape.rank - 2
    let limit = 1 << 30
    try preparation.require(
      x.type == .float32 && y.type == .float32 && rank >= 1 && x.shape.rank == 3
        && [block.count, strides.count, dilations.count, pads.count, positions.count]
          .allSatisfy { $0 == rank }
        && (block + strides + dilations + positions).allSatisfy { $0 > 0 && $0 < limit }
        && pads.allSatisfy { $0 >= 0 && $0 < limit }, self,
      "\(x.shape) into \(y.shape), block \(block), positions \(positions)")
    guard let blocks = Shape(block).checkedElementCount,
      let places = Shape(positions).checkedElementCount,
      let columns = Shape([y.shape[1], blocks]).checkedElementCount
    else { throw InstructionError(Self.opcode, "block \(block), positions \(positions)") }
    try preparation.require(
      x.shape == [y.shape[0], columns, places], self,
      "\(x.shape) into \(y.shape), block \(block), positions \(positions)")
    planes = y.shape[0] * y.shape[1]
    extents = Array(y.shape.dimensions[2...])
    blockCount = blocks
    positionCount = places
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let count = extents.reduce(1, *)
    for plane in context.share(of: planes) {
      let target = context.pointer(output, as: Float.self) + plane * count
      target.update(repeating: 0, count: count)
      let source = context.pointer(input, as: Float.self) + plane * blockCount * positionCount
      for k in 0..<blockCount {
        for l in 0..<positionCount {
          if let place = place(k, l) { target[place] += source[k * positionCount + l] }
        }
      }
    }
  }

  /// Where an element of a block lies; nil in the pads.
  private func place(_ k: Int, _ l: Int) -> Int? {
    var (k, l) = (k, l)
    var offset = 0
    var step = 1
    for axis in extents.indices.reversed() {
      let p =
        l % positions[axis] * strides[axis] + k % block[axis] * dilations[axis] - pads[axis]
      guard p >= 0 && p < extents[axis] else { return nil }
      offset += p * step
      step *= extents[axis]
      k /= block[axis]
      l /= positions[axis]
    }
    return offset
  }
}
