import FoundationEssentials
import Graphs
import Importers
import Kernels
import Runtime
import Tensors
import Testing

@testable import Compilation

/// A fixture model by name.
private func fixture(_ name: String) throws -> Graph {
  let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/exporters").path()
  return try Graph(onnxFile: "\(folder)/\(name).onnx")
}

@Suite struct CalibratorTests {
  private static let models = [
    "squeezenet-legacy9", "mobilenetv3-legacy14", "densenet-legacy9", "bert-legacy11",
    "vit-legacy14", "paddle-hard",
  ]

  @Test(arguments: models)
  func `sees every value with the contents that it keeps`(model: String) throws {
    let compiled = try Compiler().compile(fixture(model))
    let calibrator = try Calibrator(compiled)
    var random = RandomInputs()
    let inputs = random.tensors(for: calibrator.inputs)
    let observer = try calibrator.observer()
    try observer.observe(inputs, sample: 0, name: "random")
    let calibration = calibrator.calibration([observer])
    let seen = Dictionary(
      uniqueKeysWithValues: calibration.values.map { ($0.name, $0.statistics) })

    let session = try Evaluation.session(
      compiled.lowered.program, constants: compiled.lowered.constants, isas: ISA.host,
      keepingAll: true)
    _ = try session.run(inputs)
    // The source's values, and those that passes made.
    let known = Set((compiled.source.values + compiled.optimised.values).map(\.name))
    let kept = try TensorDump.values(of: session).filter { known.contains($0.name) }
    var compared = 0
    for value in kept {
      guard let numbers = value.tensor.type.isFloat ? value.tensor.floats() : nil else { continue }
      let statistics = try #require(seen[value.name], "\(value.name)")
      #expect(statistics.histogram.count == UInt64(numbers.count), "\(value.name)")
      #expect(statistics.histogram == RangeHistogram(numbers), "\(value.name)")
      try compareChannels(value, numbers, statistics)
      compared += 1
    }
    #expect(compared == calibration.values.count)
    #expect(compared > 5)
  }

  private func compareChannels(
    _ value: TensorDump.Value, _ numbers: [Float], _ statistics: ValueStatistics
  ) throws {
    let shape = value.tensor.shape
    guard shape.rank >= 2 else {
      #expect(statistics.channelLows.isEmpty)
      return
    }
    let inner = shape.dimensions.dropFirst(2).reduce(1, *)
    var lows = [Float](repeating: .infinity, count: shape[1])
    var highs = [Float](repeating: -.infinity, count: shape[1])
    for (index, number) in numbers.enumerated() {
      let channel = index / inner % shape[1]
      lows[channel] = min(lows[channel], number)
      highs[channel] = max(highs[channel], number)
    }
    #expect(statistics.channelLows == lows, "\(value.name)")
    #expect(statistics.channelHighs == highs, "\(value.name)")
  }

  @Test func `gives the same for any division of the samples`() throws {
    let calibrator = try Calibrator(Compiler().compile(fixture("mobilenetv3-legacy14")))
    let samples = (0..<6).map { index in
      var random = RandomInputs(seed: UInt64(index))
      return random.tensors(for: calibrator.inputs)
    }
    func ranges(_ parts: [[Int]]) throws -> Calibration {
      let observers = try parts.map { part in
        let observer = try calibrator.observer()
        for index in part { try observer.observe(samples[index], sample: index, name: "\(index)") }
        return observer
      }
      return calibrator.calibration(observers)
    }
    let one = try ranges([[0, 1, 2, 3, 4, 5]])
    let three = try ranges([[5, 0], [3], [1, 4, 2]])
    #expect(one.sampleCount == 6 && three.sampleCount == 6)
    #expect(one.values.map(\.statistics) == three.values.map(\.statistics))
    for method in RangeMethod.allCases {
      #expect(one.ranges(method: method).text == three.ranges(method: method).text)
    }
  }

  @Test func `looks only at the values that matter`() throws {
    let compiled = try Compiler().compile(fixture("squeezenet-legacy9"))
    let all = try Calibrator(compiled)
    let name = try #require(all.values.last?.name)
    let some = try Calibrator(compiled, names: [name])
    #expect(some.values.map(\.name) == [name])
    #expect(some.observerByteCount < all.observerByteCount)
  }

