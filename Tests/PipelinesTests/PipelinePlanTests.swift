import Testing

@testable import Pipelines

@Suite struct `A pipeline's plan` {
  private let mebi = 1 << 20

  /// Streams of 20 MiB, 3 handles and 2 threads each; 100 MiB, 10 handles and 6 threads without.
  private func plan(
    streams count: Int, memory: Int? = nil, handles: Int? = nil, threads: Int? = nil
  ) -> PipelinePlan {
    var base = PipelinePlan.Base()
    base.weightByteCount = 40 * mebi
    base.sessionByteCount = 10 * mebi
    base.workerCount = 2
    base.memory = 40 * mebi
    base.handleCount = 10
    base.threadCount = 4
    let streams = (0..<count).map { number in
      var stream = PipelinePlan.Stream(name: "s\(number)")
      stream.source = "h264 1920x1080, 25 fps"
      stream.frameByteCount = 3 * mebi
      stream.frameCount = 6
      stream.sinkByteCount = 2 * mebi
      stream.handleCount = 3
      stream.threadCount = 2
      return stream
    }
    return PipelinePlan(
      base: base, streams: streams,
      limits: ResourceLimits(
        memory: memory, memoryOrigin: "limit of the control group", handles: handles,
        handlesOrigin: "ulimit -n", threads: threads,
        threadsOrigin: "pids.max of the control group",
        cores: 2))
  }

  private func refusal(_ plan: PipelinePlan) -> PipelineError? {
    do throws(PipelineError) {
      try plan.check()
      return nil
    } catch {
      return error
    }
  }

  @Test func `adds up memory by kind`() {
    let memory = Dictionary(
      uniqueKeysWithValues: plan(streams: 4).memory(streams: 4).map { ($0.kind, $0.byteCount) })
    #expect(
      memory == [
        "weights": 40 * mebi, "sessions": 20 * mebi, "frames": 72 * mebi, "sinks": 8 * mebi,
        "program": 40 * mebi + 14 * 256 << 10,
      ])
    #expect(plan(streams: 4).handles(streams: 4) == 22)
    #expect(plan(streams: 4).threads(streams: 4) == 14)
  }

  @Test func `fits where nothing limits it, and exactly at a limit`() {
    #expect(refusal(plan(streams: 4)) == nil)
    let need = plan(streams: 4).totalMemory(streams: 4)
    #expect(refusal(plan(streams: 4, memory: need, handles: 22, threads: 14)) == nil)
    #expect(refusal(plan(streams: 4, memory: need - 1))?.code == .memory)
    #expect(refusal(plan(streams: 4, handles: 21))?.code == .handles)
    #expect(refusal(plan(streams: 4, threads: 13))?.code == .threads)
  }

  @Test func `refuses too much memory with need, limit, what fits, and the remedy`() throws {
    let error = try #require(refusal(plan(streams: 8, memory: 182 * mebi)))
    #expect(error.code == .memory && error.code.exitStatus == 71)
    #expect(
      error.message
        == "8 streams need 265.5 MiB of memory (weights 40.0 MiB, sessions 20.0 MiB, frames 144.0 "
        + "MiB, sinks 16.0 MiB, program 45.5 MiB); 182.0 MiB are available (limit of the control "
        + "group); 3 streams fit. Use fewer streams, or smaller videos or shorter queues "
        + "(\"capacity\").")
  }

  @Test func `refuses too many handles with need, limit, what fits, and the remedy`() throws {
    let error = try #require(refusal(plan(streams: 8, handles: 24)))
    #expect(error.code == .handles && error.code.exitStatus == 71)
    #expect(
      error.message
        == "8 streams need 34 file handles (10 of them without any stream); the limit is 24 "
        + "(ulimit -n); 4 streams fit. Use fewer streams, or raise it with `ulimit -Hn 34`, or "
        + "LimitNOFILE=34 of a systemd service.")
  }

  @Test func `refuses too many threads, and says where not even one stream fits`() throws {
    let error = try #require(refusal(plan(streams: 2, threads: 7)))
    #expect(error.code == .threads && error.code.exitStatus == 71)
    #expect(
      error.message
        == "2 streams need 10 threads; the system allows 7 more (pids.max of the control group); "
        + "not even one stream fits. Use fewer streams, or raise it (ulimit -u, or pids.max of the "
        + "control group).")
  }

  @Test func `counts the streams that all limits allow`() {
    let plan = plan(streams: 8, memory: 182 * mebi, handles: 17, threads: 100)
    #expect(plan.fittingStreamCount == 2)
    #expect(plan.text.contains("2 of 8 streams fit."))
    #expect(plan.json.contains("\"fitting_streams\": 2"))
  }

  @Test func `says what the processors allow and what streams in real time want`() {
    var plan = plan(streams: 2)
    plan.base.run = 8
    plan.base.batchSize = 2
    for index in plan.streams.indices {
      plan.streams[index].decode = 3
      plan.streams[index].preprocess = 1
      plan.streams[index].rate = 150
    }
    #expect(plan.possibleRate == 250)
    #expect(abs((plan.wantedCores ?? 0) - 2.4) < 1e-9)
    #expect(plan.text.contains("The 2 processors allow about 250 frames per second in all"))
    #expect(plan.text.contains("want 2.4 processors: frames will be dropped"))
  }
}

