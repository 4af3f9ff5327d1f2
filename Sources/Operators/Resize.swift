import Graphs
import Instructions
import Tensors

/// Resizes a tensor by interpolation.
///
/// X: any type for `nearest`, else float32, bfloat16, uint8, int8 or int32; roi (parts of the
/// input, for `tf_crop_and_resize`), scales (float32) or sizes (int64): constant inputs. Versions
/// 10 (X, scales; asymmetric), 11 and 13 (coordinate_transformation_mode, cubic_coeff_a,
/// exclude_outside, extrapolation_value, nearest_mode), 18 and 19 (antialias, axes,
/// keep_aspect_ratio_policy). y_extent = floor(extent × scale), or as `sizes` says.
package struct Resize: MovesElements {
  package static let name = "Resize"
  package static let sinceVersion = 10
  package var filter = Interpolation.Filter.nearest
  package var coordinates = Interpolation.Coordinates.halfPixel
  package var rounding = Interpolation.Rounding.preferFloor
  /// Version 10 rounds up where it shrinks and down where it grows.
  package var roundsByDirection = false
  package var antialias = false
  package var excludesOutside = false
  package var cubicCoefficient: Float = -0.75
  package var extrapolation: Float = 0
  package var axes: [Int]?
  package var policy = Policy.stretch
  /// Scales given as an attribute, as by the oldest Upsample.
  package var scales: [Float]?
  /// Where the inputs stand.
  package var roiInput = 1
  package var scalesInput = 2
  package var sizesInput = 3

  package var movesQuantized: Bool { coordinates != .cropAndResize }

  package enum Policy: String, Sendable {
    case stretch
    case notLarger = "not_larger"
    case notSmaller = "not_smaller"
  }

  package init(importing node: NodeReader) throws(ImportError) {
    filter = try Resize.filter(node)
    guard node.version >= 11 else {
      coordinates = .asymmetric
      rounding = .floor
      roundsByDirection = true
      (roiInput, scalesInput, sizesInput) = (.max, 1, .max)
      return
    }
    let mode = try node.string("coordinate_transformation_mode", default: "half_pixel")
    guard let known = Resize.coordinateModes[mode] else {
      throw node.unsupported("coordinate_transformation_mode \"\(mode)\" is not known")
    }
    coordinates = known
    let nearest = try node.string("nearest_mode", default: "round_prefer_floor")
    guard let rounding = Resize.roundings[nearest] else {
      throw node.unsupported("nearest_mode \"\(nearest)\" is not known")
    }
    self.rounding = rounding
    cubicCoefficient = try node.float("cubic_coeff_a", default: -0.75)
    excludesOutside = try node.bool("exclude_outside", default: false)
    extrapolation = try node.float("extrapolation_value", default: 0)
    antialias = try node.bool("antialias", default: false)
    axes = try node.ints("axes")
    let policy = try node.string("keep_aspect_ratio_policy", default: "stretch")
    guard let policy = Policy(rawValue: policy) else {
      throw node.unsupported("keep_aspect_ratio_policy \"\(policy)\" is not known")
    }
    self.policy = policy
  }

  /// A plain resize by these scales, one per axis.
  init(
    _ filter: Interpolation.Filter, _ coordinates: Interpolation.Coordinates, scales: [Float]?
  ) {
    self.filter = filter
    self.coordinates = coordinates
    self.scales = scales
    rounding = .floor
    (roiInput, scalesInput, sizesInput) = (.max, 1, .max)
  }

  static func filter(_ node: NodeReader) throws(ImportError) -> Interpolation.Filter {
    let mode = try node.string("mode", default: "nearest")
    switch mode {
    case "nearest": return .nearest
    case "linear", "bilinear": return .linear
    case "cubic": return .cubic
    default: throw node.unsupported("mode \"\(mode)\" is not known")
    }
  }

  private static let coordinateModes: [String: Interpolation.Coordinates] = [
    "half_pixel": .halfPixel, "half_pixel_symmetric": .halfPixelSymmetric,
    "pytorch_half_pixel": .pytorchHalfPixel, "align_corners": .alignCorners,
    "asymmetric": .asymmetric, "tf_half_pixel_for_nn": .tensorflowHalfPixel,
    "tf_crop_and_resize": .cropAndResize,
  ]

  private static let roundings: [String: Interpolation.Rounding] = [
    "round_prefer_floor": .preferFloor, "round_prefer_ceil": .preferCeil, "floor": .floor,
    "ceil": .ceil,
  ]

  /// What happens to one axis.
  struct Change {
    var scale: Float = 1
    var start: Float = 0
    var end: Float = 1
    var extent: Int
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.movable(0, "X")
    let blended: Set<ElementType> = [.float32, .float16, .bfloat16, .uint8, .int8, .int32]
    guard blended.contains(x.type) || (filter == .nearest && coordinates != .cropAndResize) else {
      throw GraphError("\(x.type) cannot be interpolated; only mode \"nearest\" takes it")
    }
    let changes = try resolved(inputs, x.shape)
    return [ValueInfo(type: x.type, shape: try Shape(checking: changes.map(\.extent)))]
  }

  func resolved(_ inputs: [ValueInfo?], _ shape: Shape) throws(GraphError) -> [Change] {
    let axes = try normalized(axes: axes ?? Array(0..<shape.rank), rank: shape.rank)
    var changes = shape.dimensions.map { Change(extent: $0) }
    let sizes = sizesInput == .max ? nil : try inputs.constantIntegers(sizesInput, "sizes")
    var scales = scales
    if scales == nil { scales = try inputs.constantFloats(scalesInput, "scales") }
    if let sizes, !sizes.isEmpty {
      guard sizes.count == axes.count else {
        throw GraphError("\(sizes.count) sizes for \(axes.count) axes")
      }
      try apply(sizes: sizes, axes, &changes)
    } else if let scales, !scales.isEmpty {
      guard scales.count == axes.count else {
        throw GraphError("\(scales.count) scales for \(axes.count) axes")
      }
      for (axis, scale) in zip(axes, scales) {
        let extent = (Float(shape[axis]) * scale).rounded(.down)
        guard scale > 0, scale.isFinite, extent < 0x1p30 else {
          throw GraphError("a scale of \(scale) for an extent of \(shape[axis]) is impossible")
        }
        changes[axis].scale = scale
        changes[axis].extent = Int(extent)
      }
    } else {
      throw GraphError("neither scales nor sizes are given")
    }
    if coordinates == .cropAndResize {
      let roi = try inputs.constantFloats(roiInput, "roi") ?? []
      guard roi.count == 2 * axes.count else {
        throw GraphError("roi has \(roi.count) elements, but must have \(2 * axes.count)")
      }
      for (index, axis) in axes.enumerated() {
        changes[axis].start = roi[index]
        changes[axis].end = roi[axes.count + index]
      }
    }
    return changes
  }

  private func apply(
    sizes: [Int], _ axes: [Int], _ changes: inout [Change]
  ) throws(GraphError) {
    for (axis, size) in zip(axes, sizes) {
      guard size >= 0 && size < 1 << 30 && (changes[axis].extent > 0 || size == 0) else {
        throw GraphError("a size of \(size) for an extent of \(changes[axis].extent)")
      }
    }
    let ratios = zip(axes, sizes).map { axis, size in
      Float(size) / Float(max(changes[axis].extent, 1))
    }
    let common = policy == .notLarger ? ratios.min() : policy == .notSmaller ? ratios.max() : nil
    for (index, axis) in axes.enumerated() {
      let scale = common ?? ratios[index]
      if let common {
        let extent = (Float(changes[axis].extent) * common + 0.5).rounded(.down)
        guard extent < 0x1p30 else { throw GraphError("the result is too large") }
        changes[axis].extent = Int(extent)
      } else {
        changes[axis].extent = sizes[index]
      }
      changes[axis].scale = scale
    }
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let layout = lowering.keptLayout(rank: shape.rank)
    let changes = try resolved(lowering.inputInfos, shape)
    let order = layout.axes(rank: shape.rank)
    let changed = order.indices.filter { position in
      let change = changes[order[position]]
      return change.extent != shape[order[position]] || change.scale != 1
        || coordinates == .cropAndResize && (change.start != 0 || change.end != 1)
    }
    var operand = try lowering.operand(0, layout)
    if changed.isEmpty {
      try lowering.alias(0, to: operand, layout)
      return
    }
    var rest = changed[...]
    while let position = rest.popFirst() {
      var positions = [position]
      if rest.first == position + 1, same(changes[order[position]], changes[order[position + 1]]),
        let next = rest.popFirst()
      {
        positions.append(next)
      }
      var extents = lowering[operand].shape
      for position in positions { extents[position] = changes[order[position]].extent }
      let type = lowering[operand].type
      let target =
        rest.isEmpty
        ? try lowering.result(0, layout, type: type) : lowering.temporary(type, extents)
      lowering.emit(
        instruction(operand, to: target, positions.map { changes[order[$0]] }, at: position, shape))
      operand = target
    }
  }

  /// Two axes can share an instruction if they round alike.
  private func same(_ a: Change, _ b: Change) -> Bool {
    !roundsByDirection || (a.scale < 1) == (b.scale < 1)
  }

  private func instruction(
    _ input: Operand, to output: Operand, _ changes: [Change], at axis: Int, _ shape: Shape
  ) -> Interpolate {
    var result = Interpolate()
    result.input = input
    result.output = output
    result.axis = axis
    result.filter = filter
    result.coordinates = coordinates
    result.rounding =
      roundsByDirection ? (changes[0].scale < 1 ? .ceil : .floor) : rounding
    result.antialias = antialias
    result.excludesOutside = excludesOutside
    result.cubicCoefficient = cubicCoefficient
    result.extrapolation = extrapolation
    result.parameters = changes.flatMap { change in
      [change.scale, change.start, change.end].map { Int($0.bitPattern) }
    }
    return result
  }
}
