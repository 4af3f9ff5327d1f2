package import Detections
package import Imaging

/// Writes the frames with their objects drawn as one video.
package final class AnnotatedVideoSink: ResultSink {
  private let path: String
  private let sink: VideoSink
  private let drawing = ObjectDrawing()

  /// - Parameter rate: the frames per second; nil: `ResultSinks.assumedRate`.
  /// - Throws: `sink`, naming the file; `unavailable` without the media library.
  package init(_ path: String, rate: FrameRate?) throws(PipelineError) {
    self.path = path
    guard let rate = rate ?? FrameRate(ResultSinks.assumedRate) else {
      throw PipelineError(.sink, "has no frame rate", place: path)
    }
    do throws(ImagingError) {
      sink = try VideoSink(path, rate: rate)
    } catch {
      throw PipelineError(writing: error, to: path)
    }
  }

  package func take(_ result: FrameDetections, _ frame: Frame) throws(PipelineError) {
    do throws(ImagingError) {
      try sink.write(try drawing.frame(result, on: frame))
    } catch {
      throw PipelineError(writing: error, to: path)
    }
  }

  package func finish() throws(PipelineError) {
    do throws(ImagingError) {
      try sink.finish()
    } catch {
      throw PipelineError(writing: error, to: path)
    }
  }
}
