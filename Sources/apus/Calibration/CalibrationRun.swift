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

  /// - Parameters:
  ///   - threads: the samples that are run at once, each on one thread; nil: as many as this
  ///     process may use.
  ///   - memoryLimit: `--memory`.
  init(
    _ calibrator: Calibrator, _ source: CalibrationSource, threads: Int? = nil,
    memoryLimit: Int? = nil
  ) {
    self.calibrator = calibrator
    self.source = source
    self.threads = min(threads ?? WorkerPool.recommendedThreadCount, max(source.count, 1))
    self.memoryLimit = memoryLimit
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
    let progress = Progress("calibrating", total: source.count)
    let source = source
    try SampleLoop.run(source.count, threads: threads) { thread in
      (SampleReader(source), observers[thread])
    } each: { worker, index in
      let name = source.name(at: index)
      try worker.1.observe(worker.0.sample(at: index), sample: index, name: name)
      progress.advance(note: name)
    }
    progress.finish()
    let calibration = calibrator.calibration(observers, isOnData: source.isOnData)
    report(calibration)
    return calibration
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
    let used = ProcessMemory.currentByteCount + CalibrationRun.reserveByteCount
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
