import Compilation
import Files
import Options
import Runtime
import Texts

/// Calibration as verbs do it: checks the samples, fits into the memory, observes on several
/// threads.
struct CalibrationRun {
  private let calibrator: Calibrator
  private let source: CalibrationSource
  private let threads: Int
  private let memoryLimit: Int?
  private let checkpoint: CheckpointFile?

  /// - Parameters:
  ///   - threads: the samples that are run at once, each on one thread; nil: as many as this
  ///     process may use.
  ///   - memoryLimit: `--memory`.
  ///   - checkpoint: where to save now and then what was seen, and to go on from.
  init(
    _ calibrator: Calibrator, _ source: CalibrationSource, threads: Int? = nil,
    memoryLimit: Int? = nil, checkpoint: CheckpointFile? = nil
  ) {
    self.calibrator = calibrator
    self.source = source
    self.threads = min(threads ?? WorkerPool.recommendedThreadCount, max(source.count, 1))
    self.memoryLimit = memoryLimit
    self.checkpoint = checkpoint
  }

  /// Runs all samples. Warnings go to standard error.
  ///
  /// - Throws: a bad sample by its name, before work starts where reading shows it; exit 71 where
  ///   the memory does not do for one session.
  func run() throws -> Calibration {
    let check = try SampleCheck(source).run(threads: threads)
    for warning in check.warnings { Console.diagnose("warning: \(warning)\n") }
    let threads = try affordableThreads(check)
    let observers = try (0..<threads).map { _ in try calibrator.observer() }
    var first = 0
    if let saved = checkpoint?.read(calibrator), (1...source.count).contains(saved.sampleCount) {
      observers[0].resume(saved)
      first = saved.sampleCount
      Console.diagnose("going on behind sample \(first) of \(source.count)\n")
    }
    try observe(observers, from: first)
    let calibration = calibrator.calibration(observers, isOnData: source.isOnData)
    report(calibration)
    return calibration
  }

  /// Samples per thread between two possible checkpoints, at which threads wait for each other.
  private static let stretch = 16

  private func observe(_ observers: [RangeObserver], from first: Int) throws {
    let progress = Progress("calibrating", total: source.count - first)
    let source = source
    var start = first
    while start < source.count {
      let begin = start
      let end = min(begin + observers.count * CalibrationRun.stretch, source.count)
      try SampleLoop.run(end - begin, threads: observers.count) { thread in
        (SampleReader(source), observers[thread])
      } each: { worker, offset in
        let name = source.name(at: begin + offset)
        let inputs = try worker.0.sample(at: begin + offset)
        try worker.1.observe(inputs, sample: begin + offset, name: name)
        progress.advance(note: name)
      }
      start = end
      if start < source.count { try checkpoint?.saveIfDue(calibrator, observers) }
    }
    progress.finish()
  }

  private func report(_ calibration: Calibration) {
    if !calibration.isOnData {
      Console.diagnose("NOT CALIBRATED ON DATA: the \(source.count) samples were random\n")
    }
    if let first = calibration.infinite.first {
      let others = calibration.infinite.count - 1
      Console.diagnose(
        "warning: \"\(first.name)\"\(others > 0 ? " and \(others) more values" : "") held "
          + "infinity, first in \(source.name(at: first.sample)); such values get no range and "
          + "stay float\n"
      )
    }
  }

  // MARK: Memory

  /// What a thread needs beside its observer: tables, stacks, what the allocator keeps.
  private static let threadByteCount = 8 << 20
  /// What choosing the ranges and writing the table needs.
  private static let reserveByteCount = 16 << 20

  /// The threads whose sessions fit under the limit.
  private func affordableThreads(_ check: SampleCheck.Result) throws -> Int {
    guard let limit = memoryLimit else { return threads }
    // A checkpoint and the result are put together beside the observers.
    let used =
      ProcessMemory.currentByteCount + CalibrationRun.reserveByteCount
      + calibrator.histogramByteCount * (checkpoint == nil ? 1 : 3)
    let sample = calibrator.inputs.reduce(0) { sum, port in
      sum + (port.type.byteCount(of: port.shape.elementCount) ?? 0)
    }
    let each =
      calibrator.observerByteCount + sample + check.largestFrameByteCount
      + CalibrationRun.threadByteCount
    let possible = max(limit - used, 0) / each
    guard possible >= 1 else {
      throw VerbError(
        .unavailable,
        "calibration needs \(NumberText.bytes(used + each)): \(NumberText.bytes(used)) for the "
          + "model, of which \(NumberText.bytes(calibrator.weightByteCount)) weights, and "
          + "\(NumberText.bytes(each)) for one session with its histograms; --memory allows "
          + "\(NumberText.bytes(limit)). Allow at least "
          + "\((used + each + (1 << 20) - 1) >> 20)M, or take a smaller --shape")
    }
    if possible < threads {
      Console.diagnose(
        "--memory \(NumberText.bytes(limit)): \(possible) of \(threads) samples run at once, "
          + "\(NumberText.bytes(each)) each\n")
    }
    return min(threads, possible)
  }
}
