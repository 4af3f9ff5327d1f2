// What the process may use, from /proc, the control groups and its own limits. Control groups nest:
// every group above counts as well, so the smallest figure holds. Version 2 has `memory.max`,
// `memory.current` and `pids.max`; version 1 `memory.limit_in_bytes` and
// `memory.usage_in_bytes`. Pages of files that the group could give back (`inactive_file`) count as
// available.
import CLinux
import Files

#if canImport(Glibc)
  import Glibc
#endif

/// What a process may use.
public struct ResourceLimits: Sendable, Hashable {
  /// The bytes of memory that it may hold in all; nil: unknown.
  public var memory: Int?
  public var memoryOrigin: String
  /// What a thread takes of it, in bytes: what is touched of its stack and its allocator's memory.
  public var threadByteCount = 256 << 10
  /// The file handles that it may have open; nil: no limit.
  public var handles: Int?
  public var handlesOrigin: String
  /// The threads that it may still start; nil: no limit.
  public var threads: Int?
  public var threadsOrigin: String
  /// The processors that it may use.
  public var cores: Int

  public init(
    memory: Int? = nil, memoryOrigin: String = "", handles: Int? = nil,
    handlesOrigin: String = "", threads: Int? = nil, threadsOrigin: String = "", cores: Int = 1
  ) {
    self.memory = memory
    self.memoryOrigin = memoryOrigin
    self.handles = handles
    self.handlesOrigin = handlesOrigin
    self.threads = threads
    self.threadsOrigin = threadsOrigin
    self.cores = cores
  }

  /// The limits of this process.
  public static func here(cores: Int) -> ResourceLimits {
    var limits = ResourceReader { try? FileContents.text(of: $0, limit: 1 << 20) }.limits
    limits.cores = cores
    if let (soft, hard) = limit(RLIMIT_NOFILE) {
      limits.handles = hard
      limits.handlesOrigin = soft < hard ? "hard limit; soft \(soft)" : "ulimit -n"
    }
    if let (soft, _) = limit(RLIMIT_AS), soft < Int.max,
      let size = ResourceReader.status("VmSize:"), let resident = ResourceReader.status("VmRSS:")
    {
      let available = max(0, soft - size) + resident
      if available < limits.memory ?? .max {
        (limits.memory, limits.memoryOrigin) = (available, "address space, ulimit -v")
        // Here stacks count whole.
        limits.threadByteCount = 9 << 20
      }
    }
    return limits
  }

  /// Whether the range of addresses of this process is limited: then none should be reserved that
  /// is not used.
  public static var hasAddressLimit: Bool { limit(RLIMIT_AS).map { $0.soft < Int.max } ?? false }

  /// Raises the number of files that may be open to what the process is allowed, where `count`
  /// needs it.
  public static func raiseHandles(to count: Int) {
    guard let (soft, hard) = limit(RLIMIT_NOFILE), soft < count, soft < hard else { return }
    var value = rlimit(rlim_cur: rlim_t(min(hard, max(count, 4096))), rlim_max: rlim_t(hard))
    if hard == Int.max { value.rlim_max = ~0 }
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &value)
  }

  /// Lets all threads share two heaps. Frames and results are made by one thread and freed by
  /// another; with heaps for every thread the memory of a long run would creep up.
  public static func shareHeaps() { cl_limit_heaps(2) }

  /// The open files of this process.
  public static var openHandleCount: Int {
    guard let folder = opendir("/proc/self/fd") else { return 3 }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    // Less ".", ".." and the folder's own.
    return max(0, count - 3)
  }

  /// The resident memory of this process, in bytes.
  public static var residentByteCount: Int { ResourceReader.status("VmRSS:") ?? 0 }

  /// A limit of this process, soft and hard; `Int.max`: none.
  private static func limit(_ resource: __rlimit_resource) -> (soft: Int, hard: Int)? {
    var value = rlimit()
    guard getrlimit(__rlimit_resource_t(resource.rawValue), &value) == 0 else { return nil }
    return (Int(clamping: value.rlim_cur), Int(clamping: value.rlim_max))
  }
}

/// Reads limits from the files of the system.
struct ResourceReader {
  /// Returns the contents of a file, or nil.
  let read: (String) -> String?

  init(_ read: @escaping (String) -> String?) { self.read = read }

  /// Memory and threads; the rest are the process's own limits.
  var limits: ResourceLimits {
    var limits = ResourceLimits(memoryOrigin: "unknown", threadsOrigin: "no limit found")
    // What the process holds already is part of what it may hold in all.
    let own = read("/proc/self/status").flatMap { Self.kilobytes("VmRSS:", in: $0) } ?? 0
    if let text = read("/proc/meminfo"), let free = Self.kilobytes("MemAvailable:", in: text) {
      (limits.memory, limits.memoryOrigin) = (free + own, "free on this machine")
    }
    for folder in groupFolders {
      if let rest = memory(of: folder), rest + own < limits.memory ?? .max {
        (limits.memory, limits.memoryOrigin) = (rest + own, "limit of the control group")
      }
      if let most = number(folder + "/pids.max"), let used = number(folder + "/pids.current") {
        let rest = max(0, most - used)
        if rest < limits.threads ?? .max {
          (limits.threads, limits.threadsOrigin) = (rest, "pids.max of the control group")
        }
      }
    }
    return limits
  }

  /// The bytes that a group's processes may still take; nil: no limit.
  private func memory(of folder: String) -> Int? {
    let (most, used, file): (String, String, String)
    if read(folder + "/memory.max") != nil {
      (most, used, file) = ("memory.max", "memory.current", "inactive_file ")
    } else {
      (most, used, file) = (
        "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "
      )
    }
    // Version 1 says "no limit" with a number near 2⁶³.
    guard let limit = number("\(folder)/\(most)"), limit < 1 << 60,
      let usage = number("\(folder)/\(used)")
    else { return nil }
    let lines = (read(folder + "/memory.stat") ?? "").split(separator: "\n")
    let cached = lines.first { $0.hasPrefix(file) }.flatMap { Int($0.dropFirst(file.count)) } ?? 0
    return max(0, limit - max(0, usage - cached))
  }

  /// The folders of the process's control groups and of all groups above.
  private var groupFolders: [String] {
    var folders: [String] = []
    for line in (read("/proc/self/cgroup") ?? "").split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let controllers = parts[1].split(separator: ",")
      let roots =
        parts[1].isEmpty
        ? ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        : controllers.filter { $0 == "memory" || $0 == "pids" }.map { "/sys/fs/cgroup/\($0)" }
      for root in roots {
        var names = parts[2].split(separator: "/").filter { $0 != ".." }
        repeat {
          folders.append(root + names.map { "/" + $0 }.joined())
        } while names.popLast() != nil
      }
    }
    return folders
  }

  private func number(_ path: String) -> Int? {
    read(path).flatMap { $0.split(separator: "\n").first }.flatMap { Int($0) }
  }

  private static func kilobytes(_ field: String, in text: String) -> Int? {
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(field) }) else {
      return nil
    }
    return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }.map { $0 << 10 }
  }

  /// A field of `/proc/self/status`, in bytes.
  static func status(_ field: String) -> Int? {
    (try? FileContents.text(of: "/proc/self/status", limit: 1 << 20)).flatMap {
      kilobytes(field, in: $0)
    }
  }
}
