import Files
import Kernels
import Options
import Tensors
import Texts

/// `apus bench --machine`: the peaks that layers are compared with.
struct MachineBench {
  private let given: Given

  init(_ given: Given) { self.given = given }

  func run() throws -> ExitCode {
    let isas = try SharedOptions.isas(given)
    let rows = ["fp32", "bf16", "int8"].map { ($0, MachinePeak.measure(precision: $0, isas: isas)) }
    if given[SharedOptions.json] {
      var writer = JSONWriter(isIndented: true)
      writer.object { object in
        object.field("isas", ISA.available.map(\.description))
        for (precision, peak) in rows { object.field("\(precision)_gops_per_thread", peak) }
      }
      try Console.output(writer.text + "\n")
    } else {
      for (precision, peak) in rows {
        try Console.output(
          "\(precision): \(NumberText.fixed(peak, decimals: 0)) GOP/s per thread\n")
      }
    }
    return .done
  }
}

/// The most multiply-adds per second that one thread of this machine reaches.
enum MachinePeak {
  /// Measures the peak in GOP/s (2 per multiply-add): the best of several short bursts.
  static func measure(precision: String, isas: Set<ISA>) -> Double {
    let clock = ContinuousClock()
    var best = 0.0
    let begin = clock.now
    // Long enough that the clock frequency has risen.
    while (clock.now - begin).milliseconds < 200 {
      let start = clock.now
      let operations = ComputePeak.burst(precision: precision, isas: isas)
      let ms = (clock.now - start).milliseconds
      if ms > 0 { best = max(best, Double(operations) / ms / 1e6) }
    }
    return best
  }
}

extension MachinePeak {
  /// Measures how fast one thread copies memory that the last level of the cache holds, in GB/s,
  /// read and written bytes counted: the best of several copies.
  static func copying() -> Double {
    let byteCount = 4 << 20
    let (source, target) = (
      TensorBuffer(zeros: .uint8, [byteCount]), TensorBuffer(zeros: .uint8, [byteCount])
    )
    let clock = ContinuousClock()
    var best = 0.0
    for _ in 0..<20 {
      let start = clock.now
      target.withMutableBytes { to in source.withBytes { to.copyMemory(from: $0) } }
      let ms = (clock.now - start).milliseconds
      if ms > 0 { best = max(best, Double(2 * byteCount) / ms / 1e6) }
    }
    return best
  }
}

/// What the kernel knows of this process's memory.
enum ProcessMemory {
  /// The most memory that the process ever held, in bytes (VmHWM).
  static var peakByteCount: Int { byteCount("VmHWM:") }
  /// The memory that the process holds now, in bytes (VmRSS).
  static var currentByteCount: Int { byteCount("VmRSS:") }

  private static func byteCount(_ field: String) -> Int {
    guard let text = try? FileContents.text(of: "/proc/self/status", limit: 1 << 20),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix(field) })
    else { return 0 }
    return (line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) * 1024
  }
}
