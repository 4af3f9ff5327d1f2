import Testing

@testable import Pipelines

@Suite struct `A histogram of times` {
  @Test func `is within one percent of sorted times`() {
    for seed in 0..<20 {
      var random = Numbers(seed: UInt64(seed))
      var histogram = TimeHistogram()
      var times: [Double] = []
      for _ in 0..<999 {
        // From microseconds to seconds.
        let time = Double(1 + random.next(1000)) * [0.001, 0.1, 1, 10][random.next(4)]
        times.append(time)
        histogram.add(.milliseconds(1) * time)
      }
      times.sort()
      for share in [0.01, 0.5, 0.95, 1] {
        let exact = times[Int((share * 999).rounded(.up)) - 1]
        let found = histogram.percentile(share)
        #expect(abs(found - exact) <= 0.01 * exact, "\(share): \(found) for \(exact)")
      }
      let mean = times.reduce(0, +) / 999
      #expect(abs(histogram.mean - mean) < 1e-6 * mean)
    }
  }

  @Test func `joins with another as if it had seen all`() {
    var (all, first, second) = (TimeHistogram(), TimeHistogram(), TimeHistogram())
    for number in 1...100 {
      let time = Duration.microseconds(number * number)
      all.add(time)
      if number % 3 == 0 { first.add(time) } else { second.add(time) }
    }
    first.add(second)
    first.add(TimeHistogram())
    #expect(first.count == 100 && first.mean == all.mean)
    for share in [0.1, 0.5, 0.9] { #expect(first.percentile(share) == all.percentile(share)) }
  }

  @Test func `takes times that are outside its buckets`() {
    var histogram = TimeHistogram()
    #expect(histogram.percentile(0.5) == 0 && histogram.mean == 0)
    for time in [Duration.zero, .seconds(100_000), .nanoseconds(-5)] { histogram.add(time) }
    #expect(histogram.count == 3)
    #expect(histogram.percentile(1) > 3_000_000)
  }
}

@Suite struct `The limits of stages` {
  private func stage(
    _ name: String, cpu: Double, width: Int = 2, frames: Int = 1000, cores: Int = 2
  ) -> PipelineReport.Stage {
    var stage = PipelineReport.Stage(name: name)
    (stage.cpu, stage.mean, stage.width, stage.frames) = (cpu, cpu, width, frames)
    stage.limit = StageLimits.limit(mean: cpu, cpu: cpu, width: width, cores: cores, waits: false)
    return stage
  }

  @Test func `count cores, threads and waiting`() {
    #expect(StageLimits.limit(mean: 40, cpu: 2, width: 1, cores: 2, waits: true) == 25)
    #expect(StageLimits.limit(mean: 9, cpu: 4, width: 1, cores: 2, waits: false) == 250)
    #expect(StageLimits.limit(mean: 9, cpu: 4, width: 8, cores: 2, waits: false) == 500)
    #expect(StageLimits.limit(mean: 0, cpu: 0, width: 8, cores: 2, waits: false) == 0)
    #expect(StageLimits.limit(of: [100, 50], cpu: 10, cores: 2) == 150)
    #expect(StageLimits.limit(of: [100, 100, 100], cpu: 10, cores: 2) == 200)
  }

  @Test func `the theoretical rate is the smaller of both`() {
    let stages = [stage("decode", cpu: 4, width: 1), stage("infer", cpu: 1)]
    // One thread decodes 250 a second; two cores do 400 of 5 ms each.
    #expect(StageLimits.theoreticalRate(stages, cores: 2) == 250)
    let even = [stage("decode", cpu: 2, width: 2), stage("infer", cpu: 8)]
    #expect(StageLimits.theoreticalRate(even, cores: 2) == 200)
    #expect(StageLimits.theoreticalRate([], cores: 2) == 0)
  }

