internal import CLinux

/// The process's one pool of worker threads, shared by all sessions.
///
/// Workers sleep between runs. One run has the pool at a time; another that finds it busy does all
/// its work on its own thread instead of waiting. A process that forks gets new workers in the
/// child when it first runs something there.
public enum WorkerPool {
  /// The most threads of one run.
  public static let largestThreadCount = Int(CL_LARGEST_TEAM)

  /// The threads that a run should use: the processors that this process may use, by affinity and
  /// by the quota of its control groups, whichever is less; at least 1.
  public static let recommendedThreadCount: Int = {
    let affinity = Int(cl_affinity_count())
    let quota = CPUQuota.processors(read: CPUQuota.contents)
    let limit = quota.map { Int(max(1, min($0, 4096))) } ?? affinity
    return max(1, min(affinity, limit, largestThreadCount))
  }()

  /// The worker threads of this process now; callers' own threads not among them.
  public static var workerCount: Int { Int(cl_pool_worker_count()) }

  /// Starts the workers that runs of this many threads need.
  ///
  /// - Throws: `RuntimeError` where the system allows no more threads.
  static func prepare(threads: Int) throws(RuntimeError) {
    guard (1...largestThreadCount).contains(threads) else {
      throw RuntimeError(
        .outOfThreads, "\(threads) threads are asked for; a run has 1 to \(largestThreadCount)")
    }
    let error = cl_pool_prepare(Int32(threads))
    guard error == 0 else {
      throw RuntimeError(
        .outOfThreads,
        "a run of \(threads) threads needs \(threads - 1) workers; the system allowed "
          + "\(workerCount). Ask for fewer threads or raise the limit of processes (ulimit -u)")
    }
  }

  /// Walks a program with all its parts at once. False: the pool is busy, and nothing was done.
  static func run(_ state: UnsafeMutablePointer<RunState>) -> Bool {
    let parts = Int32(state.pointee.parts)
    if cl_pool_run(walkPart, state, parts) { return true }
    // Workers are missing only in a child of a fork, on its first run.
    guard cl_pool_worker_count() < parts - 1, cl_pool_prepare(parts) == 0 else { return false }
    return cl_pool_run(walkPart, state, parts)
  }
}

/// What every worker does in a run.
private let walkPart: cl_work = { context, part in
  guard let context else { return }
  RunState.walk(context.assumingMemoryBound(to: RunState.self), part: Int(part))
}
