import Compilation
import Instructions
import ModelFile
import Options

/// How ranges are chosen, as users say it.
enum CalibrationMethod: String, Sendable, CaseIterable {
  case minmax, kl, percentile, mse, auto
}

/// How activations are quantised.
enum ActivationScheme: String, Sendable, CaseIterable {
  /// Scale and zero point.
  case asymmetric
  /// Zero point 128.
  case symmetric
}

/// The options of calibration, which several verbs share.
enum CalibrationOptions {
  static let calibrate = Option.text(
    "calibrate", "DIR|LIST|FILE.npz|RANGES",
    help: "samples to calibrate on: pictures, a list, tensors; or a table of ranges")
  static let random = Option.integer(
    "calibrate-random", in: 1...1_000_000,
    help: "calibrate on N seeded random samples instead: NOT CALIBRATED ON DATA")
  static let method = Option<CalibrationMethod>.choice(
    "calibration-method", help: "how ranges are chosen (auto)")
  static let samples = Option.integer(
    "samples", in: 1...Int.max, help: "use N samples, evenly spaced over all (all)")
  static let activations = Option<ActivationScheme>.choice(
    "activations", help: "how activations are quantised (asymmetric)")
  static let memory = Option.size(
    "memory", help: "the most memory that the tool may take, e.g. 1G; fewer samples run at once")
  static let timeBudget = Option.seconds(
    "time-budget",
    help: "end the search for the best calibration then, with the best so far; another budget may "
      + "give another file")

  /// The first of these options that is given and that only int8 needs, by its name; nil for none.
  static func firstGiven(_ given: Given) -> String? {
    if given[calibrate] != nil { return "--calibrate" }
    if given[random] != nil { return "--calibrate-random" }
    if given[method] != nil { return "--calibration-method" }
    if given[samples] != nil { return "--samples" }
    if given[timeBudget] != nil { return "--time-budget" }
    return given[activations] == nil ? nil : "--activations"
  }
}

/// What `--calibrate` names.
enum CalibrationInput {
  case samples(CalibrationSource)
  case table(Ranges)

  /// Reads what the options name; nil where they name nothing.
  ///
  /// - Parameters:
  ///   - path: the value of `--calibrate` or `--dataset`; its first line tells a table from a list.
  ///   - ports: the inputs of the program.
  ///   - processing: the preprocessing of inputs that pictures fill.
  init?(
    _ path: String?, _ given: Given, ports: [Program.Port], processing: Processing
  ) throws {
    let random = given[CalibrationOptions.random]
    guard let path else {
      guard let random else { return nil }
      self = .samples(
        try CalibrationSource(random: random, ports: ports, processing: processing))
      return
    }
    guard random == nil else {
      throw UsageError("--calibrate-random makes its own samples; leave out '\(path)' or it")
    }
    if let table = try RangesFile.read(ifTable: path) {
      self = .table(table)
    } else {
      self = .samples(
        try CalibrationSource(
          path, ports: ports, processing: processing, limit: given[CalibrationOptions.samples]))
    }
  }
}
