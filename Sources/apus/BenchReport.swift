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
  /// What the process held at most, and holds, before instructions are timed.
  let peakByteCount = ProcessMemory.peakByteCount
  let currentByteCount = ProcessMemory.currentByteCount
  var layers: BenchLayers?

  private var median: Double { times[times.count / 2] }
  private var p95: Double { times[min(times.count - 1, times.count * 95 / 100)] }
  private var peakMemory: Double { Double(peakByteCount) / 1_048_576 }
  private var currentMemory: Double { Double(currentByteCount) / 1_048_576 }
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
      object.field("rss_mb", currentMemory)
      object.field("arena_mb", arena)
      object.field("weights_mb", Double(memory.weightByteCount) / 1_048_576)
      object.field("derived_weights_mb", Double(memory.derivedWeightByteCount) / 1_048_576)
      object.field("gop", Double(head.operationCount) / 1e9)
      layers?.write(to: &object)
    }
    return writer.text + "\n"
  }

  var text: String {
    let gops = median > 0 ? Double(head.operationCount) / 1e6 / median : 0
    let derived =
      memory.derivedWeightByteCount > 0
      ? " and \(NumberText.bytes(memory.derivedWeightByteCount)) made of them at load" : ""
    let lines = """
      \(model): \(head.precision), \(threads) thread\(threads == 1 ? "" : "s"), \(isa)
      median \(ms(median)) ms, p95 \(ms(p95)), min \(ms(times[0])) (\(times.count) runs), \
      \(NumberText.fixed(samplesPerSecond, decimals: 1)) samples/s, \
      \(NumberText.fixed(gops, decimals: 1)) GOP/s
      load \(ms(loadMs)) ms, first run \(ms(firstMs)) ms
      memory: weights \(NumberText.bytes(memory.weightByteCount))\(derived), arena \
      \(NumberText.bytes(memory.arenaByteCount)), scratch \
      \(NumberText.bytes(memory.scratchByteCount)), inputs and outputs \
      \(NumberText.bytes(memory.ioByteCount)); process peak \
      \(NumberText.fixed(peakMemory, decimals: 1)) MiB

      """
    return lines + (layers?.text ?? "")
  }

  private func ms(_ value: Double) -> String { NumberText.fixed(value, decimals: 3) }
}
