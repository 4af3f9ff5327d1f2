import Kernels
import Runtime
import Texts

/// Where the time of a run goes: its instructions beside what the machine can do at most.
struct BenchLayers {
  /// The machine's limits for one thread, measured right before and right after the traces.
  struct Peak {
    var before: Double
    var after: Double
    /// Clocks rise and fall; the machine could do at least the better of both.
    var best: Double { max(before, after) }
  }

  let steps: [Trace.Step]
  let threads: Int
  /// GOP/s by precision.
  private let peaks: [(precision: String, peak: Peak)]
  /// GB/s of copying, read and written bytes counted.
  private let copying: Peak

  /// Traces a session several times; every instruction's time is the median.
  init(_ session: Session, precision: String) throws {
    let precisions = ["fp32"] + (precision == "fp32" ? [] : [precision])
    let measure = { precisions.map { MachinePeak.measure(precision: $0, isas: session.isas) } }
    let before = (measure(), MachinePeak.copying())
    // As many as fit into half a second, so that short runs are not judged by few samples.
    var traces: [Trace] = []
    let clock = ContinuousClock()
    let start = clock.now
    while traces.count < 10 || traces.count < 100 && (clock.now - start).milliseconds < 500 {
      traces.append(try session.trace())
    }
    let after = (measure(), MachinePeak.copying())
    steps = Trace.median(traces)?.steps ?? []
    threads = session.threadCount
    peaks = precisions.indices.map {
      (precisions[$0], Peak(before: before.0[$0], after: after.0[$0]))
    }
    copying = Peak(before: before.1, after: after.1)
  }

  // MARK: Shares

  /// What an instruction multiplies in: the names of 8-bit instructions and of kernels say it.
  private func precision(_ step: Trace.Step) -> String {
    if step.opcode.hasSuffix("int8") { return "int8" }
    return step.method.contains("bf16") ? "bf16" : "fp32"
  }

  private func peak(_ step: Trace.Step) -> Double {
    let precision = precision(step)
    let known = peaks.first { $0.precision == precision } ?? peaks[0]
    return known.peak.best * Double(threads)
  }

  /// Of the arithmetic that the machine could have done in this time.
  func percentOfPeak(_ step: Trace.Step) -> Double { share(step.gops, of: peak(step)) }

  /// Of the bytes that the machine could have copied in this time.
  func percentOfCopying(_ step: Trace.Step) -> Double {
    share(step.gbps, of: copying.best * Double(threads))
  }

  private func share(_ rate: Double, of limit: Double) -> Double {
    limit > 0 ? rate / limit * 100 : 0
  }

  private static func milliseconds(_ step: Trace.Step) -> Double { Double(step.nanoseconds) / 1e6 }

  private var total: Double { steps.reduce(0) { $0 + BenchLayers.milliseconds($1) } }

  // MARK: Kinds

  /// All instructions of one kind.
  private struct Kind {
    var opcode: String
    var count = 0
    var milliseconds = 0.0
    var gop = 0.0
    /// What the machine's limits alone would take: the longer of arithmetic and copying.
    var least = 0.0
  }

  /// Slowest first.
  private var kinds: [Kind] {
    var kinds: [Kind] = []
    for step in steps {
      let place = kinds.firstIndex { $0.opcode == step.opcode } ?? kinds.count
      if place == kinds.count { kinds.append(Kind(opcode: step.opcode)) }
      let time = BenchLayers.milliseconds(step)
      kinds[place].count += 1
      kinds[place].milliseconds += time
      kinds[place].gop += Double(step.operationCount) / 1e9
      kinds[place].least +=
        time * min(1, max(percentOfPeak(step), percentOfCopying(step)) / 100)
    }
    return kinds.sorted { $0.milliseconds > $1.milliseconds }
  }

  // MARK: Output

  func write(to object: inout JSONWriter) {
    object.object("peaks") { peaks in
      for (precision, peak) in self.peaks {
        peaks.object("\(precision)_gops_per_thread") { write(peak, to: &$0) }
      }
      peaks.object("copy_gbps_per_thread") { write(copying, to: &$0) }
    }
    object.array("layers") { array in
      for step in steps {
        array.object { row in
          row.field("name", step.name)
          row.field("instruction", step.opcode)
          row.field("method", step.method)
          row.field("ms", BenchLayers.milliseconds(step))
          row.field("gop", Double(step.operationCount) / 1e9)
          row.field("bytes", step.byteCount)
          row.field("gops", step.gops)
          row.field("gbps", step.gbps)
          row.field("percent_of_peak", percentOfPeak(step))
          row.field("percent_of_copy", percentOfCopying(step))
        }
      }
    }
    object.array("kinds") { array in
      for kind in kinds {
        array.object { row in
          row.field("instruction", kind.opcode)
          row.field("count", kind.count)
          row.field("ms", kind.milliseconds)
          row.field("gop", kind.gop)
          row.field("least_ms", kind.least)
        }
      }
    }
  }

  private func write(_ peak: Peak, to object: inout JSONWriter) {
    object.field("before", peak.before)
    object.field("after", peak.after)
  }

  var text: String { "\n\(table)\n\(summary)\n\(limits)\n" }

  private var table: String {
    var table = TextTable([
      (heading: "node", alignment: .left), (heading: "instruction", alignment: .left),
      (heading: "ms", alignment: .right), (heading: "share", alignment: .right),
      (heading: "GOP/s", alignment: .right), (heading: "GB/s", alignment: .right),
      (heading: "% of peak", alignment: .right), (heading: "% of copy", alignment: .right),
      (heading: "method", alignment: .left),
    ])
    let total = max(total, 1e-9)
    for step in steps {
      let time = BenchLayers.milliseconds(step)
      table.add(
        [step.name, step.opcode, NumberText.fixed(time, decimals: 4)]
          + [
            time / total * 100, step.gops, step.gbps, percentOfPeak(step), percentOfCopying(step),
          ].map { NumberText.fixed($0, decimals: 1) } + [step.method])
    }
    return table.text
  }

  private var summary: String {
    var table = TextTable([
      (heading: "where the time goes", alignment: .left), (heading: "count", alignment: .right),
      (heading: "ms", alignment: .right), (heading: "share", alignment: .right),
      (heading: "GOP/s", alignment: .right), (heading: "ms above the limits", alignment: .right),
    ])
    let total = max(total, 1e-9)
    for kind in kinds {
      let rate = kind.milliseconds > 0 ? kind.gop / kind.milliseconds * 1e3 : 0
      table.add([
        kind.opcode, "\(kind.count)", NumberText.fixed(kind.milliseconds, decimals: 4),
        NumberText.fixed(kind.milliseconds / total * 100, decimals: 1),
        NumberText.fixed(rate, decimals: 1),
        NumberText.fixed(kind.milliseconds - kind.least, decimals: 4),
      ])
    }
    return table.text
  }

  private var limits: String {
    let peaks = peaks.map { precision, peak in "\(precision) \(text(peak)) GOP/s" }
    return "limits of one thread, before and after: " + peaks.joined(separator: ", ")
      + ", copying \(text(copying)) GB/s"
  }

  private func text(_ peak: Peak) -> String {
    NumberText.fixed(peak.before, decimals: 0) + "/" + NumberText.fixed(peak.after, decimals: 0)
  }
}
