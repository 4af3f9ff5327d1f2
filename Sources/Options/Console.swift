import Files

#if canImport(Glibc)
  import Glibc
#endif

/// The process's standard streams. Results go to standard output, everything else to standard
/// error.
package enum Console {
  /// Writes to standard output.
  ///
  /// - Throws: `FileError` where it cannot be written, e.g. because the disk behind it is full. A
  ///   reader that has gone away is no error: there is nobody to tell.
  package static func output(_ text: String) throws(FileError) {
    let failure = send(text, to: STDOUT_FILENO)
    if failure != 0, failure != EPIPE { throw FileError.writing("standard output", failure) }
  }

  /// Writes to standard error; failures are ignored, because there is nowhere to report them.
  package static func diagnose(_ text: String) { _ = send(text, to: STDERR_FILENO) }

  /// Says whether standard error is a terminal.
  package static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// The width of the terminal behind standard error, or 80.
  package static var errorColumns: Int {
    var size = winsize()
    let known = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return known ? Int(size.ws_col) : 80
  }

  /// Returns 0 or the system's error number.
  private static func send(_ text: String, to descriptor: Int32) -> Int32 {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        return errno
      }
      sent += count
    }
    return 0
  }
}
