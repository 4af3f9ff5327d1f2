#if canImport(Glibc)
  import Glibc
#endif

/// The file handles of this process: files, sockets, shared memory.
package enum OpenHandles {
  /// How many are open now. Opens none itself, so that it works when there are none left.
  package static var count: Int {
    // Handles above this number are rare and would take long to look for.
    let highest = Int32(clamping: min(limit, 1 << 16))
    return (0..<highest).count { fcntl($0, F_GETFD) >= 0 }
  }

  /// How many may be open: the soft limit.
  package static var limit: Int {
    var limits = rlimit()
    guard getrlimit(RLIMIT_NOFILE_KIND, &limits) == 0 else { return 0 }
    return Int(clamping: limits.rlim_cur)
  }

  /// How many are used and allowed, and the remedy, for a message.
  package static var text: String {
    "\(count) of \(limit) file handles are in use; raise the limit with `ulimit -n`, or open less "
      + "at a time"
  }
}

/// Swift imports the number as an enumeration, the function wants it as such.
private let RLIMIT_NOFILE_KIND = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
