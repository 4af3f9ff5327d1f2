import CFFmpeg
import CMedia

#if canImport(Glibc)
  import Glibc
#endif

/// Bounds the waits of one decoder: by a deadline and by the caller's wish to stop.
///
/// FFmpeg asks `mustStop` about ten times a second while it waits for a network, always on the
/// thread that called it.
final class Watch {
  /// Why a wait ended.
  enum Verdict {
    case timedOut
    case interrupted
  }

  private let isInterrupted: (@convention(c) (UnsafeMutableRawPointer?) -> Int32)?
  private let interruption: UnsafeMutableRawPointer?
  private var start: Int64 = 0
  private var limit: Int64 = 0
  private(set) var verdict: Verdict?

  init(_ limits: DecodingLimits) {
    isInterrupted = limits.isInterrupted
    interruption = limits.interruption
  }

  /// Begins a wait of at most `limit` microseconds; 0 for an endless one.
  func begin(_ limit: Int64) {
    start = Watch.now
    self.limit = limit
    verdict = nil
  }

  /// Says whether the wait has to end.
  func mustStop() -> Bool {
    if verdict != nil { return true }
    if let isInterrupted, isInterrupted(interruption) != 0 {
      verdict = .interrupted
    } else if limit > 0, Watch.now - start > limit {
      verdict = .timedOut
    }
    return verdict != nil
  }

  /// How long the wait has lasted, e.g. "2.5 s".
  var elapsed: String { Watch.seconds(Watch.now - start) }

  /// The time allowed in words.
  var allowed: String { Watch.seconds(limit) }

  /// A time in words.
  static func seconds(_ microseconds: Int64) -> String {
    "\(Double((microseconds + 50_000) / 100_000) / 10) s"
  }

  /// A clock that never jumps, in microseconds.
  static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }

  /// What FFmpeg calls; the watch outlives the context that it is given to.
  var callback: AVIOInterruptCB {
    AVIOInterruptCB(
      callback: { watch in
        guard let watch else { return 0 }
        return Unmanaged<Watch>.fromOpaque(watch).takeUnretainedValue().mustStop() ? 1 : 0
      }, opaque: Unmanaged.passUnretained(self).toOpaque())
  }
}
