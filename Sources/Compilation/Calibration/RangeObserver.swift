internal import CKernels
import Instructions
import Kernels
import Planner
import Runtime
import Tensors

/// What was seen of one value.
package struct ValueStatistics: Sendable, Equatable {
  package internal(set) var histogram = RangeHistogram()
  /// The extremes of each channel; empty where channels are not kept.
  package internal(set) var channelLows: [Float]
  package internal(set) var channelHighs: [Float]
  /// The first sample in which it held an infinity; nil for none. Such a value has no range.
  package internal(set) var infiniteSample: Int?

  init(channelCount: Int) {
    channelLows = [Float](repeating: .infinity, count: channelCount)
    channelHighs = [Float](repeating: -.infinity, count: channelCount)
  }

  mutating func merge(_ other: ValueStatistics) {
    histogram.merge(other.histogram)
    for channel in channelLows.indices {
      channelLows[channel] = min(channelLows[channel], other.channelLows[channel])
      channelHighs[channel] = max(channelHighs[channel], other.channelHighs[channel])
    }
    if let sample = other.infiniteSample {
      infiniteSample = min(infiniteSample ?? .max, sample)
    }
  }
}

/// Runs a float program on samples and keeps statistics of every value; one per thread.
///
/// Memory: a session's arena, and 64 KiB per value.
///
/// Sendable because one thread at a time uses it: its maker, then the thread that it is handed to,
/// then whoever has waited for that thread to end.
package final class RangeObserver: @unchecked Sendable {
  private let plan: ObservationPlan
  private let session: Session
  private let counter = ElementCounter()
  package private(set) var statistics: [ValueStatistics]
  package private(set) var sampleCount = 0
  /// For values that are not float32 in memory.
  private var converted: [Float] = []

  init(_ plan: ObservationPlan, _ session: Session) {
    self.plan = plan
    self.session = session
    statistics = plan.values.map { ValueStatistics(channelCount: $0.channelCount ?? 0) }
  }

  /// Runs the program on one sample and looks at every value.
  ///
  /// - Parameters:
  ///   - inputs: in the order of the program's inputs.
  ///   - index: the number of the sample.
  ///   - name: how messages name it.
  /// - Throws: `CompileError` where an input does not fit, the run fails, or a value is not a
  ///   number.
  package func observe(
    _ inputs: [TensorBuffer], sample index: Int, name: String
  ) throws(CompileError) {
    var undefined: Int?
    do throws(RuntimeError) {
      for (port, tensor) in inputs.enumerated() { try session.setInput(port, tensor) }
      try session.run { instruction, tensors in
        for value in plan.due[instruction + 1] {
          if !look(at: value, tensors, index) { undefined = undefined ?? value }
        }
      }
    } catch {
      throw CompileError(.invalidData, "\(name): \(error.description)")
    }
    if let undefined {
      throw CompileError(
        .invalidData,
        "\(name): the value \"\(plan.values[undefined].name)\" is not a number (NaN) in the float "
          + "program; leave this sample out, or correct its preprocessing")
    }
    sampleCount += 1
  }

  /// Takes over what was seen before, as if this observer had seen it.
  package func resume(_ checkpoint: CalibrationCheckpoint) {
    precondition(sampleCount == 0, "an observer resumes before its first sample")
    statistics = checkpoint.statistics
    sampleCount = checkpoint.sampleCount
  }

  // MARK: One value

  /// False where the value holds NaN.
  private func look(at index: Int, _ tensors: ObservedTensors, _ sample: Int) -> Bool {
    let value = plan.values[index]
    guard let base = tensors.pointer(value.operand) else { return true }
    if value.type == .float32 {
      return add(base.assumingMemoryBound(to: Float.self), value.rowStride, value, index, sample)
    }
    convert(base, value)
    return converted.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return true }
      return add(start, value.rowLength, value, index, sample)
    }
  }

  private func add(
    _ elements: UnsafePointer<Float>, _ stride: Int, _ value: ObservationPlan.Value, _ index: Int,
    _ sample: Int
  ) -> Bool {
    let (low, high, isDefined) = extent(elements, stride, value, &statistics[index])
    guard isDefined else { return false }
    guard low.isFinite, high.isFinite else {
      statistics[index].infiniteSample = min(statistics[index].infiniteSample ?? .max, sample)
      return true
    }
    counter.add(
      elements, rows: value.rowCount, length: value.rowLength, stride: stride, low: low, high: high,
      to: &statistics[index].histogram)
    return true
  }

  /// The extremes of all elements; widens those of the channels.
  private func extent(
    _ elements: UnsafePointer<Float>, _ stride: Int, _ value: ObservationPlan.Value,
    _ statistics: inout ValueStatistics
  ) -> (low: Float, high: Float, isDefined: Bool) {
    var nan: UInt32 = 0
    let rows = value.rowCount
    let length = value.rowLength
    func run(_ first: Int, _ count: Int, _ low: inout Float, _ high: inout Float) {
      if stride == length {
        apus_extent_f32(elements + first * stride, Int64(count * length), &low, &high, &nan)
      } else {
        for row in first..<first + count {
          apus_extent_f32(elements + row * stride, Int64(length), &low, &high, &nan)
        }
      }
    }
    var low = Float.infinity
    var high = -Float.infinity
    switch value.channels {
    case .none: run(0, rows, &low, &high)
    case .columns:
      // Extremes of this sample alone are needed to know the bins that it can touch.
      var lows = [Float](repeating: .infinity, count: length)
      var highs = [Float](repeating: -.infinity, count: length)
      apus_extent_columns_f32(
        elements, Int64(rows), Int64(length), Int64(stride), &lows, &highs, &nan)
      for channel in 0..<length {
        low = min(low, lows[channel])
        high = max(high, highs[channel])
        statistics.widen(channel, lows[channel], highs[channel])
      }
    case .runs(let count, let runRows):
      var first = 0
      while first < rows {
        for channel in 0..<count {
          var channelLow = Float.infinity
          var channelHigh = -Float.infinity
          run(first, runRows, &channelLow, &channelHigh)
          first += runRows
          low = min(low, channelLow)
          high = max(high, channelHigh)
          statistics.widen(channel, channelLow, channelHigh)
        }
      }
    }
    return (low, high, nan == 0)
  }

  /// Puts the elements of a narrower or wider float type into `converted`, dense.
  private func convert(_ base: UnsafeRawPointer, _ value: ObservationPlan.Value) {
    converted.removeAll(keepingCapacity: true)
    converted.reserveCapacity(value.rowCount * value.rowLength)
    for row in 0..<value.rowCount {
      let start = row * value.rowStride
      for element in start..<start + value.rowLength {
        let number: Float =
          switch value.type {
          case .float16: Float(base.loadUnaligned(fromByteOffset: element * 2, as: Float16.self))
          case .bfloat16: Float(base.loadUnaligned(fromByteOffset: element * 2, as: BFloat16.self))
          case .float64: Float(base.loadUnaligned(fromByteOffset: element * 8, as: Double.self))
          default: 0
          }
        converted.append(number)
      }
    }
  }
}

extension ValueStatistics {
  fileprivate mutating func widen(_ channel: Int, _ low: Float, _ high: Float) {
    channelLows[channel] = min(channelLows[channel], low)
    channelHighs[channel] = max(channelHighs[channel], high)
  }
}
