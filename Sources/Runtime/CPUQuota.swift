// How many processors a container lets its processes use.
//
// Linux control groups state a quota of processor time per period: version 2 in `cpu.max`
// ("200000 100000": two processors; "max 100000": all), version 1 in `cpu.cfs_quota_us` (-1: all)
// and `cpu.cfs_period_us`. Every group above counts as well, so all folders from the process's own
// group up to where the hierarchy is mounted are read and the smallest quota holds.
// `/proc/self/cgroup` names the group, `/proc/self/mountinfo` where its hierarchy is mounted.

import Glibc

/// The processor quota of a control group.
enum CPUQuota {
  /// Returns the processors that the quota allows, or nil where there is none.
  ///
  /// - Parameter read: returns the contents of a file, or nil.
  static func processors(read: (String) -> String?) -> Double? {
    let groups = (read("/proc/self/cgroup") ?? "").split(separator: "\n")
    let mounts = (read("/proc/self/mountinfo") ?? "").split(separator: "\n").compactMap(Mount.init)
    var smallest: Double?
    for line in groups {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isUnified = parts[0] == "0" && parts[1].isEmpty
      guard isUnified || parts[1].split(separator: ",").contains("cpu") else { continue }
      for mount in mounts where mount.holds(unified: isUnified) {
        for folder in mount.folders(of: String(parts[2])) {
          let quota = isUnified ? unified(folder, read) : legacy(folder, read)
          if let quota { smallest = min(smallest ?? quota, quota) }
        }
      }
    }
    return smallest
  }

  private static func unified(_ folder: String, _ read: (String) -> String?) -> Double? {
    let words = (read(folder + "/cpu.max") ?? "").split { $0 == " " || $0 == "\n" }
    guard words.count == 2 else { return nil }
    return ratio(Double(String(words[0])), Double(String(words[1])))
  }

  private static func legacy(_ folder: String, _ read: (String) -> String?) -> Double? {
    func number(_ name: String) -> Double? {
      read(folder + "/" + name).flatMap { $0.split(separator: "\n").first }
        .flatMap { Double(String($0)) }
    }
    return ratio(number("cpu.cfs_quota_us"), number("cpu.cfs_period_us"))
  }

  private static func ratio(_ quota: Double?, _ period: Double?) -> Double? {
    guard let quota, let period, quota > 0, period > 0 else { return nil }
    return quota / period
  }

  /// A line of `/proc/self/mountinfo` that is about control groups.
  private struct Mount {
    var root: String
    var point: String
    var type: String
    var options: [Substring]

    init?(_ line: Substring) {
      let words = line.split(separator: " ")
      guard let dash = words.firstIndex(of: "-"), words.count > dash + 1, dash > 4 else {
        return nil
      }
      root = String(words[3])
      point = String(words[4])
      type = String(words[dash + 1])
      options = words.last?.split(separator: ",") ?? []
    }

    func holds(unified: Bool) -> Bool {
      unified ? type == "cgroup2" : type == "cgroup" && options.contains("cpu")
    }

    /// The folders of a group and of all groups above it, as far as they are mounted.
    func folders(of group: String) -> [String] {
      var path = group
      if root != "/", path == root || path.hasPrefix(root + "/") {
        path.removeFirst(root.count)
      }
      var names = path.split(separator: "/").filter { $0 != ".." }
      var folders: [String] = []
      while true {
        folders.append(point + names.map { "/" + $0 }.joined())
        guard names.popLast() != nil else { return folders }
      }
    }
  }

  /// Returns the first 64 KiB of a file, or nil.
  static func contents(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    var length = 0
    while length < bytes.count {
      let count = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress.map { $0 + length }, $0.count - length)
      }
      guard count > 0 else { break }
      length += count
    }
    return String(decoding: bytes[..<length], as: UTF8.self)
  }
}
