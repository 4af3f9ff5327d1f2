package import Detections
import Files
package import Imaging
internal import Pictures

/// Writes per frame a picture with its objects drawn, and the objects as JSON.
///
/// Both are named after the stream and, with six digits, the frame. Several streams may share a
/// folder.
package final class PictureFolderSink: ResultSink {
  private let path: String
  private let isNumbered: Bool
  private let drawing = ObjectDrawing()
  private var used: Set<String> = []

  /// Makes the folder where it is missing.
  ///
  /// - Parameter isNumbered: false: the first frame has no number, and names that were taken by
  ///   another source of the same name are passed over.
  /// - Throws: `sink`.
  package init(_ path: String, isNumbered: Bool) throws(PipelineError) {
    self.path = path.hasSuffix("/") ? path : path + "/"
    self.isNumbered = isNumbered
    try OutputFolder.make(path)
  }

  package func take(_ result: FrameDetections, _ frame: Frame) throws(PipelineError) {
    let name = "\(path)\(fileName(result))"
    do throws(ImagingError) {
      try Picture.write(try drawing.frame(result, on: frame), to: name + ".jpg")
    } catch {
      throw PipelineError(writing: error, to: name + ".jpg")
    }
    do throws(FileError) {
      try AtomicFile.write(JSONText.document(result.objects) + "\n", to: name + ".json")
    } catch {
      throw PipelineError(writing: error)
    }
  }

  package func finish() throws(PipelineError) {}

  private func fileName(_ result: FrameDetections) -> String {
    func numbered(_ number: Int) -> String {
      let digits = String(number)
      let zeros = String(repeating: "0", count: max(0, 6 - digits.count))
      return "\(result.stream)-\(zeros)\(digits)"
    }
    if isNumbered { return numbered(result.frame) }
    var name = result.frame > 0 ? numbered(result.frame) : result.stream
    var number = result.frame
    while !used.insert(name).inserted {
      name = numbered(number)
      number += 1
    }
    return name
  }
}