@Suite struct `Limits of the system` {
  private func limits(_ files: [String: String]) -> ResourceLimits {
    ResourceReader { files[$0] }.limits
  }
  private let own = ["/proc/self/status": "Name:\tapus\nVmRSS:\t    1024 kB\n"]

  @Test func `are what is free where no control group says less`() {
    let limits = limits(
      own.merging(["/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   2048 kB\n"]) { $1 })
    #expect(limits.memory == 3 << 20)
    #expect(limits.memoryOrigin == "free on this machine")
    #expect(limits.threads == nil)
  }

  @Test func `follow the smallest control group of version 2, its cache counting as free`() {
    let limits = limits(
      own.merging([
        "/proc/meminfo": "MemAvailable: 1048576 kB\n",
        "/proc/self/cgroup": "0::/system.slice/apus.service\n",
        "/sys/fs/cgroup/system.slice/apus.service/memory.max": "max\n",
        "/sys/fs/cgroup/system.slice/apus.service/memory.current": "1000\n",
        "/sys/fs/cgroup/system.slice/memory.max": "10485760\n",
        "/sys/fs/cgroup/system.slice/memory.current": "6291456\n",
        "/sys/fs/cgroup/system.slice/memory.stat": "anon 5\ninactive_file 1048576\n",
        "/sys/fs/cgroup/system.slice/apus.service/pids.max": "100\n",
        "/sys/fs/cgroup/system.slice/apus.service/pids.current": "30\n",
      ]) { $1 })
    #expect(limits.memory == 6 << 20)
    #expect(limits.memoryOrigin == "limit of the control group")
    #expect(limits.threads == 70)
  }

  @Test func `follow control groups of version 1`() {
    let files = own.merging([
      "/proc/meminfo": "MemAvailable: 1048576 kB\n",
      "/proc/self/cgroup": "4:memory:/job\n3:cpu,pids:/job\n",
      "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "9437184\n",
      "/sys/fs/cgroup/memory/job/memory.usage_in_bytes": "4194304\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "/sys/fs/cgroup/memory/memory.usage_in_bytes": "1\n",
      "/sys/fs/cgroup/pids/job/pids.max": "max\n",
      "/sys/fs/cgroup/pids/job/pids.current": "3\n",
    ]) { $1 }
    #expect(limits(files).memory == 6 << 20)
    #expect(limits(files).threads == nil)
  }

  @Test func `of this process are found`() {
    let limits = ResourceLimits.here(cores: 1)
    #expect(limits.memory ?? 0 > 1 << 20)
    #expect(limits.handles ?? 0 > 3)
    #expect(ResourceLimits.openHandleCount >= 3)
    #expect(ResourceLimits.residentByteCount > 1 << 20)
  }
}
