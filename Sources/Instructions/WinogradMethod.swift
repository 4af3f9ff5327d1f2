import Kernels
import Tensors

/// A way to run a 3×3 convolution with stride 1: the size of tiles, and the type of the factors.
struct WinogradMethod: Sendable, Hashable {
  /// Pixels along the side of a tile of y.
  let tile: Int
  /// Whether V and U are rounded to bfloat16; only tiles of 2 × 2 keep their accuracy then.
  let isRounded: Bool

  /// Positions along the side of a transformed tile.
  var side: Int { tile + 2 }
  var positions: Int { side * side }
  /// Bytes of an element of V and U.
  var elementByteCount: Int { isRounded ? 2 : 4 }

  /// The name in traces.
  var description: String { "winograd \(tile)x\(tile)\(isRounded ? " bf16" : "")" }

  /// K of the products: the channels, for bfloat16 in pairs.
  func depth(channels: Int) -> Int { isRounded ? (channels + 1) / 2 * 2 : channels }

  /// The bytes of U.
  func weightByteCount(channels: Int, panels: Int) -> Int {
    positions * panels * depth(channels: channels) * WeightPacking.panelWidth * elementByteCount
  }

  func tileColumns(_ window: ConvolutionWindow) -> Int { (window.outputWidth + tile - 1) / tile }

  func tilesPerImage(_ window: ConvolutionWindow) -> Int {
    tileColumns(window) * ((window.outputHeight + tile - 1) / tile)
  }

  /// Chooses the method for a convolution whose weights have a type; nil: the direct one.
  ///
  /// Programs that promise the same bits everywhere, and the portable execution that proofs and
  /// constant folding rely on, always use the direct method.
  static func best(
    window: ConvolutionWindow, groups: Int, columns: Int, bfloat16: Bool,
    _ preparation: borrowing Preparation
  ) -> WinogradMethod? {
    guard !preparation.isExact, WinogradKernel.best(isas: preparation.isas).isa != .portable,
      groups == 1, window.kernelHeight == 3, window.kernelWidth == 3,
      window.strideY == 1, window.strideX == 1, window.dilationY == 1, window.dilationX == 1,
      window.channels >= 16, columns >= 16, window.batch > 0
    else { return nil }
    let pairs = bfloat16 && preparation.isas.contains(.avx512bf16)
    var methods = [
      WinogradMethod(tile: 4, isRounded: false), WinogradMethod(tile: 2, isRounded: false),
    ]
    if pairs { methods.append(WinogradMethod(tile: 2, isRounded: true)) }
    let panels = WeightPacking.panelCount(columns: columns)
    let direct = directCost(window, panels: panels, pairs: pairs)
    let costs = methods.map { (method: $0, cost: $0.cost(window, panels: panels)) }
    guard let best = costs.min(by: { $0.cost < $1.cost }), best.cost < 0.9 * direct else {
      return nil
    }
    return best.method
  }

  // MARK: Costs

  // In multiply-adds of a vector of 16 floats, of which a processor starts about one per cycle.
  // The numbers are fits to measurements; only their ratios matter.

  private static func directCost(
    _ window: ConvolutionWindow, panels: Int, pairs: Bool
  ) -> Double {
    let pixels = Double(window.batch * window.outputHeight * window.outputWidth)
    let products = pixels * 9 * Double(window.channels * panels)
    // Pairs of bfloat16 are multiplied so fast that one panel leaves them waiting for the input.
    return pairs ? products / 2 * (panels == 1 ? 1.4 : 1.06) : products * 1.06
  }

  private func cost(_ window: ConvolutionWindow, panels: Int) -> Double {
    let tiles = Double(window.batch * tilesPerImage(window))
    let depth = Double(window.channels) * (isRounded ? 0.55 : 1.1)
    let products = Double(positions * panels) * (depth + 4)
    // Of 16 channels of a tile, on the way in and on the way out.
    let (input, output): (Double, Double) = tile == 4 ? (280, 200) : (100, 60)
    let transforms = input * Double(window.channels) / 16 + output * Double(panels)
    // U comes from memory, at four bytes per cycle.
    let weights = Double(weightByteCount(channels: window.channels, panels: panels)) / 4
    // Rounding costs accuracy, so it must gain more.
    return (tiles * (products + transforms) + weights) * (isRounded ? 1.2 : 1)
  }
}
