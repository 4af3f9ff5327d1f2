import Graphs
import Tensors

/// A window that slides over spatial axes: what convolutions and pools share.
///
/// Extents, strides, dilations and pads are per spatial axis, outermost first, in elements.
package struct Window: Sendable, Hashable {
  /// How pads are found.
  package enum AutoPad: String, Sendable {
    case notSet = "NOTSET"
    case valid = "VALID"
    /// Enough that the output has ⌈input / stride⌉ elements; odd padding at the end.
    case sameUpper = "SAME_UPPER"
    /// As `sameUpper`, odd padding at the beginning.
    case sameLower = "SAME_LOWER"
  }

  /// Empty: taken from the weights.
  package var kernel: [Int]
  /// Empty: 1 on every axis.
  package var strides: [Int]
  /// Empty: 1 on every axis.
  package var dilations: [Int]
  /// All begins, then all ends. Empty: 0.
  package var pads: [Int]
  package var autoPad: AutoPad
  package var ceilMode = false

  package init(
    kernel: [Int] = [], strides: [Int] = [], dilations: [Int] = [], pads: [Int] = [],
    autoPad: AutoPad = .notSet, ceilMode: Bool = false
  ) {
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    self.pads = pads
    self.autoPad = autoPad
    self.ceilMode = ceilMode
  }

  /// Reads `kernel_shape`, `strides`, `dilations`, `pads` and `auto_pad`.
  package init(importing node: NodeReader) throws(ImportError) {
    let mode = try node.string("auto_pad", default: "NOTSET")
    guard let autoPad = AutoPad(rawValue: mode.isEmpty ? "NOTSET" : mode) else {
      throw node.invalid("auto_pad is \"\(mode)\"; known are NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    }
    self.init(
      kernel: try node.ints("kernel_shape") ?? [], strides: try node.ints("strides") ?? [],
      dilations: try node.ints("dilations") ?? [], pads: try node.ints("pads") ?? [],
      autoPad: autoPad)
  }

  /// A window with every list filled in, for an input with these spatial extents.
  package struct Resolved: Sendable, Hashable {
    package var kernel: [Int]
    package var strides: [Int]
    package var dilations: [Int]
    package var padsBegin: [Int]
    package var padsEnd: [Int]
    package var output: [Int]
  }

  /// Fills in defaults and automatic pads and computes the output's extents.
  ///
  /// - Throws: `GraphError` where lists have the wrong length, or the window is larger than the
  ///   padded input.
  package func resolved(
    input: [Int], kernel given: [Int]? = nil
  ) throws(GraphError) -> Resolved {
    let rank = input.count
    let kernel = self.kernel.isEmpty ? given ?? [] : self.kernel
    if let given, given != kernel {
      throw GraphError("kernel_shape is \(kernel), but the weights have \(given)")
    }
    let strides = self.strides.isEmpty ? [Int](repeating: 1, count: rank) : self.strides
    let dilations = self.dilations.isEmpty ? [Int](repeating: 1, count: rank) : self.dilations
    let pads = self.pads.isEmpty ? [Int](repeating: 0, count: 2 * rank) : self.pads
    guard kernel.count == rank, strides.count == rank, dilations.count == rank,
      pads.count == 2 * rank
    else {
      throw GraphError(
        "\(rank) spatial axes, but kernel \(kernel), strides \(strides), dilations \(dilations), "
          + "pads \(pads)")
    }
    let limit = 1 << 24
    guard kernel.allSatisfy({ 1...limit ~= $0 }), strides.allSatisfy({ 1...limit ~= $0 }),
      dilations.allSatisfy({ 1...limit ~= $0 }), pads.allSatisfy({ 0...limit ~= $0 })
    else {
      throw GraphError(
        "kernel \(kernel), strides \(strides), dilations \(dilations) must be positive and pads "
          + "\(pads) not negative")
    }
    var result = Resolved(
      kernel: kernel, strides: strides, dilations: dilations, padsBegin: Array(pads[..<rank]),
      padsEnd: Array(pads[rank...]), output: [])
    for axis in 0..<rank {
      let reach = (kernel[axis] - 1) * dilations[axis] + 1
      switch autoPad {
      case .notSet: break
      case .valid:
        result.padsBegin[axis] = 0
        result.padsEnd[axis] = 0
      case .sameUpper, .sameLower:
        let output = (input[axis] + strides[axis] - 1) / strides[axis]
        let total = max((output - 1) * strides[axis] + reach - input[axis], 0)
        let small = total / 2
        result.padsBegin[axis] = autoPad == .sameUpper ? small : total - small
        result.padsEnd[axis] = total - result.padsBegin[axis]
      }
      let padded = input[axis] + result.padsBegin[axis] + result.padsEnd[axis]
      guard padded >= reach else {
        throw GraphError(
          "the window covers \(reach) elements of spatial axis \(axis), but the padded input has "
            + "\(padded)")
      }
      result.output.append(outputExtent(padded - reach, axis, input[axis], result))
    }
    return result
  }

  /// With `ceilMode` a last partial window counts, but only if it starts inside the input or its
  /// left padding.
  private func outputExtent(_ span: Int, _ axis: Int, _ input: Int, _ window: Resolved) -> Int {
    let stride = window.strides[axis]
    guard ceilMode else { return span / stride + 1 }
    let extent = (span + stride - 1) / stride + 1
    return (extent - 1) * stride >= input + window.padsBegin[axis] ? extent - 1 : extent
  }
}
