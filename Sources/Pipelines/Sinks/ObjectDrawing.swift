package import Detections
internal import Drawing
package import Imaging

/// Draws the objects of a frame on a copy of it. Belongs to one thread at a time.
package struct ObjectDrawing {
  private let annotator: Annotator

  /// Without a font for labels, boxes are drawn without them.
  package init() { annotator = Annotator(font: try? LabelFont()) }

  /// Why labels cannot be drawn here; nil where they can.
  package static let missingFont: String? = {
    do throws(ImagingError) {
      _ = try LabelFont()
      return nil
    } catch {
      return error.description
    }
  }()

  /// - Throws: `memory`.
  package func frame(
    _ result: FrameDetections, on frame: Frame
  ) throws(ImagingError) -> Frame {
    try annotator.drawing(
      result.objects.map { object in
        let score = Int((object.score * 100).rounded())
        return Annotation(
          x1: object.box.x1, y1: object.box.y1, x2: object.box.x2, y2: object.box.y2,
          text: "\(object.label ?? "class \(object.classIndex)") \(score) %",
          color: Color.ofClass(object.classIndex))
      }, on: frame)
  }
}
