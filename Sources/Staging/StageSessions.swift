import Compilation
import Graphs
import Planner
import Runtime
import Synchronization
import Tensors

/// The sessions of one staged session: one for each stage that it has lately run.
///
/// Used by one thread at a time, but for the cancellation.
final class StageSessions: @unchecked Sendable {
  private struct Entry {
    var stage: Stage
    var session: Session
    var lastUse: Int
  }

  /// What another thread may touch: nothing else is.
  private struct Current {
    var session: Session?
    var isCancelled = false
  }

  private let options: Session.Options
  private let largestCount: Int
  private let largestByteCount: Int
  private var entries: [ObjectIdentifier: Entry] = [:]
  private var byteCount = 0
  private var clock = 0
  private let current = Mutex(Current())

  init(_ options: Session.Options, limits: StagedModel.Limits) {
    self.options = options
    largestCount = max(limits.cachedStages, 1)
    largestByteCount = limits.cachedByteCount
  }

  // MARK: Cancelling

  func begin() { current.withLock { $0.isCancelled = false } }

  func cancel() {
    current.withLock {
      $0.isCancelled = true
      $0.session?.cancel()
    }
  }

  func checkCancellation() throws(StagingError) {
    guard current.withLock({ $0.isCancelled }) else { return }
    throw StagingError(.cancelled, "the run was cancelled")
  }

  // MARK: Running

  /// Runs a stage that has a program; returns its outputs, which belong to the caller.
  func run(_ stage: Stage, _ inputs: [TensorBuffer]) throws(StagingError) -> [TensorBuffer] {
    do throws(RuntimeError) {
      let session = try session(stage)
      for (index, tensor) in inputs.enumerated() {
        if let bytes = tensor.paddedBytes {
          try session.bind(input: index, to: bytes)
        } else {
          try session.bind(input: index, to: nil)
          try session.setInput(index, tensor)
        }
      }
      var outputs: [TensorBuffer] = []
      for (index, port) in session.outputs.enumerated() {
        let tensor = TensorBuffer(zeros: port.type, port.shape)
        if let bytes = tensor.paddedBytes {
          try session.bind(
            output: index, to: UnsafeMutableRawBufferPointer(mutating: bytes))
        }
        outputs.append(tensor)
      }
      current.withLock { $0.session = session }
      defer { current.withLock { $0.session = nil } }
      try session.run()
      return outputs
    } catch {
      throw StagingError(error)
    }
  }

  private func session(_ stage: Stage) throws(RuntimeError) -> Session {
    clock += 1
    let key = ObjectIdentifier(stage)
    if let entry = entries[key] {
      entries[key]?.lastUse = clock
      return entry.session
    }
    guard let program = stage.program.program else {
      throw RuntimeError(.noSuchProgram, "a stage without a program")
    }
    var options = self.options
    // Waking threads costs more than moving this little.
    if program.tensors.reduce(0, { $0 + $1.byteCount }) < StageSessions.smallProgram {
      options.threads = 1
    }
    let session = try Session(program, weights: stage.program.weights, options: options)
    entries[key] = Entry(stage: stage, session: session, lastUse: clock)
    byteCount += StageSessions.size(session)
    while entries.count > 1, entries.count > largestCount || byteCount > largestByteCount,
      let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      byteCount -= StageSessions.size(oldest.value.session)
      entries[oldest.key] = nil
    }
    return session
  }

  /// The bytes of all tensors up to which a program runs on one thread.
  private static let smallProgram = 1 << 18

  private static func size(_ session: Session) -> Int {
    let memory = session.memory
    return memory.arenaByteCount + memory.scratchByteCount + memory.ioByteCount
  }
}
