internal import CMedia
import Synchronization

/// Ends the waits of the sources that it was given to, from any thread.
///
/// One may be shared by several sources. It works once: a source that shall be opened again gets a
/// new one.
public final class MediaInterruption: Sendable {
  private let flag = Atomic<Bool>(false)

  public init() {}

  /// Makes opening and reading return with `interrupted`, at once where they wait for a network.
  public func interrupt() { flag.store(true, ordering: .relaxed) }

  /// Says whether `interrupt` was called.
  public var isInterrupted: Bool { flag.load(ordering: .relaxed) }

  /// Puts this object into the limits of a decoder, which it must outlive.
  func fill(_ limits: inout apus_media_limits) {
    limits.interruption = Unmanaged.passUnretained(self).toOpaque()
    limits.is_interrupted = { object in
      guard let object else { return 0 }
      return Unmanaged<MediaInterruption>.fromOpaque(object).takeUnretainedValue().isInterrupted
        ? 1 : 0
    }
  }
}
