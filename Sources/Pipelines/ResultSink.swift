public import Detections
public import Imaging

/// Takes the results of one stream, frame by frame, in order.
///
/// Belongs to one thread at a time. A sink that is dropped unfinished leaves no file behind.
public protocol ResultSink: AnyObject {
  /// Takes what was found in one frame.
  ///
  /// - Throws: `sink`, naming the file.
  func take(_ result: FrameDetections, _ frame: Frame) throws(PipelineError)

  /// Writes what is left; until then no file bears the final name.
  func finish() throws(PipelineError)
}
