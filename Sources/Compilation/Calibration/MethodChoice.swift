import Accuracy
import Graphs
import Operators
import Runtime
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// The calibration method `auto`: every method's int8 program runs on a few samples, and the one
/// whose outputs are nearest to the float program's is taken.
package struct MethodChoice: Sendable {
  /// What one method reached.
  package struct Trial: Sendable {
    package let method: RangeMethod
    /// The signal-to-noise ratio of the outputs, in dB, averaged over outputs.
    package let decibels: Double
  }

  /// The best method's ranges.
  package let ranges: Ranges
  /// In the order in which they were tried.
  package let trials: [Trial]

  /// Tries all methods.
  ///
  /// - Parameters:
  ///   - graph: as imported.
  ///   - samples: inputs in the order of the graph's; a few suffice.
  /// - Throws: `CompileError` where a program cannot be compiled or run.
  package init(
    _ graph: Graph, shapes: InputShapes, calibration: Calibration, isSymmetric: Bool = false,
    samples: [[TensorBuffer]]
  ) throws(CompileError) {
    let references = try MethodChoice.outputs(
      Compiler().compile(graph, shapes: shapes), samples)
    var trials: [Trial] = []
    var best: (ranges: Ranges, decibels: Double)?
    for method in RangeMethod.allCases {
      var ranges = calibration.ranges(method: method, symmetric: isSymmetric)
      let compiler = Compiler(
        precision: .int8,
        quantization: QuantizationOptions(ranges: ranges, isSymmetric: isSymmetric))
      let outputs = try MethodChoice.outputs(
        compiler.compile(graph, shapes: shapes), samples)
      let decibels = MethodChoice.decibels(outputs, references)
      trials.append(Trial(method: method, decibels: decibels))
      // A tie, as where nothing was quantised, goes to the first.
      if best.map({ decibels > $0.decibels }) ?? true {
        ranges.method = "auto: \(method.rawValue)"
        best = (ranges, decibels)
      }
    }
    self.trials = trials
    ranges = best?.ranges ?? calibration.ranges(method: .minmax, symmetric: isSymmetric)
  }

  /// The outputs of a program, by sample.
  private static func outputs(
    _ compiled: CompiledProgram, _ samples: [[TensorBuffer]]
  ) throws(CompileError) -> [[TensorBuffer]] {
    do throws(RuntimeError) {
      let session = try Evaluation.session(
        compiled.lowered.program, constants: compiled.lowered.constants, threads: nil)
      var results: [[TensorBuffer]] = []
      for sample in samples { results.append(try session.run(sample)) }
      return results
    } catch {
      throw CompileError(.invalidData, error.message, place: error.place)
    }
  }

  /// 10 · log10(Σ r² / Σ (r − t)²) over all samples, averaged over the outputs; of integers, 40 dB
  /// times the share of equal elements.
  private static func decibels(
    _ targets: [[TensorBuffer]], _ references: [[TensorBuffer]]
  ) -> Double {
    guard let count = references.first?.count, count > 0 else { return 0 }
    var sum = 0.0
    for output in 0..<count {
      var (signal, noise, equal, elements) = (0.0, 0.0, 0, 0)
      for (target, reference) in zip(targets, references) {
        guard reference[output].type.isFloat, let r = reference[output].floats(),
          let t = target[output].floats()
        else {
          let (r, t) = (reference[output].integers() ?? [], target[output].integers() ?? [])
          equal += zip(r, t).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }
          elements += r.count
          continue
        }
        for (x, y) in zip(r, t) {
          signal += Double(x) * Double(x)
          noise += (Double(x) - Double(y)) * (Double(x) - Double(y))
        }
      }
      if elements > 0 {
        sum += 40 * Double(equal) / Double(elements)
      } else {
        // Equal outputs count as 100 dB; an output of zeros or NaN says nothing.
        let ratio = signal / max(noise, signal * 1e-10)
        sum += ratio.isFinite && ratio > 0 ? 10 * log10(ratio) : 0
      }
    }
    return sum / Double(count)
  }
}
