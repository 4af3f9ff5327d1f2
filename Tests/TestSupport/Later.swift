#if canImport(Glibc)
  import Glibc
#endif

/// Runs something on a thread of its own, because tests that block would starve tasks.
package enum Later {
  private final class Work: Sendable {
    let milliseconds: Int
    let body: @Sendable () -> Void

    init(_ milliseconds: Int, _ body: @escaping @Sendable () -> Void) {
      self.milliseconds = milliseconds
      self.body = body
    }
  }

  /// Calls `body` on a new thread after a pause.
  package static func run(
    afterMilliseconds milliseconds: Int, _ body: @escaping @Sendable () -> Void
  ) {
    var thread = pthread_t()
    let work = Unmanaged.passRetained(Work(milliseconds, body)).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        let work = Unmanaged<Work>.fromOpaque(context).takeRetainedValue()
        usleep(UInt32(work.milliseconds * 1000))
        work.body()
        return nil
      }, work)
    if status == 0 { pthread_detach(thread) } else { Unmanaged<Work>.fromOpaque(work).release() }
  }
}

/// A port of this machine that is held, but that nobody serves.
package final class SilentPort {
  package let port: Int
  private let socket: Int32

  /// - Parameter accepts: whether the system takes connections, which then get no answer; else it
  ///   refuses them.
  package init(accepts: Bool) {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        _ = bind(socket, address, length)
        _ = getsockname(socket, address, &length)
      }
    }
    if accepts { listen(socket, 8) }
    self.socket = socket
    port = Int(UInt16(bigEndian: address.sin_port))
  }

  deinit { close(socket) }
}
