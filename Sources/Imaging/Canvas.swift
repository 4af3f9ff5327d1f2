/// A colour with 8 bits per component.
public struct Color: Sendable, Hashable {
  public var red: UInt8
  public var green: UInt8
  public var blue: UInt8

  public init(red: UInt8, green: UInt8, blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// Returns the colour of class `index`: neighbouring indices differ clearly in hue.
  public static func ofClass(_ index: Int) -> Color {
    // Steps of the golden ratio never repeat a hue.
    let turn = Double(index & 0xFFFF) * 0.618_033_988_75 + 0.36
    let hue = (turn - turn.rounded(.down)) * 6
    let value = index / 7 % 2 == 0 ? 255.0 : 190.0
    func component(_ offset: Double) -> UInt8 {
      let k = (hue + offset).truncatingRemainder(dividingBy: 6)
      return UInt8(value * (1 - 0.8 * max(0, min(k, 4 - k, 1))))
    }
    return Color(red: component(5), green: component(3), blue: component(1))
  }

  /// Black or white, whichever can be read on this colour.
  package var contrast: Color {
    let luma = 299 * Int(red) + 587 * Int(green) + 114 * Int(blue)
    return luma > 140_000
      ? Color(red: 0, green: 0, blue: 0) : Color(red: 255, green: 255, blue: 255)
  }
}

/// How much of each pixel a text covers, row by row, 0...255.
package struct TextMask {
  package let width: Int
  package let height: Int
  package let coverage: [UInt8]

  package init(width: Int, height: Int, coverage: [UInt8]) {
    self.width = width
    self.height = height
    self.coverage = coverage
  }
}

/// A rectangle of whole pixels; `right` and `bottom` are just outside.
package struct PixelRect: Hashable {
  package var left: Int
  package var top: Int
  package var right: Int
  package var bottom: Int

  package init(left: Int, top: Int, right: Int, bottom: Int) {
    self.left = left
    self.top = top
    self.right = right
    self.bottom = bottom
  }

  package func intersects(_ other: PixelRect) -> Bool {
    left < other.right && other.left < right && top < other.bottom && other.top < bottom
  }
}

/// Draws on a frame of any format that owns its samples; whatever lies outside is cut off.
package struct Canvas {
  private let frame: Frame

  /// Programmer error (precondition): a frame that borrows its samples.
  package init(_ frame: Frame) {
    precondition(frame.isWritable, "a borrowed frame cannot be written")
    self.frame = frame
  }

  /// Fills a rectangle.
  package func fill(_ rect: PixelRect, _ color: Color) {
    let left = min(max(rect.left, 0), frame.width)
    let right = min(max(rect.right, left), frame.width)
    let top = min(max(rect.top, 0), frame.height)
    let bottom = min(max(rect.bottom, top), frame.height)
    guard left < right, top < bottom else { return }
    let values = samples(of: color)
    for y in top..<bottom {
      for x in left..<right { set(x, y, values, 255) }
    }
    guard frame.format.isYUV else { return }
    for y in (top / 2)..<((bottom + 1) / 2) {
      for x in (left / 2)..<((right + 1) / 2) {
        frame.storeChroma(x, y, u: values.1, v: values.2)
      }
    }
  }

  /// Draws the outline of a rectangle, `thickness` pixels wide, inside it.
  package func stroke(_ rect: PixelRect, thickness: Int, _ color: Color) {
    var (upper, lower, left, right) = (rect, rect, rect, rect)
    upper.bottom = min(rect.top + thickness, rect.bottom)
    lower.top = max(rect.bottom - thickness, rect.top)
    left.right = min(rect.left + thickness, rect.right)
    right.left = max(rect.right - thickness, rect.left)
    for side in [upper, lower, left, right] { fill(side, color) }
  }

  /// Draws a text with its top left corner at a pixel.
  package func draw(_ mask: TextMask, left: Int, top: Int, _ color: Color) {
    let values = samples(of: color)
    for row in 0..<mask.height where (0..<frame.height).contains(top + row) {
      for column in 0..<mask.width where (0..<frame.width).contains(left + column) {
        let coverage = mask.coverage[row * mask.width + column]
        if coverage > 0 { set(left + column, top + row, values, Int(coverage)) }
      }
    }
  }

  /// The samples of a colour: R, G, B or Y, U, V.
  private func samples(of color: Color) -> (UInt8, UInt8, UInt8) {
    if frame.format.isYUV {
      let (y, u, v) = YUV.fromRGB(
        Double(color.red), Double(color.green), Double(color.blue), frame.matrix, frame.range)
      return (y, u, v)
    }
    if frame.format == .gray8 {
      let (y, _, _) = YUV.fromRGB(
        Double(color.red), Double(color.green), Double(color.blue), .bt601, .full)
      return (y, y, y)
    }
    return (color.red, color.green, color.blue)
  }

  /// Blends one pixel, coverage 0...255. Of YUV frames only the luma: text has no colour of its
  /// own, and areas set their chroma themselves.
  private func set(_ x: Int, _ y: Int, _ values: (UInt8, UInt8, UInt8), _ coverage: Int) {
    func blend(_ plane: Int, _ offset: Int, _ value: UInt8) {
      let place = frame.planes[plane].base + y * frame.planes[plane].stride + offset
      let old = Int(place.load(as: UInt8.self))
      let new = (old * (255 - coverage) + Int(value) * coverage + 127) / 255
      place.storeBytes(of: UInt8(clamping: new), as: UInt8.self)
    }
    switch frame.format {
    case .nv12, .nv21, .i420, .gray8: blend(0, x, values.0)
    case .rgb24:
      blend(0, 3 * x, values.0)
      blend(0, 3 * x + 1, values.1)
      blend(0, 3 * x + 2, values.2)
    case .bgr24:
      blend(0, 3 * x, values.2)
      blend(0, 3 * x + 1, values.1)
      blend(0, 3 * x + 2, values.0)
    case .rgba:
      blend(0, 4 * x, values.0)
      blend(0, 4 * x + 1, values.1)
      blend(0, 4 * x + 2, values.2)
    case .rgbPlanar, .bgrPlanar:
      let isRGB = frame.format == .rgbPlanar
      blend(0, x, isRGB ? values.0 : values.2)
      blend(1, x, values.1)
      blend(2, x, isRGB ? values.2 : values.0)
    }
  }
}
