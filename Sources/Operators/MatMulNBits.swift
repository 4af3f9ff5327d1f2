import Graphs
import Tensors

/// Multiplies by a matrix that is stored in few bits, in blocks with a scale each:
/// y = a · dequantise(b)ᵀ + bias.
///
/// a: [..., K]; b: uint8 [N, ⌈K / block⌉, block · bits / 8], the first value in the lowest bits;
/// scales: [N · ⌈K / block⌉]; zero_points: uint8 [N · ⌈⌈K / block⌉ · bits / 8⌉], packed like b per
/// row, or of a's type [N · ⌈K / block⌉]; absent: 2^(bits − 1); bias: [N]. Attributes: `K`, `N`,
/// `bits` (2, 4 or 8), `block_size`; `accuracy_level` is ignored. All but a are constants;
/// `g_idx` and weights that were packed for ONNX Runtime's own kernels are refused. com.microsoft
/// version 1.
package struct MatMulNBits: ComposedOperator {
  package static let name = "MatMulNBits"
  package static let domain = "com.microsoft"

  private var depth: Int
  private var columns: Int
  private var bits: Int
  private var block: Int

  package init(importing node: NodeReader) throws(ImportError) {
    depth = try node.int("K", default: 0)
    columns = try node.int("N", default: 0)
    bits = try node.int("bits", default: 4)
    block = try node.int("block_size", default: 0)
    node.ignore("accuracy_level")
    guard depth > 0, columns > 0, depth < 1 << 24, columns < 1 << 24, [2, 4, 8].contains(bits),
      block >= 8, block <= 1 << 16, block % 8 == 0
    else {
      throw node.invalid(
        "K \(depth), N \(columns), bits \(bits) and block_size \(block) do not make a matrix")
    }
    guard !node.hasInput(4), try !node.bool("weight_prepacked", default: false) else {
      throw node.unsupported("g_idx and prepacked weights; export the model without them")
    }
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let a = try composer.input(0)
    let type = try composer.type(a)
    let weights = composer.constant(try matrix(composer))
    var y = try composer.add("MatMul", [composer.cast(a, .float32), weights])
    if let bias = composer.optional(5) {
      y = try composer.add("Add", [y, composer.cast(bias, .float32)])
    }
    return [try composer.cast(y, type)]
  }

  /// The weights as float32 [K, N].
  private func matrix(_ composer: Composer) throws(GraphError) -> TensorBuffer {
    let infos = composer.inputInfos
    guard let packed = try infos.required(1, "B").constant?.integers() else {
      throw GraphError(needing: 1, "B")
    }
    guard let scales = composer.floats(2) else { throw GraphError(needing: 2, "scales") }
    let blocks = (depth + block - 1) / block
    let (count, overflow) = columns.multipliedReportingOverflow(by: blocks * block * bits / 8)
    guard !overflow, packed.count == count, scales.count == columns * blocks else {
      throw GraphError(
        "B has \(packed.count) bytes and scales \(scales.count) elements, which does not fit to N "
          + "\(columns), K \(depth) and blocks of \(block)")
    }
    let zeros = try zeroPoints(composer, blocks)
    let perByte = 8 / bits
    let mask = (1 << bits) - 1
    let rowBytes = blocks * block / perByte
    var values = [Float](repeating: 0, count: depth * columns)
    for column in 0..<columns {
      for k in 0..<depth {
        let byte = packed[column * rowBytes + k / perByte]
        let value = byte >> (k % perByte * bits) & mask
        let place = column * blocks + k / block
        values[k * columns + column] = (Float(value) - zeros[place]) * scales[place]
      }
    }
    return TensorBuffer([depth, columns], values)
  }

  /// One per block of every column.
  private func zeroPoints(_ composer: Composer, _ blocks: Int) throws(GraphError) -> [Float] {
    guard let id = composer.optional(3) else {
      return [Float](repeating: Float(1 << (bits - 1)), count: columns * blocks)
    }
    let info = try composer.info(id)
    guard let constant = info.constant else {
      throw GraphError(needing: 3, "zero_points")
    }
    if info.type.isFloat, let values = constant.floats(), values.count == columns * blocks {
      return values
    }
    let rowBytes = (blocks * bits + 7) / 8
    guard info.type == .uint8, let packed = constant.integers(),
      packed.count == columns * rowBytes
    else {
      throw GraphError("zero_points are \(info.type) \(info.shape), which does not fit")
    }
    let perByte = 8 / bits
    return (0..<columns * blocks).map { place in
      let (column, index) = place.quotientAndRemainder(dividingBy: blocks)
      let byte = packed[column * rowBytes + index / perByte]
      return Float(byte >> (index % perByte * bits) & ((1 << bits) - 1))
    }
  }
}
