#if canImport(Glibc)
  import Glibc
#endif

/// A port of this machine behind which there is no real server.
package final class SilentPort {
  /// What happens to those who connect.
  package enum Manner: Sendable {
    /// The system says that nobody listens.
    case refuses
    /// The system takes the connection, and nothing comes.
    case isSilent
    /// The first request is answered with these bytes, whatever it was; then the connection ends.
    case answers([UInt8])
  }

  package let port: Int
  private let socket: Int32

  package init(_ manner: Manner) {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let socket = Glibc.socket(AF_INET, kind, 0)
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
    self.socket = socket
    port = Int(UInt16(bigEndian: address.sin_port))
    switch manner {
    case .refuses: break
    case .isSilent: listen(socket, 8)
    case .answers(let bytes):
      listen(socket, 8)
      Later.run(afterMilliseconds: 0) { SilentPort.serve(socket, bytes) }
    }
  }

  /// - Parameter accepts: whether connections are taken, and then get no answer; else refused.
  package convenience init(accepts: Bool) { self.init(accepts ? .isSilent : .refuses) }

  deinit {
    // Ends the wait of the thread that accepts.
    shutdown(socket, Int32(SHUT_RDWR))
    usleep(1000)
    close(socket)
  }

  /// Answers one connection after the other until the socket ends.
  private static func serve(_ socket: Int32, _ bytes: [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let connection = accept(socket, nil, nil)
      guard connection >= 0 else { return }
      if recv(connection, &buffer, buffer.count, 0) > 0 {
        var sent = 0
        while sent < bytes.count {
          let count = bytes[sent...].withUnsafeBytes {
            send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
          }
          guard count > 0 else { break }
          sent += count
        }
        // Ends the connection in order, so that what was sent is not lost.
        shutdown(connection, Int32(SHUT_WR))
        while recv(connection, &buffer, buffer.count, 0) > 0 {}
      }
      close(connection)
    }
  }
}
