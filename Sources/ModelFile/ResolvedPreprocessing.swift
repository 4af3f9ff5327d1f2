public import Tensors

/// A preprocessing with nothing left open, for one input of a model.
public struct ResolvedPreprocessing: Sendable, Hashable {
  /// How a picture lies in the model's input.
  public enum Arrangement: Sendable, Hashable {
    /// [N, C, H, W]
    case planar
    /// [N, H, W, C]
    case interleaved
  }

  /// The specification with its size and channel order filled in: what the model file stores.
  public let specification: Preprocessing
  /// The name of the model's input.
  public let input: String
  /// The size of the picture in the model's input.
  public let output: Preprocessing.Size
  /// 1 or 3.
  public let channels: Int
  public let arrangement: Arrangement
  /// float32 or uint8.
  public let type: ElementType

  /// The elements of one picture in the input.
  public var sampleElementCount: Int { output.width * output.height * channels }

  /// The shape of the input for `count` pictures.
  public func shape(batch count: Int = 1) -> Shape {
    switch arrangement {
    case .planar: [count, channels, output.height, output.width]
    case .interleaved: [count, output.height, output.width, channels]
    }
  }
}

extension Preprocessing {
  /// Fits the specification to an input: rank 4, [N,C,H,W] or [N,H,W,C] with 1 or 3 channels (or
  /// rank 3 without N), float32 or uint8; an unknown extent is nil.
  ///
  /// - Throws: `SpecificationError` where the input is no picture, a size is missing or differs.
  public func resolved(
    input name: String, dimensions: [Int?], type: ElementType
  ) throws(SpecificationError) -> ResolvedPreprocessing {
    let picture = try PictureInput(name: name, dimensions: dimensions, type: type)
    var specification = self
    let declared = picture.size
    if specification.size == nil, specification.crop == nil {
      guard let declared else {
        throw SpecificationError(
          .unfitInput,
          "input '\(name)' \(picture.text) does not fix height and width: add size=WxH to "
            + "--preprocess")
      }
      specification.size = declared
    }
    if case .short(let side) = resize {
      let remaining = specification.crop ?? specification.size ?? declared
      guard let remaining, remaining.width <= side, remaining.height <= side else {
        throw SpecificationError(
          .contradiction,
          "--preprocess: resize=short:\(side) makes a picture smaller than the "
            + "\(remaining?.description ?? "?") "
            + "that input '\(name)' takes")
      }
      specification.crop = remaining
      specification.size = nil
    }
    let output = specification.crop ?? specification.size
    guard let output else {
      throw SpecificationError(.unfitInput, "--preprocess: add size=WxH for input '\(name)'")
    }
    let fits =
      (picture.height == nil || picture.height == output.height)
      && (picture.width == nil || picture.width == output.width)
    guard fits else {
      throw SpecificationError(
        .unfitInput,
        "--preprocess makes pictures of \(output), but input '\(name)' is \(picture.text): "
          + "use \(specification.crop == nil ? "size" : "crop")=\(declared?.description ?? "WxH")")
    }
    specification.channelOrder = try order(for: picture)
    try checkVectors(channels: picture.channels, input: name)
    return ResolvedPreprocessing(
      specification: specification, input: name, output: output, channels: picture.channels,
      arrangement: picture.arrangement, type: type)
  }

  /// Fits the specification to an input of a known shape.
  public func resolved(
    input name: String, shape: Shape, type: ElementType
  ) throws(SpecificationError) -> ResolvedPreprocessing {
    try resolved(input: name, dimensions: shape.dimensions.map { $0 }, type: type)
  }

  /// The option to add for an input without preprocessing, or nil where it takes no pictures.
  public static func suggestedOption(
    input name: String, dimensions: [Int?], type: ElementType
  ) -> String? {
    let picture: PictureInput
    do throws(SpecificationError) {
      picture = try PictureInput(name: name, dimensions: dimensions, type: type)
    } catch {
      return nil
    }
    let size = picture.size?.description ?? "WxH"
    let scale = type == .float32 ? ",raw-scale=1" : ""
    let order = picture.channels == 1 ? "gray" : "rgb"
    return "--preprocess '\(name):size=\(size),resize=letterbox\(scale),channel-order=\(order)'"
  }

  private func order(for picture: PictureInput) throws(SpecificationError) -> ChannelOrder {
    guard let channelOrder else { return picture.channels == 1 ? .gray : .rgb }
    guard (channelOrder == .gray) == (picture.channels == 1) else {
      throw SpecificationError(
        .unfitInput,
        "--preprocess: channel-order=\(channelOrder.rawValue) does not fit input "
          + "'\(picture.name)' \(picture.text) with \(picture.channels) "
          + "channel\(picture.channels == 1 ? "" : "s")")
    }
    return channelOrder
  }

  private func checkVectors(channels: Int, input: String) throws(SpecificationError) {
    for (key, values) in [("pad", pad), ("mean", mean), ("std", std)]
    where values.count != 1 && values.count != channels {
      throw SpecificationError(
        .unfitInput,
        "--preprocess: \(key) has \(values.count) values, but input '\(input)' has \(channels) "
          + "channel\(channels == 1 ? "" : "s")")
    }
  }
}

/// An input that pictures can fill.
private struct PictureInput {
  let name: String
  let text: String
  let channels: Int
  let height: Int?
  let width: Int?
  let arrangement: ResolvedPreprocessing.Arrangement

  var size: Preprocessing.Size? {
    guard let height, let width else { return nil }
    return Preprocessing.Size(width: width, height: height)
  }

  init(name: String, dimensions: [Int?], type: ElementType) throws(SpecificationError) {
    self.name = name
    text = "\(type)[" + dimensions.map { $0.map(String.init) ?? "?" }.joined(separator: ",") + "]"
    guard type == .float32 || type == .uint8 else {
      throw SpecificationError(
        .unfitInput, "input '\(name)' is \(text); pictures fill float32 or uint8 inputs")
    }
    let picture = dimensions.count == 4 ? Array(dimensions.dropFirst()) : dimensions
    let isChannelCount: (Int?) -> Bool = { $0 == 1 || $0 == 3 }
    guard picture.count == 3, isChannelCount(picture[0]) || isChannelCount(picture[2]),
      dimensions.allSatisfy({ $0 ?? 1 > 0 && $0 ?? 1 <= 1 << 20 })
    else {
      throw SpecificationError(
        .unfitInput,
        "input '\(name)' is \(text); pictures fill [N,C,H,W] or [N,H,W,C] with 1 or 3 channels")
    }
    // Where both ends could be channels, three are likelier than one, and the first is likelier.
    let isPlanar = picture[0] == 3 || (picture[0] == 1 && picture[2] != 3)
    arrangement = isPlanar ? .planar : .interleaved
    channels = (arrangement == .planar ? picture[0] : picture[2]) ?? 3
    height = arrangement == .planar ? picture[1] : picture[0]
    width = arrangement == .planar ? picture[2] : picture[1]
    for side in [height, width] where side ?? 1 > Preprocessing.maximumSide {
      throw SpecificationError(
        .unfitInput,
        "input '\(name)' is \(text); sides may have up to \(Preprocessing.maximumSide) pixels")
    }
  }
}
