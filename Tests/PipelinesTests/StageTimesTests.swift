import Pipelines
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct `Times of stages` {
  @Test func `are listed in order, for stages that ran`() throws {
    let times = StageTimes(["decode", "infer", "sink"])
    for _ in 0..<3 { #expect(times.measure("sink") { 7 } == 7) }
    times.measure("decode") {}
    #expect(times.stages.map(\.name) == ["decode", "sink"])
    #expect(times.stages.map(\.frames) == [1, 3])
  }

  @Test func `tell waiting from work`() throws {
    // Processor time is that of the process, in which other tests run side by side: a moment
    // without them will come.
    for _ in 0..<50 {
      let stages = waitAndWork()
      #expect(stages.allSatisfy { $0.mean >= 29 && $0.p50 > 29 && $0.limit < 35 })
      if stages[1].cpu > stages[0].cpu { return }
    }
    Issue.record("waiting never took less processor time than work")
  }

  private func waitAndWork() -> [PipelineReport.Stage] {
    let times = StageTimes(["wait", "work"])
    let clock = ContinuousClock()
    times.measure("wait") {
      let end = clock.now + .milliseconds(30)
      while clock.now < end { usleep(5000) }
    }
    var sum = 1.0
    times.measure("work") {
      let end = clock.now + .milliseconds(30)
      while clock.now < end { sum = (sum * 1.5).squareRoot() }
    }
    #expect(sum > 0)
    return times.stages
  }
}
