import Instructions
import Kernels
import Planner
import Runtime
import Tensors

/// Finds the ranges that the values of a float program take.
///
/// ```swift
/// let calibrator = try Calibrator(floatProgram)
/// let observer = try calibrator.observer()       // one per thread
/// for sample in samples { try observer.observe(sample.inputs, …) }
/// let ranges = calibrator.calibration([observer]).ranges(method: .kl)
/// ```
/// Every value is looked at right after it was made, so that memory stays at one arena and the
/// histograms per observer. Observers that share the samples give together exactly what one
/// observer of all samples gives.
package struct Calibrator: Sendable {
  private let plan: ObservationPlan
  private let program: Program
  private let weights: Weights
  private let isas: Set<ISA>
  /// The bytes of one observer: the session's memory and the histograms.
  package let observerByteCount: Int
  /// The bytes of one set of histograms.
  package let histogramByteCount: Int
  /// The bytes that all observers share.
  package var weightByteCount: Int { weights.byteCount }
  /// The program's inputs, in order.
  package var inputs: [Program.Port] { program.inputs }

  /// The values that are looked at, in program order, and how many channels each has; nil where
  /// channels are not kept.
  package var values: [(name: String, channelCount: Int?)] {
    plan.values.map { ($0.name, $0.channelCount) }
  }

  /// Plans the observation of a float program.
  ///
  /// - Parameters:
  ///   - compiled: a program of precision fp32.
  ///   - names: the values that matter; nil: all float values of the model that still exist after
  ///     fusion.
  /// - Throws: `CompileError` where the program cannot be planned or its weights find no memory.
  package init(
    _ compiled: CompiledProgram, names: Set<String>? = nil, isas: Set<ISA> = ISA.host
  ) throws(CompileError) {
    precondition(compiled.precision == .fp32, "calibration needs a float program")
    var program = compiled.lowered.program
    do throws(RuntimeError) {
      weights = try Weights(compiled.lowered.constants, of: &program)
    } catch {
      throw CompileError(.internalError, error.message)
    }
    do throws(PlanningError) {
      try MemoryPlanner.plan(&program)
      plan = try ObservationPlan(compiled, program, names: names)
    } catch {
      throw CompileError(.internalError, error.message)
    }
    self.program = program
    self.isas = isas
    let session = try Calibrator.session(program, weights, isas)
    let channelBytes = plan.values.reduce(0) { $0 + 8 * ($1.channelCount ?? 0) }
    histogramByteCount = plan.values.count * RangeHistogram.binCount * 8 + channelBytes
    observerByteCount =
      session.memory.arenaByteCount + session.memory.scratchByteCount + session.memory.ioByteCount
      + histogramByteCount
  }

  /// Makes an observer with a session of its own, for one thread.
  package func observer() throws(CompileError) -> RangeObserver {
    RangeObserver(plan, try Calibrator.session(program, weights, isas))
  }

  /// Runs the program on one sample and shows every float32 value once.
  func visit(
    _ inputs: [TensorBuffer], _ body: (ObservationPlan.Value, UnsafePointer<Float>) -> Void
  ) throws(CompileError) {
    let session = try Calibrator.session(program, weights, isas)
    do throws(RuntimeError) {
      for (port, tensor) in inputs.enumerated() { try session.setInput(port, tensor) }
      try session.run { instruction, tensors in
        for index in plan.due[instruction + 1] where plan.values[index].type == .float32 {
          guard let base = tensors.pointer(plan.values[index].operand) else { continue }
          body(plan.values[index], base.assumingMemoryBound(to: Float.self))
        }
      }
    } catch {
      throw CompileError(.invalidData, error.description)
    }
  }

  /// Puts together what observers have seen.
  package func calibration(_ observers: [RangeObserver], isOnData: Bool = true) -> Calibration {
    let all = checkpoint(observers)
    return Calibration(
      values: zip(plan.values, all.statistics).map {
        Calibration.Value(name: $0.name, statistics: $1)
      },
      sampleCount: all.sampleCount, isOnData: isOnData)
  }

  /// What observers have seen together, to be saved; they must not be observing.
  package func checkpoint(_ observers: [RangeObserver]) -> CalibrationCheckpoint {
    var statistics = observers.first?.statistics ?? []
    for observer in observers.dropFirst() {
      for index in statistics.indices { statistics[index].merge(observer.statistics[index]) }
    }
    return CalibrationCheckpoint(
      statistics: statistics, sampleCount: observers.reduce(0) { $0 + $1.sampleCount })
  }

  /// Reads a saved checkpoint; nil for bytes that are none for this key and these values.
  package func checkpoint(_ bytes: [UInt8], key: [UInt8]) -> CalibrationCheckpoint? {
    CalibrationCheckpoint(
      bytes, key: key, channelCounts: plan.values.map { $0.channelCount ?? 0 })
  }

  private static func session(
    _ program: Program, _ weights: Weights, _ isas: Set<ISA>
  ) throws(CompileError) -> Session {
    do throws(RuntimeError) {
      return try Session(
        program, weights: weights, options: Session.Options(threads: 1, isas: isas))
    } catch {
      throw CompileError(.internalError, error.message, place: error.place)
    }
  }
}
