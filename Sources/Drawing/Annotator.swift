public import Imaging

/// A box with a label, to be drawn.
public struct Annotation: Sendable, Hashable {
  /// The left edge in pixels.
  public var x1: Float
  /// The top edge in pixels.
  public var y1: Float
  /// The right edge in pixels.
  public var x2: Float
  /// The bottom edge in pixels.
  public var y2: Float
  public var text: String
  public var color: Color

  public init(x1: Float, y1: Float, x2: Float, y2: Float, text: String, color: Color) {
    self.x1 = x1
    self.y1 = y1
    self.x2 = x2
    self.y2 = y2
    self.text = text
    self.color = color
  }
}

/// Draws boxes and labels on pictures and video frames.
///
/// Sizes follow the picture. Labels stay inside the picture and evade each other where there is
/// room. Belongs to one thread at a time.
public final class Annotator {
  private let font: LabelFont?

  /// - Parameter font: nil draws boxes without text.
  public init(font: LabelFont?) { self.font = font }

  /// Returns a copy of the frame, in its own pixel format (grey pictures become `rgb24`), with the
  /// annotations drawn in order.
  ///
  /// - Throws: `memory`.
  public func drawing(
    _ annotations: [Annotation], on frame: Frame
  ) throws(ImagingError) -> Frame {
    let target = try frame.format == .gray8 ? frame.converted(to: .rgb24) : frame.copy()
    let canvas = Canvas(target)
    let side = min(target.width, target.height)
    let thickness = max(1, min((side + 150) / 300, 8))
    let rects = annotations.map { rect(of: $0, in: target) }
    for (annotation, rect) in zip(annotations, rects) {
      canvas.stroke(rect, thickness: thickness, annotation.color)
    }
    guard let font else { return target }
    var labels: [PixelRect] = []
    let height = max(10, min(side / 32, 40))
    for (annotation, rect) in zip(annotations, rects) where !annotation.text.isEmpty {
      let mask = font.mask(annotation.text, height: height)
      let margin = max(2, height / 6)
      let label = place(
        width: mask.width + 2 * margin, height: height + margin, at: rect, among: labels, in: target
      )
      labels.append(label)
      canvas.fill(label, annotation.color)
      canvas.draw(
        mask, left: label.left + margin, top: label.top + margin / 2, annotation.color.contrast)
    }
    return target
  }

  /// The pixels that a box covers, at least one.
  private func rect(of annotation: Annotation, in frame: Frame) -> PixelRect {
    func pixel(_ value: Float, _ limit: Int) -> Int {
      value.isFinite ? Int(min(max(value, 0), Float(limit)).rounded()) : 0
    }
    let left = min(pixel(annotation.x1, frame.width), frame.width - 1)
    let top = min(pixel(annotation.y1, frame.height), frame.height - 1)
    return PixelRect(
      left: left, top: top, right: max(pixel(annotation.x2, frame.width), left + 1),
      bottom: max(pixel(annotation.y2, frame.height), top + 1))
  }

  /// Finds a place for a label: above the box, inside at its top, below it, inside at its bottom;
  /// the first that is free, else the first that is inside the picture.
  private func place(
    width: Int, height: Int, at box: PixelRect, among labels: [PixelRect], in frame: Frame
  ) -> PixelRect {
    let left = max(0, min(box.left, frame.width - width))
    let tops = [box.top - height, box.top, box.bottom, box.bottom - height]
    let places = tops.map { top in
      PixelRect(left: left, top: top, right: min(left + width, frame.width), bottom: top + height)
    }
    let inside = places.filter { $0.top >= 0 && $0.bottom <= frame.height }
    let free = inside.first { place in !labels.contains { $0.intersects(place) } }
    if let free = free ?? inside.first { return free }
    let bottom = min(height, frame.height)
    return PixelRect(left: left, top: 0, right: min(left + width, frame.width), bottom: bottom)
  }
}
