#if canImport(Glibc)
  import Glibc
#endif

/// The times of the stages of a run in which one follows the other.
///
/// Belongs to one thread at a time.
package final class StageTimes {
  private let names: [String]
  private var clocks: [String: StageClock] = [:]
  private let clock = ContinuousClock()

  /// - Parameter names: the stages in the order of reports.
  package init(_ names: [String]) { self.names = names }

  /// Times one piece of work of a stage: one frame or sample.
  package func measure<R>(_ stage: String, _ body: () throws -> R) rethrows -> R {
    let (start, cpu) = (clock.now, StageTimes.processorTime)
    let result = try body()
    clocks[stage, default: StageClock()].add(
      wall: clock.now - start, cpu: StageTimes.processorTime - cpu)
    return result
  }

  /// One row per stage that ran.
  package var stages: [PipelineReport.Stage] {
    names.compactMap { name in
      guard let clock = clocks[name] else { return nil }
      var stage = PipelineReport.Stage(name: name)
      stage.frames = clock.wall.count
      stage.mean = clock.wall.mean
      stage.p50 = clock.wall.percentile(0.5)
      stage.p95 = clock.wall.percentile(0.95)
      stage.cpu = clock.meanCPU
      stage.limit = stage.mean > 0 ? 1000 / stage.mean : 0
      return stage
    }
  }

  /// The processor time of all threads of the process: only one stage runs at a time.
  private static var processorTime: Duration {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
