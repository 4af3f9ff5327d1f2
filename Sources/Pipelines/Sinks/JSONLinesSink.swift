package import Detections
import Files
package import Imaging

/// Writes one line of JSON per frame: at once into a pipe, and to a file that appears at the end.
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
      try file.deliver()
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
