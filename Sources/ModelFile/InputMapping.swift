/// Where a source picture lies in a model's input: `input = source · scale + offset`, in pixels,
/// measured at pixel edges.
public struct InputMapping: Sendable, Hashable {
  public let source: Preprocessing.Size
  /// The size of the whole source after resizing, before padding or cutting.
  public let resized: Preprocessing.Size
  /// The size of the model's input.
  public let input: Preprocessing.Size
  /// Where the left edge of the resized picture lies in the input; negative where it is cut.
  public let left: Int
  /// Where the top edge of the resized picture lies in the input; negative where it is cut.
  public let top: Int

  public init(
    source: Preprocessing.Size, resized: Preprocessing.Size, input: Preprocessing.Size, left: Int,
    top: Int
  ) {
    self.source = source
    self.resized = resized
    self.input = input
    self.left = left
    self.top = top
  }

  /// Maps an x of the input to the source; not clipped.
  public func sourceX(_ x: Double) -> Double {
    (x - Double(left)) * Double(source.width) / Double(resized.width)
  }

  /// Maps a y of the input to the source; not clipped.
  public func sourceY(_ y: Double) -> Double {
    (y - Double(top)) * Double(source.height) / Double(resized.height)
  }
}

extension ResolvedPreprocessing {
  /// Returns where a source of this size (both sides at least 1) lies in the input.
  ///
  /// Letterbox and short sides are `round(side · scale)`, ties to even, at least 1; odd padding
  /// goes to the right and the bottom.
  public func mapping(source: Preprocessing.Size) -> InputMapping {
    let resized: Preprocessing.Size
    let width = Double(max(source.width, 1))
    let height = Double(max(source.height, 1))
    func scaled(_ side: Double, _ scale: Double) -> Int {
      let value = (side * scale).rounded(.toNearestOrEven)
      return Int(min(max(value, 1), Double(Int32.max)))
    }
    switch specification.resize {
    case .stretch:
      resized = specification.size ?? output
    case .letterbox:
      let scale = min(Double(output.width) / width, Double(output.height) / height)
      resized = Preprocessing.Size(
        width: min(scaled(width, scale), output.width),
        height: min(scaled(height, scale), output.height))
    case .short(let side):
      let scale = Double(side) / min(width, height)
      resized = Preprocessing.Size(
        width: max(scaled(width, scale), side), height: max(scaled(height, scale), side))
    }
    var left = 0
    var top = 0
    if specification.anchor == .center {
      left = centred(output.width, resized.width)
      top = centred(output.height, resized.height)
    }
    return InputMapping(source: source, resized: resized, input: output, left: left, top: top)
  }

  /// Returns the free space before a centred extent: floor for padding, −floor for cutting.
  private func centred(_ outer: Int, _ inner: Int) -> Int {
    outer >= inner ? (outer - inner) / 2 : -((inner - outer) / 2)
  }
}
