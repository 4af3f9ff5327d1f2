#if canImport(Glibc)
  import Glibc
#endif

/// A server that a test starts on this machine, at a port that the system chooses.
///
/// It ends with this object, and with the test's process however that one ends: its standard input
/// is a socket that the process holds. Needs the Debian packages of `Scripts/setup.sh --tests`.
package final class LoopbackServer {
  /// Why a server did not start.
  package struct Fault: Error, CustomStringConvertible {
    package let description: String
  }

  /// Where it serves, e.g. `rtsp://127.0.0.1:40123/clip` or `http://127.0.0.1:40124/`.
  package private(set) var address = ""
  /// The process; 0 while it does not run.
  package private(set) var process: pid_t = 0
  private let command: (_ port: String) -> [String]
  /// Our end of the server's standard input and output.
  private var socket: Int32 = -1

  private static let python = "/usr/bin/python3"

  /// Serves the H.264 clip at `path` over RTSP: looped, in real time, to each client from its
  /// beginning.
  package static func rtsp(_ path: String) throws -> LoopbackServer {
    let folder = "\(#filePath)".split(separator: "/").dropLast().joined(separator: "/")
    return try LoopbackServer { port in
      [python, "/\(folder)/Servers/rtsp_server.py", path, port]
    }
  }

  /// Serves the files of a folder over HTTP, without byte ranges.
  package static func http(_ folder: String) throws -> LoopbackServer {
    try LoopbackServer { port in
      [python, "-u", "-m", "http.server", port, "--bind", "127.0.0.1", "--directory", folder]
    }
  }

  private init(_ command: @escaping (_ port: String) -> [String]) throws {
    self.command = command
    try start("0")
  }

  deinit { kill() }

  /// The port where it serves.
  package var port: Int {
    let host = address.drop { $0 != ":" }.dropFirst(3).prefix { $0 != "/" }
    return host.lastIndex(of: ":").flatMap { Int(host[host.index(after: $0)...]) } ?? 0
  }

  /// Ends the server at once.
  package func kill() {
    if process > 0 {
      Glibc.kill(process, SIGKILL)
      var status: Int32 = 0
      while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }
    process = 0
    if socket >= 0 { close(socket) }
    socket = -1
  }

  /// Stops the process, which keeps its connections, until `resume`.
  package func pause() { if process > 0 { Glibc.kill(process, SIGSTOP) } }

  /// Lets a stopped process go on.
  package func resume() { if process > 0 { Glibc.kill(process, SIGCONT) } }

  /// Starts the server again, at the same address.
  package func restart() throws {
    let port = port
    kill()
    try start("\(port)")
  }

  private func start(_ port: String) throws {
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Fault(description: "no socket") }
    socket = ends[0]
    let status = spawn(command(port), ends[1])
    close(ends[1])
    guard status == 0 else {
      throw Fault(description: "\(command(port)): \(String(cString: strerror(status)))")
    }
    address = try awaitAddress()
  }

  /// Starts a process in a group of its own with `end` as standard input, output and error.
  private func spawn(_ arguments: [String], _ end: Int32) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    for target in Int32(0)...2 { posix_spawn_file_actions_adddup2(&actions, end, target) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    // The signals that a test runner ignores or blocks are not the server's business.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGMASK))
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer {
      for word in words { free(word) }
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    return posix_spawn(&process, arguments[0], &actions, &attributes, &words, environ)
  }

  /// Reads the server's output until an address stands there, for at most 30 seconds.
  private func awaitAddress() throws -> String {
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    for _ in 0..<300 {
      var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, 100) > 0 else { continue }
      let count = read(socket, &buffer, buffer.count)
      guard count > 0 else { break }
      text += buffer[0..<count]
      let line = String(decoding: text, as: UTF8.self)
      guard line.hasSuffix("\n"), let mark = line.firstRange(of: "://") else { continue }
      let scheme = line[..<mark.lowerBound].reversed().prefix { $0.isLetter }
      let rest = line[mark.upperBound...].prefix { !$0.isWhitespace && $0 != ")" }
      return String(scheme.reversed()) + "://" + rest
    }
    kill()
    throw Fault(
      description: "the server \(command("0")) gave no address (are the packages of "
        + "'Scripts/setup.sh --tests' installed?): \(String(decoding: text, as: UTF8.self))")
  }
}
