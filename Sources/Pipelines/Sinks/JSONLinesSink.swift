package import Detections
import Files
package import Imaging

/// Writes one line of JSON per frame.
package final class JSONLinesSink: ResultSink {
  private var file: AtomicFile

  /// - Throws: `sink`, naming the file.
  package init(_ path: String) throws(PipelineError) {
    do throws(FileError) {
      file = try AtomicFile(replacing: path)
    } catch {
      throw PipelineError(writing: error)
    }
  }

  package func take(_ result: FrameDetections, _ frame: Frame) throws(PipelineError) {
    do throws(FileError) {
      try file.write(result.jsonLine + "\n")
    } catch {
      throw PipelineError(writing: error)
    }
  }

  package func finish() throws(PipelineError) {
    do throws(FileError) {
      try file.commit()
    } catch {
      throw PipelineError(writing: error)
    }
  }
}
