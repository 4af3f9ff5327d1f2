import Kernels
import Tensors

/// A way to run a 3×3 convolution: the size of tiles, the stride, and the type of the factors.
struct WinogradMethod: Sendable, Hashable {
  /// Pixels along the side of a tile of y; with stride 2 always 4.
  let tile: Int
  /// The stride of the convolution, 1 or 2.
  var stride = 1
  /// Whether V and U are rounded to bfloat16; only tiles of 2 × 2 keep their accuracy then.
  var isRounded = false

  /// Positions along the side of a transformed tile.
  var side: Int { 3 + (tile - 1) * stride }
  var positions: Int { side * side }
  /// Different factors U along the side of a transformed tile: with stride 2 the positions of the
  /// odd samples share the last one.
  var factorSide: Int { tile + 2 }
  /// Bytes of an element of V and U.
  var elementByteCount: Int { isRounded ? 2 : 4 }

  /// The name in traces.
  var description: String {
    "winograd \(tile)x\(tile)\(stride == 1 ? "" : " stride \(stride)")\(isRounded ? " bf16" : "")"
  }

  /// K of the products: the channels, for bfloat16 in pairs.
  func depth(channels: Int) -> Int { isRounded ? (channels + 1) / 2 * 2 : channels }

  /// The bytes of U.
  func weightByteCount(channels: Int, panels: Int) -> Int {
    factorSide * factorSide * panels * depth(channels: channels) * WeightPacking.panelWidth
      * elementByteCount
  }

  /// A matrix product: the positions of V and M that multiply the same U.
  struct Product: Sendable {
    /// The place of U.
    let factor: Int
    let firstPosition: Int
    /// How many positions, and from one to the next.
    let count: Int
    let step: Int
  }

  /// The products that cover all positions, by factors.
  var products: [Product] {
    var products: [Product] = []
    for row in 0..<factorSide {
      for column in 0..<factorSide {
        let (rows, columns) = (sharing(row), sharing(column))
        let factor = row * factorSide + column
        // Lines of positions that share U: down where there is one in a line.
        let isColumn = columns.count == 1
        for line in isColumn ? rows.prefix(1) : rows {
          products.append(
            Product(
              factor: factor, firstPosition: line * side + columns.lowerBound,
              count: isColumn ? rows.count : columns.count, step: isColumn ? side : 1))
        }
      }
    }
    return products
  }

  /// Along an axis, the positions that multiply a factor.
  private func sharing(_ factor: Int) -> Range<Int> {
    factor..<(stride == 2 && factor + 1 == factorSide ? side : factor + 1)
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
      window.strideY == window.strideX, window.strideX <= 2,
      window.dilationY == 1, window.dilationX == 1,
      window.channels >= 16, columns >= 16, window.batch > 0
    else { return nil }
    let pairs = bfloat16 && preparation.isas.contains(.avx512bf16)
    var methods = [WinogradMethod(tile: 4, stride: window.strideX)]
    if window.strideX == 1 {
      methods.append(WinogradMethod(tile: 2))
      if pairs { methods.append(WinogradMethod(tile: 2, isRounded: true)) }
    }
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
    if window.strideX == 2 && !pairs {
      // Of x the products see only a quarter at a time, so that staging it counts.
      let inputPixels = Double(window.batch * window.height * window.width)
      return products * 1.06 + inputPixels * Double(window.channels)
    }
    // Pairs of bfloat16 are multiplied so fast that one panel leaves them waiting for the input.
    return pairs ? products / 2 * (panels == 1 ? 1.4 : 1.06) : products * 1.06
  }

  private func cost(_ window: ConvolutionWindow, panels: Int) -> Double {
    let tiles = Double(window.batch * tilesPerImage(window))
    let depth = Double(window.channels) * (isRounded ? 0.55 : 1.1)
    // Of storing a row of M; of 16 channels of a tile, on the way in and on the way out.
    let (row, input, output): (Double, Double, Double) =
      stride == 2 ? (8, 900, 400) : tile == 4 ? (4, 280, 200) : (4, 100, 60)
    let products = Double(positions * panels) * (depth + row)
    let transforms = input * Double(window.channels) / 16 + output * Double(panels)
    // U comes from memory, at four bytes per cycle.
    let weights = Double(weightByteCount(channels: window.channels, panels: panels)) / 4
    // Rounding costs accuracy, so it must gain more.
    return (tiles * (products + transforms) + weights) * (isRounded ? 1.2 : 1)
  }
}