  @Test func `names the sample and the value that is not a number`() throws {
    let calibrator = try Calibrator(Compiler().compile(fixture("squeezenet-legacy9")))
    let port = try #require(calibrator.inputs.first)
    let input = TensorBuffer(
      port.shape, [Float](repeating: .nan, count: port.shape.elementCount))
    let observer = try calibrator.observer()
    do throws(CompileError) {
      try observer.observe([input], sample: 0, name: "bad.npz")
      Issue.record("NaN was accepted")
    } catch {
      #expect(
        error.description
          == "bad.npz: the value \"\(port.name)\" is not a number (NaN) in the float program; "
          + "leave this sample out, or correct its preprocessing")
    }
    #expect(observer.sampleCount == 0)
  }

  @Test func `a value that is infinite gets no range`() throws {
    let calibrator = try Calibrator(Compiler().compile(fixture("squeezenet-legacy9")))
    let port = try #require(calibrator.inputs.first)
    var values = [Float](repeating: 0, count: port.shape.elementCount)
    values[0] = .infinity
    let observer = try calibrator.observer()
    // The infinity may become NaN further down; the input is seen before.
    try? observer.observe([TensorBuffer(port.shape, values)], sample: 4, name: "infinite")
    let calibration = calibrator.calibration([observer])
    #expect(calibration.infinite.first?.name == port.name)
    #expect(calibration.infinite.first?.sample == 4)
    let ranges = calibration.ranges(method: .minmax)
    #expect(ranges.values[port.name] == nil)
    #expect(ranges.infinite.contains(port.name))
  }
}

@Suite struct CalibrationCheckpointTests {
  @Test func `an interrupted calibration goes on to the same result`() throws {
    let calibrator = try Calibrator(Compiler().compile(fixture("mobilenetv3-legacy14")))
    func observe(_ observer: RangeObserver, _ samples: Range<Int>) throws {
      for index in samples {
        var random = RandomInputs(seed: UInt64(index))
        try observer.observe(
          random.tensors(for: calibrator.inputs), sample: index, name: "\(index)")
      }
    }
    let whole = try calibrator.observer()
    try observe(whole, 0..<4)
    let before = try calibrator.observer()
    try observe(before, 0..<3)
    let key = (0..<32).map { UInt8($0) }
    let bytes = calibrator.checkpoint([before]).bytes(key: key)
    let saved = try #require(calibrator.checkpoint(bytes, key: key))
    #expect(saved.sampleCount == 3)
    let after = try calibrator.observer()
    after.resume(saved)
    try observe(after, 3..<4)
    #expect(calibrator.checkpoint([after]) == calibrator.checkpoint([whole]))

    // Another model, other samples, a file that is cut off or damaged: from the beginning.
    #expect(calibrator.checkpoint(bytes, key: key.reversed()) == nil)
    #expect(calibrator.checkpoint(bytes.dropLast(8), key: key) == nil)
    #expect(calibrator.checkpoint(bytes.dropLast(3), key: key) == nil)
    #expect(calibrator.checkpoint([], key: key) == nil)
    #expect(
      try Calibrator(Compiler().compile(fixture("squeezenet-legacy9"))).checkpoint(
        bytes, key: key) == nil)
    var numbers = Numbers(5)
    for _ in 0..<300 {
      var damaged = bytes
      let place = 48 + Int(numbers.next()) % 4000
      damaged[place] ^= 1 << UInt8(numbers.next() % 8)
      // Never a trap; whatever is accepted can be gone on with.
      if let read = calibrator.checkpoint(damaged, key: key) {
        let observer = try calibrator.observer()
        observer.resume(read)
        observer.merge(with: whole, calibrator)
      }
    }
  }
}

extension RangeObserver {
  /// Goes through everything that uses what was read.
  fileprivate func merge(with other: RangeObserver, _ calibrator: Calibrator) {
    _ = calibrator.checkpoint([self, other])
  }
}
