import Compilation
import Graphs
import Instructions
import ModelFile
import Options
import Tensors
import Texts

/// What verbs need to make int8 programs of a float model: ranges, and samples to judge by.
struct CalibratedModel {
  let quantization: QuantizationOptions
  /// The distributions behind the ranges; nil where the ranges came as a table.
  let calibration: Calibration?
  /// The first samples, for proofs; empty where the ranges came as a table.
  let samples: [[TensorBuffer]]
  /// What `auto` tried.
  let trials: [MethodChoice.Trial]

  /// The samples that a proof runs.
  private static let proofSampleCount = 4

  /// Calibrates as the options say.
  ///
  /// - Parameters:
  ///   - path: of the model, for messages.
  ///   - shapes: those of the program that is observed.
  /// - Throws: exit 64 where neither samples nor a table are named; what is wrong with them.
  init(_ given: Given, _ path: String, _ graph: Graph, shapes: InputShapes) throws {
    let compiled = try Compiler(precision: .fp32).compile(graph, shapes: shapes)
    let calibrator = try Calibrator(compiled)
    let processing = try ProcessingOptions(given).processing(for: calibrator.inputs, outputs: [])
    guard
      let input = try CalibrationInput(
        given[CalibrationOptions.calibrate], given, ports: calibrator.inputs,
        processing: processing)
    else { throw CalibratedModel.missingSamples(path) }
    let isSymmetric = given[CalibrationOptions.activations] == .symmetric
    switch input {
    case .table(let ranges):
      try ranges.validate(against: calibrator.values)
      quantization = QuantizationOptions(ranges: ranges, isSymmetric: isSymmetric)
      calibration = nil
      samples = []
      trials = []
    case .samples(let source):
      let calibration = try CalibrationRun(
        calibrator, source, threads: given[SharedOptions.threads],
        memoryLimit: given[CalibrationOptions.memory]
      ).run()
      let method = given[CalibrationOptions.method] ?? .auto
      let choice = try method.choice(
        of: calibration, compiled, calibrator, isSymmetric: isSymmetric, source,
        budget: given[CalibrationOptions.timeBudget])
      quantization = choice.options
      trials = choice.trials
      self.calibration = calibration
      let reader = SampleReader(source)
      samples = try (0..<min(source.count, CalibratedModel.proofSampleCount)).map {
        try reader.sample(at: $0)
      }
    }
  }

  /// The samples for proofs; nil where there are none.
  var proofSamples: [Proof.Sample]? {
    samples.isEmpty ? nil : samples.map { Proof.Sample(inputs: $0) }
  }

  /// int8 was asked for, and nothing to find ranges with.
  static func missingSamples(_ path: String) -> UsageError {
    UsageError(
      "int8 needs the ranges of \(path)'s values: add --calibrate with a directory of pictures, "
        + "a list, an .npz of samples or a table of ranges; or --calibrate-random N to try")
  }
}

extension CalibrationMethod {
  /// The samples that `auto` judges by.
  private static let judgedSampleCount = 32

  /// The ranges that the method chooses; `auto` tries all on a few samples, and what else helps.
  ///
  /// - Parameter budget: the seconds that `auto` may take; nil: as many as it needs.
  func choice(
    of calibration: Calibration, _ float: CompiledProgram, _ calibrator: Calibrator,
    isSymmetric: Bool, _ source: CalibrationSource, budget: Double? = nil
  ) throws -> (options: QuantizationOptions, trials: [MethodChoice.Trial]) {
    let method: RangeMethod
    switch self {
    case .minmax: method = .minmax
    case .kl: method = .kl
    case .percentile: method = .percentile
    case .mse: method = .mse
    case .auto:
      let reader = SampleReader(source)
      let count = min(source.count, CalibrationMethod.judgedSampleCount)
      let samples = try (0..<count).map { try reader.sample(at: $0 * source.count / count) }
      let choice = try MethodChoice(
        float, calibrator, calibration: calibration, isSymmetric: isSymmetric, samples: samples,
        budget: budget.map { .seconds($0) })
      Console.diagnose(
        "\(choice.options.ranges.method) (\(choice.trials.map(\.text).joined(separator: ", ")))\n")
      if choice.endedEarly {
        Console.diagnose(
          "the time budget ended the search after \(choice.trials.count) ways; the best so far is "
            + "taken, and more time may give another file\n")
      }
      return (choice.options, choice.trials)
    }
    let ranges = calibration.ranges(method: method, symmetric: isSymmetric)
    return (QuantizationOptions(ranges: ranges, isSymmetric: isSymmetric), [])
  }
}

extension MethodChoice.Trial {
  /// What was tried and what it reached, e.g. `kl 31.4 dB`.
  var text: String { "\(name) \(NumberText.fixed(decibels, decimals: 1)) dB" }
}
