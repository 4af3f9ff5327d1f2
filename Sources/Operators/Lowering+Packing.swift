import Graphs
import Instructions
import Tensors

/// Weights that are computed at run time, brought into the layouts that `WeightPacking` makes of
/// constants: by instructions that pad and transpose.
extension Lowering {
  /// The weights [M, C / groups, kh, kw] at this input position, packed for `convolution`.
  func packedConvolution(
    _ index: Int, _ shape: Shape, groups: Int
  ) throws(GraphError) -> Operand {
    let (columns, channels, taps) = (shape[0] / groups, shape[1], shape[2] * shape[3])
    let source = try operand(index, type: .float32)
    let padded = paddedColumns(reshaped(source, [groups, columns, channels * taps]), axis: 1)
    let width = WeightPacking.panelWidth
    let panels = self[padded].shape[1] / width * groups
    let split = reshaped(padded, [panels, width, channels, taps])
    let packed = permuted(split, [0, 3, 2, 1])
    return reshaped(packed, [panels, taps * channels, width])
  }

  /// The weights [C, 1, kh, kw] at this input position, packed for `depthwise_convolution`.
  func packedDepthwise(_ index: Int, _ shape: Shape) throws(GraphError) -> Operand {
    let source = try operand(index, type: .float32)
    return permuted(reshaped(source, [shape[0], shape[2] * shape[3]]), [1, 0])
  }

  /// The weights [C, M / groups, kh, kw] at this input position, packed for
  /// `transposed_convolution`.
  func packedTransposed(
    _ index: Int, _ shape: Shape, groups: Int, _ strides: [Int], _ dilations: [Int]
  ) throws(GraphError) -> Operand {
    let (channels, columns, taps) = (shape[0] / groups, shape[1], shape[2] * shape[3])
    let source = try operand(index, type: .float32)
    let width = WeightPacking.panelWidth
    let padded = paddedColumns(reshaped(source, [groups, channels, columns, taps]), axis: 2)
    let panels = self[padded].shape[2] / width
    let split = reshaped(padded, [groups, channels, panels, width, taps])
    var packed = permuted(split, [0, 2, 4, 1, 3])
    let order = TransposedPhase.all(
      kernel: [shape[2], shape[3]], strides: strides, dilations: dilations
    ).flatMap(\.taps).map { $0.ky * shape[3] + $0.kx }
    if order != Array(0..<taps) {
      let rows = reshaped(packed, [groups * panels, taps, channels * width])
      packed = temporary(.float32, self[rows].shape)
      emit(GatherSlices(rows, at: constant(TensorBuffer(order)), axis: 1, to: packed))
    }
    return reshaped(packed, [groups * panels, taps * channels, width])
  }

  /// The weights at this input position as [k…, Cin / groups, Cout], for `convolution_nd` and
  /// `direct_convolution`; constants are reordered here.
  ///
  /// - Parameter transposedGroups: the weights are [Cin, Cout / groups, k…] in this many groups;
  ///   nil: they are [Cout, Cin / groups, k…].
  func tapsFirst(
    _ index: Int, _ type: ElementType, transposedGroups: Int? = nil
  ) throws(GraphError) -> Operand {
    let info = try required(index)
    let kernel = Array(info.shape.dimensions.dropFirst(2))
    var split = info.shape
    var axes = Array(2..<split.rank) + [1, 0]
    var result = split.permuted(axes)
    if let groups = transposedGroups {
      let (channels, columns) = (info.shape[0] / groups, info.shape[1])
      split = Shape([groups, channels, columns] + kernel)
      axes = Array(3..<split.rank) + [1, 0, 2]
      result = Shape(kernel + [channels, groups * columns])
    }
    if let constant = info.constant?.converted(to: type) {
      return self.constant(
        constant.reshaped(split).transposed(axes).reshaped(result),
        name: "\(node.name).weights\(index)")
    }
    return reshaped(permuted(reshaped(try operand(index, type: type), split), axes), result)
  }

  /// A copy whose axis i is axis `axes[i]` of the operand.
  func permuted(_ operand: Operand, _ axes: [Int]) -> Operand {
    let target = temporary(self[operand].type, self[operand].shape.permuted(axes))
    emit(Copy.converting(operand, self[operand], to: target, self[target], axes: axes))
    return target
  }

  /// The operand with zeros behind the axis, up to a whole number of panels.
  private func paddedColumns(_ operand: Operand, axis: Int) -> Operand {
    var dimensions = self[operand].shape.dimensions
    let panels = WeightPacking.panelCount(columns: dimensions[axis])
    guard dimensions[axis] != panels * WeightPacking.panelWidth else { return operand }
    dimensions[axis] = panels * WeightPacking.panelWidth
    let target = temporary(.float32, Shape(dimensions))
    emit(
      PadAxes(
        operand, value: .none, to: target,
        before: [Int](repeating: 0, count: dimensions.count), mode: .constant))
    return target
  }
}
