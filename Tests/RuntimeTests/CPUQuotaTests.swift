import Testing

@testable import Runtime

@Suite struct CPUQuotaTests {
  private let unifiedMount =
    "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

  private func quota(_ files: [String: String]) -> Double? {
    CPUQuota.processors { files[$0] }
  }

  @Test func `the smallest quota of all groups above holds`() {
    let files = [
      "/proc/self/cgroup": "0::/outer/inner\n",
      "/proc/self/mountinfo": unifiedMount,
      "/sys/fs/cgroup/outer/inner/cpu.max": "max 100000\n",
      "/sys/fs/cgroup/outer/cpu.max": "150000 100000\n",
      "/sys/fs/cgroup/cpu.max": "800000 100000\n",
    ]
    #expect(quota(files) == 1.5)
  }

  @Test func `a container sees its own group as the root`() {
    let files = [
      "/proc/self/cgroup": "0::/\n",
      "/proc/self/mountinfo": unifiedMount,
      "/sys/fs/cgroup/cpu.max": "200000 100000\n",
    ]
    #expect(quota(files) == 2)
  }

  @Test func `version 1 is read from its own files`() {
    let files = [
      "/proc/self/cgroup": "4:memory:/a\n3:cpu,cpuacct:/docker/x\n0::/\n",
      "/proc/self/mountinfo":
        "31 24 0:27 /docker/x /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    ]
    #expect(quota(files) == 0.5)
  }

  @Test func `no quota and damaged files mean no limit`() {
    #expect(quota([:]) == nil)
    #expect(
      quota([
        "/proc/self/cgroup": "0::/a\nnonsense\n:::\n", "/proc/self/mountinfo": "x - y\n - \n",
      ]) == nil)
    for text in ["max 100000\n", "", "x y", "-1 100000", "100000 0", "1"] {
      #expect(
        quota([
          "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": unifiedMount,
          "/sys/fs/cgroup/cpu.max": text,
        ]) == nil)
    }
  }

  @Test func `this process may use at least one thread`() {
    #expect((1...WorkerPool.largestThreadCount).contains(WorkerPool.recommendedThreadCount))
  }
}
