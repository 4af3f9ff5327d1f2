import Imaging
import Kernels
import ModelFile
import Options
import Pipelines
import Runtime
import Texts

/// `apus bench --preprocessing`: how long a picture takes from the decoder's frame to what the
/// model's first layer reads, on one thread.
struct PreprocessingBench {
  private let given: Given
  private let path: String
  private let isas: Set<ISA>
  private let format: PixelFormat
  private let size: Preprocessing.Size
  private static let clock = ContinuousClock()
  /// The frames that are taken in turn hold at least this much, so that none waits in a cache.
  private static let sourceByteCount = 64 << 20
  private static let mostFrames = 64

  /// - Parameter source: `WIDTHxHEIGHT:FORMAT`.
  init(_ given: Given, source: String) throws {
    self.given = given
    path = given[BenchVerb.model]
    isas = try SharedOptions.isas(given)
    let parts = source.split(separator: ":", omittingEmptySubsequences: false)
    let sides = parts[0].split(separator: "x").map { Int($0) }
    guard parts.count <= 2, sides.count == 2, let width = sides[0], let height = sides[1],
      (1...Frame.maximumSide).contains(width), (1...Frame.maximumSide).contains(height),
      let format = PixelFormat(name: parts.count == 2 ? String(parts[1]) : "nv12")
    else {
      throw UsageError(
        "--preprocessing \(source) is not WIDTHxHEIGHT:FORMAT, such as 1920x1080:nv12; formats: "
          + PixelFormat.allCases.map(\.description).joined(separator: ", "))
    }
    self.format = format
    size = Preprocessing.Size(width: width, height: height)
  }

  func run() throws -> ExitCode {
    let model = try OpenedModel(path, precision: given[SharedOptions.precision])
    let session = try model.session(
      precision: given[SharedOptions.precision], threads: 1, isas: isas)
    let input = try PictureInput(session, model.processing)
    let frames = try frames()
    let write = { (index: Int) throws -> Double in
      let frame = frames[index % frames.count]
      let start = PreprocessingBench.clock.now
      _ = try input.write(frame, sample: 0)
      return (PreprocessingBench.clock.now - start).milliseconds
    }
    let start = PreprocessingBench.clock.now
    var count = 0
    while count < 3 || (PreprocessingBench.clock.now - start).milliseconds < 400 {
      _ = try write(count)
      count += 1
    }
    let runs = given[BenchVerb.runs]
    let budget = (given[BenchVerb.seconds] ?? 2) * 1000
    let begin = PreprocessingBench.clock.now
    var times: [Double] = []
    while times.count < runs ?? Int.max {
      let isOver = (PreprocessingBench.clock.now - begin).milliseconds >= budget
      if runs == nil, isOver, times.count >= 5 { break }
      times.append(try write(count + times.count))
    }
    try report(times.sorted(), session, input)
    return .done
  }

  /// Frames of seeded noise over a gradient, each different.
  private func frames() throws -> [Frame] {
    let one = try frame(seed: 1)
    let byteCount = (0..<format.planeCount).reduce(0) { sum, plane in
      let extent = format.planeExtent(plane, width: size.width, height: size.height)
      return sum + extent.rowBytes * extent.rows
    }
    let wanted = PreprocessingBench.sourceByteCount / max(byteCount, 1) + 1
    let count = min(max(wanted, 2), PreprocessingBench.mostFrames)
    return try [one] + (2...count).map { try frame(seed: UInt32($0)) }
  }

  private func frame(seed: UInt32) throws -> Frame {
    let frame = try Frame(format, width: size.width, height: size.height)
    var state = seed
    for plane in 0..<format.planeCount {
      frame.withMutablePlane(plane) { samples, _ in
        for index in samples.indices {
          state = state &* 1_664_525 &+ 1_013_904_223
          samples[index] = UInt8(truncatingIfNeeded: index >> 4) &+ UInt8(state >> 28)
        }
      }
    }
    return frame
  }

  private func report(_ times: [Double], _ session: Session, _ input: PictureInput) throws {
    let median = times[times.count / 2]
    let p95 = times[min(times.count - 1, times.count * 95 / 100)]
    let isa = isas.max { $0.rawValue < $1.rawValue } ?? .portable
    let shape = session.inputs.first?.shape.description ?? ""
    guard given[SharedOptions.json] else {
      func ms(_ value: Double) -> String { NumberText.fixed(value, decimals: 3) }
      try Console.output(
        """
        \(path): \(size) \(format) to \(input.form), \(isa), 1 thread
        median \(ms(median)) ms per frame, p95 \(ms(p95)), min \(ms(times[0])) \
        (\(times.count) frames)

        """)
      return
    }
    var writer = JSONWriter(isIndented: true)
    writer.object { object in
      object.field("model", path)
      object.field("input", shape)
      object.field("isa", isa.description)
      object.field("source", size.description)
      object.field("pixel_format", format.description)
      object.field("written", input.form)
      object.field("direct", input.isDirect)
      object.field("frames", times.count)
      object.field("median_ms", median)
      object.field("p95_ms", p95)
      object.field("min_ms", times[0])
    }
    try Console.output(writer.text + "\n")
  }
}