  /// A run of 10 s with 1000 frames per stream.
  private func report(
    decode: [Double], infer: Double, sink: Double = 0.1, seconds: Double = 10
  ) -> PipelineReport {
    var report = PipelineReport()
    (report.cores, report.seconds) = (2, seconds)
    for (index, cpu) in decode.enumerated() {
      var stream = PipelineReport.Stream(name: ["a", "b", "c", "d"][index])
      stream.stages = [
        stage("decode", cpu: cpu, width: 1), stage("infer", cpu: infer),
        stage("sink", cpu: sink, width: 1),
      ]
      report.streams.append(stream)
    }
    let count = decode.count
    report.stages = [
      stage(
        "decode", cpu: decode.reduce(0, +) / Double(count), width: count, frames: 1000 * count),
      stage("infer", cpu: infer, frames: 1000 * count),
      stage("sink", cpu: sink, width: count, frames: 1000 * count),
    ]
    return report
  }

  @Test func `the sentence names the stage that takes the cores, and a remedy`() {
    let infer = StageLimits.bottleneck(report(decode: [1, 1], infer: 8))
    #expect(infer.hasPrefix("infer takes 80 % of both cores, which are 91 % busy: "))
    #expect(infer.contains("lower precision"))
    let decode = StageLimits.bottleneck(report(decode: [14.2, 2], infer: 1))
    #expect(decode.hasPrefix("decode of stream a takes 71 % of both cores"))
    #expect(decode.contains("smaller or simpler video"))
    let even = StageLimits.bottleneck(report(decode: [7, 7], infer: 2))
    #expect(even.hasPrefix("decode takes 70 % of both cores"))
  }

  @Test func `the sentence names a thread that never rests while cores are free`() {
    let sentence = StageLimits.bottleneck(report(decode: [9.5], infer: 2))
    #expect(sentence.hasPrefix("decode of stream a keeps its one thread 95 % busy while cores"))
    let sink = StageLimits.bottleneck(report(decode: [1], infer: 1, sink: 9))
    #expect(sink.hasPrefix("sink of stream a") && sink.contains("JSON Lines"))
  }

  @Test func `the sentence says when others have the cores`() {
    var crowded = report(decode: [1, 1], infer: 4.5)
    crowded.stages[1].mean = 9.4
    let sentence = StageLimits.bottleneck(crowded)
    #expect(sentence.hasPrefix("infer is at work 94 % of the time, but gets a core in only 45 %"))
    var live = report(decode: [1, 1], infer: 1)
    live.streams[0].stages[0].mean = 10
    #expect(StageLimits.bottleneck(live).hasPrefix("the sources deliver no more"))
  }

  @Test func `the sentence says when it is the sources`() {
    let sentence = StageLimits.bottleneck(report(decode: [1, 1], infer: 1))
    #expect(sentence.hasPrefix("the sources deliver no more: both cores are 21 % busy"))
    #expect(StageLimits.bottleneck(PipelineReport()) == "")
  }
}

@Suite struct `Times of a stream` {
  @Test func `rise when a file begins again`() {
    var timeline = Timeline()
    var last = -1.0
    for _ in 0..<3 {
      for number in 0..<10 {
        let time = timeline.place(Double(number) * 20) ?? -2
        #expect(abs(time - (last < 0 ? 0 : last + 20)) < 1e-9)
        last = time
      }
      timeline.beginAgain()
    }
  }

  @Test func `leave the gap of a source that was away`() {
    var timeline = Timeline()
    _ = timeline.place(0)
    _ = timeline.place(40)
    timeline.beginAgain(after: 5000)
    #expect(timeline.place(0) == 5040)
    #expect(timeline.place(nil) == nil)
    timeline.beginAgain(after: -10)
    #expect((timeline.place(0) ?? 0) > 5040)
  }

  @Test func `pace a file, and do not catch up after a long wait`() {
    var pacer = Pacer()
    let steps: [(stamp: Double, now: Double, due: Double)] = [
      (100, 5, 5), (140, 5, 5.04),
      // A little late: at once.
      (180, 5.2, 5.08),
      // Held up: from here on anew.
      (220, 9, 9), (260, 9, 9.04),
    ]
    for (stamp, now, due) in steps {
      let found = pacer.due(stamp, at: .seconds(now)) / .seconds(1)
      #expect(abs(found - due) < 1e-6)
    }
  }
}
