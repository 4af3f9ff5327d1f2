import Kernels
import ModelFile
import Runtime
import Texts

/// What `apus bench` has measured.
struct BenchReport {
  var model: String
  var head: ProgramHead
  var threads: Int
  var isa: ISA
  var loadMs: Double
  var firstMs: Double
  /// Sorted, in milliseconds.
  var times: [Double]
  var samplesPerSecond: Double
  var memory: Session.Memory
  var layers: [Trace.Step] = []
  /// The machine's peak in GOP/s for this precision and these threads; 0 where not measured.
  var peak = 0.0

  private var median: Double { times[times.count / 2] }
  private var p95: Double { times[min(times.count - 1, times.count * 95 / 100)] }
  private var peakMemory: Double { Double(ProcessMemory.peakByteCount) / 1_048_576 }
  private var arena: Double {
    Double(memory.arenaByteCount + memory.scratchByteCount + memory.ioByteCount) / 1_048_576
  }

  var json: String {
    var writer = JSONWriter(isIndented: true)
    writer.object { object in
      object.field("model", model)
      object.field("precision", head.precision)
      object.field("threads", threads)
      object.field("isa", isa.description)
      object.field("runs", times.count)
      object.field("load_ms", loadMs)
      object.field("first_ms", firstMs)
      object.field("median_ms", median)
      object.field("p95_ms", p95)
      object.field("min_ms", times[0])
      object.field("throughput_per_s", samplesPerSecond)
      object.field("peak_rss_mb", peakMemory)
      object.field("arena_mb", arena)
      object.field("weights_mb", Double(memory.weightByteCount) / 1_048_576)
      object.field("gop", Double(head.operationCount) / 1e9)
      guard !layers.isEmpty else { return }
      object.array("layers") { array in
        for layer in layers {
          array.object { row in
            row.field("name", layer.name)
            row.field("instruction", layer.opcode)
            row.field("ms", milliseconds(layer))
            row.field("gops", layer.gops)
            row.field("gbps", layer.gbps)
            row.field("percent_of_peak", percent(layer))
          }
        }
      }
    }
    return writer.text + "\n"
  }

  private func milliseconds(_ layer: Trace.Step) -> Double { Double(layer.nanoseconds) / 1e6 }

  private func percent(_ layer: Trace.Step) -> Double {
    peak > 0 ? layer.gops / peak * 100 : 0
  }

  var text: String {
    let gops = median > 0 ? Double(head.operationCount) / 1e6 / median : 0
    var lines = """
      \(model): \(head.precision), \(threads) thread\(threads == 1 ? "" : "s"), \(isa)
      median \(ms(median)) ms, p95 \(ms(p95)), min \(ms(times[0])) (\(times.count) runs), \
      \(NumberText.fixed(samplesPerSecond, decimals: 1)) samples/s, \
      \(NumberText.fixed(gops, decimals: 1)) GOP/s
      load \(ms(loadMs)) ms, first run \(ms(firstMs)) ms
      memory: weights \(NumberText.bytes(memory.weightByteCount)), arena \
      \(NumberText.bytes(memory.arenaByteCount)), scratch \
      \(NumberText.bytes(memory.scratchByteCount)), inputs and outputs \
      \(NumberText.bytes(memory.ioByteCount)); process peak \
      \(NumberText.fixed(peakMemory, decimals: 1)) MiB

      """
    guard !layers.isEmpty else { return lines }
    var table = TextTable([
      (heading: "node", alignment: .left), (heading: "instruction", alignment: .left),
      (heading: "ms", alignment: .right), (heading: "share", alignment: .right),
      (heading: "GOP/s", alignment: .right), (heading: "GB/s", alignment: .right),
      (heading: "% of peak", alignment: .right),
    ])
    let total = layers.reduce(0) { $0 + milliseconds($1) }
    for layer in layers {
      table.add([
        layer.name, layer.opcode, NumberText.fixed(milliseconds(layer), decimals: 4),
        NumberText.fixed(milliseconds(layer) / max(total, 1e-9) * 100, decimals: 1),
        NumberText.fixed(layer.gops, decimals: 1), NumberText.fixed(layer.gbps, decimals: 1),
        NumberText.fixed(percent(layer), decimals: 1),
      ])
    }
    lines += "\n\(table.text)\npeak of this machine: \(NumberText.fixed(peak, decimals: 0)) GOP/s\n"
    return lines
  }

  private func ms(_ value: Double) -> String { NumberText.fixed(value, decimals: 3) }
}
