import Testing

@testable import Pipelines

@Suite struct `Comparing runs` {
  private func record(
    rate: Double = 100, spread: Double = 0, infer: Double = 10, frames: Int = 1000
  ) -> PipelineRecord {
    var report = PipelineReport()
    report.measuredRate = rate
    var decode = PipelineReport.Stage(name: "decode")
    decode.mean = 0.004
    decode.frames = frames
    var stage = PipelineReport.Stage(name: "infer")
    (stage.mean, stage.p50, stage.p95, stage.frames) = (infer, infer, infer * 1.2, frames)
    report.stages = [decode, stage]
    var machine = MachineDescription()
    machine.processor = "Some CPU"
    machine.cores = 2
    machine.isa = "avx2"
    machine.model = "a.apus"
    machine.modelHash = "0123456789abcdef"
    machine.precision = "int8"
    machine.threads = 2
    return PipelineRecord(
      report, machine: machine,
      windowRates: (0..<10).map { rate * (1 + ($0 % 2 == 0 ? spread : -spread)) })
  }

  @Test func `finds nothing slower between equal runs`() throws {
    let comparison = try PipelineComparison(record(), with: record())
    #expect(!comparison.isSlower)
    #expect(comparison.text.contains("Not slower than the earlier run beyond the noise."))
    #expect(comparison.rows.map(\.name) == ["frames per second", "infer"])
  }

  @Test func `allows 5 percent whatever the spread`() throws {
    #expect(try !PipelineComparison(record(rate: 95.1), with: record()).isSlower)
    #expect(try PipelineComparison(record(rate: 94.9), with: record()).isSlower)
    #expect(try !PipelineComparison(record(infer: 10.4), with: record()).isSlower)
  }

  @Test func `allows more where the rate scatters within a run`() throws {
    // A standard deviation of 21 % in ten parts: a standard error of 6.7 % in each run.
    #expect(
      try !PipelineComparison(record(rate: 80, spread: 0.2), with: record(spread: 0.2)).isSlower)
    #expect(
      try PipelineComparison(record(rate: 70, spread: 0.2), with: record(spread: 0.2)).isSlower)
  }

  @Test func `allows more where runs are short`() throws {
    var (now, earlier) = (record(rate: 90), record())
    earlier.windowRates = [100, 100, 100, 100]
    #expect(try !PipelineComparison(now, with: earlier).isSlower)
    now = record(rate: 87)
    #expect(try PipelineComparison(now, with: earlier).isSlower)
    earlier.windowRates = []
    #expect(try !PipelineComparison(now, with: earlier).isSlower)
  }

  @Test func `names what became slower, never what became faster`() throws {
    let slower = try PipelineComparison(record(rate: 80, infer: 12), with: record())
    #expect(
      slower.text.hasSuffix(
        "Slower than the earlier run beyond the noise: frames per second by 20.0 %, "
          + "infer by 20.0 %.\n"))
    #expect(try !PipelineComparison(record(rate: 120, infer: 8), with: record()).isSlower)
  }

  @Test func `refuses runs of different kinds, with every difference`() throws {
    var other = record()
    other.machine.processor = "Another CPU"
    other.machine.threads = 4
    other.machine.modelHash = "fedcba9876543210"
    let error = #expect(throws: PipelineError.self) {
      try PipelineComparison(record(), with: other)
    }
    #expect(error?.code.exitStatus == 65)
    #expect(
      error?.message
        == "the runs cannot be compared: processor: Another CPU then, Some CPU now; threads: 4 "
        + "then, 2 now; model: a.apus (fedcba987654) then, a.apus (0123456789ab) now")
  }

  @Test func `reads back what it wrote`() throws {
    let written = record(rate: 123.25, spread: 0.1)
    let read = try PipelineRecord(parsing: Array(written.json.utf8), file: "a.json")
    #expect(read.machine == written.machine)
    #expect(read.windowRates == written.windowRates)
    #expect(read.report.measuredRate == 123.25)
    #expect(read.report.stages == written.report.stages)
  }

  @Test(arguments: ["[]", "{}", "{\"stages\":[],\"measured_fps\":1}", "{", "nonsense"])
  func `says where a file is no record of a pipeline`(_ text: String) {
    let error = #expect(throws: PipelineError.self) {
      try PipelineRecord(parsing: Array(text.utf8), file: "old.json")
    }
    #expect(error?.code.exitStatus == 65)
    #expect(error?.description.hasPrefix("old.json: line 1, column ") == true)
  }
}

@Suite struct `A pipeline's report` {
  @Test func `shows streams with drops, reconnects and errors, and the bottleneck`() {
    var report = PipelineReport()
    var stream = PipelineReport.Stream(name: "yard")
    stream.state = "failed"
    stream.frames = 1234
    stream.dropped = ["full": 7, "sink": 2]
    stream.reconnects = ["silent": 3]
    stream.errors = ["broke off at 12 s"]
    stream.queue.capacity = 4
    stream.queue.meanDepth = 1.5
    stream.rate = 24.96
    report.streams = [stream]
    var stage = PipelineReport.Stage(name: "infer")
    (stage.mean, stage.p50, stage.p95, stage.cpu, stage.limit) = (10, 9.5, 12.25, 8, 250)
    (stage.frames, stage.width) = (1234, 2)
    report.stages = [stage, PipelineReport.Stage(name: "sink")]
    (report.measuredRate, report.theoreticalRate, report.seconds) = (200, 250, 6.17)
    report.bottleneck = "infer takes it all."
    let lines = report.text.split(separator: "\n").map(String.init)
    #expect(
      lines == [
        "stream  state   frames   fps  queue  latency ms  p95  dropped             reconnects",
        "yard    failed   1,234  25.0  1.5/4         0.0  0.0  9 (full 7, sink 2)  3 (silent 3)",
        "yard: broke off at 12 s",
        "stage  mean ms  p50 ms  p95 ms  cpu ms  at once  limit fps",
        "infer   10.000   9.500  12.250   8.000        2      250.0",
        "1,234 frames in 6.17 s: 200.0 per second measured, 250.0 possible (80 %)",
        "infer takes it all.",
      ])
  }

  @Test func `names the processor of x86 and of ARM`() {
    #expect(
      MachineDescription.processor(
        in: "processor\t: 0\nmodel name\t: AMD  EPYC 9R14\nmodel name\t: x\n")
        == "AMD EPYC 9R14")
    #expect(
      MachineDescription.processor(in: "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n")
        == "implementer 0x41 part 0xd0b")
    #expect(MachineDescription.processor(in: "") == "unknown")
  }
}
