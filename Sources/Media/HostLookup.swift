import CMedia
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Asks for a host's addresses on a thread of its own, because the system's way of asking can
/// neither be bounded nor interrupted.
///
/// FFmpeg asks again, and then gets its answer from a name server that has just given one.
enum HostLookup {
  private final class Question: Sendable {
    let host: String
    /// 1: not answered yet; else what getaddrinfo says.
    let answer = Atomic<Int32>(1)

    init(_ host: String) { self.host = host }
  }

  /// Throws `connection` where the host of an address is not known, or what ended the wait.
  static func check(_ host: String, _ watch: Watch) throws(MediaError) {
    guard !isNumeric(host) else { return }
    let question = Question(host)
    guard ask(question) else {
      throw MediaError(APUS_MEDIA_NO_MEMORY, "no thread for asking for the host \(host)")
    }
    while question.answer.load(ordering: .acquiring) == 1 {
      usleep(2000)
      guard !watch.mustStop() else { return }
    }
    let answer = question.answer.load(ordering: .acquiring)
    guard answer != 0 else { return }
    throw MediaError(
      APUS_MEDIA_CONNECTION,
      "the host \(host) is not known (\(String(cString: gai_strerror(answer))), after "
        + "\(watch.elapsed)); check its spelling and the name server")
  }

  private static func isNumeric(_ host: String) -> Bool {
    var storage = in6_addr()
    return inet_pton(AF_INET, host, &storage) == 1 || inet_pton(AF_INET6, host, &storage) == 1
  }

  private static func ask(_ question: Question) -> Bool {
    let context = Unmanaged.passRetained(question).toOpaque()
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        let question = Unmanaged<Question>.fromOpaque(context).takeRetainedValue()
        var list: UnsafeMutablePointer<addrinfo>?
        let answer = getaddrinfo(question.host, nil, nil, &list)
        if answer == 0 { freeaddrinfo(list) }
        // 1 is none of the system's answers.
        question.answer.store(answer, ordering: .releasing)
        return nil
      }, context)
    guard status == 0 else {
      Unmanaged<Question>.fromOpaque(context).release()
      return false
    }
    pthread_detach(thread)
    return true
  }
}
