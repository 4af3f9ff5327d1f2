import Detections
import Imaging
import Pipelines
import Synchronization

/// Notes whether an output could not be written: scripts tell that from a source that was lost.
final class SinkWatch: Sendable {
  private let flag = Atomic<Bool>(false)
  var hasFailed: Bool { flag.load(ordering: .relaxed) }

  /// Opens a sink and watches it.
  func open(
    _ sink: PipelineConfiguration.Sink, _ stream: String, _ rate: FrameRate?
  ) throws(PipelineError) -> any ResultSink {
    do throws(PipelineError) {
      return WatchedSink(try ResultSinks.open(sink, stream: stream, rate: rate), self)
    } catch {
      flag.store(true, ordering: .relaxed)
      throw error
    }
  }

  private final class WatchedSink: ResultSink {
    private let sink: any ResultSink
    private let watch: SinkWatch

    init(_ sink: any ResultSink, _ watch: SinkWatch) {
      self.sink = sink
      self.watch = watch
    }

    func take(_ result: FrameDetections, _ frame: Frame) throws(PipelineError) {
      do throws(PipelineError) {
        try sink.take(result, frame)
      } catch {
        watch.flag.store(true, ordering: .relaxed)
        throw error
      }
    }

    func finish() throws(PipelineError) {
      do throws(PipelineError) {
        try sink.finish()
      } catch {
        watch.flag.store(true, ordering: .relaxed)
        throw error
      }
    }
  }
}
