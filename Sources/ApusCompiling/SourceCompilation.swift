import ApusC
import CApus
import Compilation
import Detections
import Graphs
import Instructions
import ModelFile
import Tensors

/// One compilation, step by step, each of which the caller may end.
struct SourceCompilation {
  private let source: SourceModel
  private let request: CompileRequest

  /// The samples that `auto` judges by, and those that proofs run.
  private static let judgedSampleCount = 32
  private static let proofSampleCount = 4

  init(_ source: SourceModel, _ request: CompileRequest) {
    self.source = source
    self.request = request
  }

  func run() throws -> any LoadedModel {
    let precision = try source.precision(request.precision)
    do {
      return try programs(precision)
    } catch let error as CompileError where error.code == .dataDependent && precision != .int8 {
      guard request.preprocess.isEmpty, request.postprocess == nil else {
        throw Failure(
          APUS_INVALID_ARGUMENT,
          "pre- and postprocessing need a program, but shapes depend on data: \(error)")
      }
      return SourceModel(
        source.graph, source.parts, name: source.name, compiledTo: precision)
    }
  }

  /// A model of one program for each set of shapes.
  private func programs(_ precision: Precision) throws -> any LoadedModel {
    var sets: [InputShapes] = []
    for shapes in request.shapes { sets.append(try source.inputShapes(shapes)) }
    if sets.isEmpty { sets = [InputShapes()] }
    let quantization = try quantization(precision, sets[0])
    let compiler = Compiler(precision: precision, quantization: quantization)
    var programs: [CompiledProgram] = []
    for (index, set) in sets.enumerated() {
      try request.progress("compiling", index, sets.count)
      programs.append(try compiler.compile(source.graph, shapes: set))
    }
    try request.progress("compiling", sets.count, sets.count)
    var contents = try ModelAssembly.contents(
      of: programs, origin: Dictionary(source.graph.origin) { first, _ in first })
    contents.origin["source"] = source.name
    contents.origin["compiler"] = "apus \(String(cString: apus_version()))"
    if let ranges = quantization?.ranges {
      contents.calibration = ranges.withoutChannels.text
      if !ranges.isOnData { contents.origin["calibration"] = "NOT CALIBRATED ON DATA" }
    }
    contents.processing = try processing(contents.variants[0].program)
    if request.proves {
      try request.progress("proving", 0, 1)
      let samples = request.samples.prefix(SourceCompilation.proofSampleCount)
      _ = try Proof(programs, threads: request.threads)
        .prove(&contents, samples: samples.isEmpty ? nil : samples.map { Proof.Sample(inputs: $0) })
      try request.progress("proving", 1, 1)
    }
    return try FileModel(contents)
  }

  // MARK: Calibration

  /// The ranges of an int8 program of a float model; nil where none are needed.
  private func quantization(
    _ precision: Precision, _ shapes: InputShapes
  ) throws -> QuantizationOptions? {
    let isOwn = source.graph.ownPrecision == .int8
    let isGiven = !request.samples.isEmpty || request.ranges != nil
    guard precision == .int8, !isOwn else {
      guard !isGiven else {
        throw Failure(
          APUS_INVALID_ARGUMENT,
          isOwn
            ? "the model brings its own scales; samples and ranges would change nothing"
            : "samples and ranges belong to precision int8, not to \(precision)")
      }
      return nil
    }
    let float = try Compiler(precision: .fp32).compile(source.graph, shapes: shapes)
    let calibrator = try Calibrator(float)
    if let text = request.ranges {
      guard request.samples.isEmpty else {
        throw Failure(APUS_INVALID_ARGUMENT, "both samples and ranges are given; give one of them")
      }
      let ranges = try Ranges(parsing: text)
      try ranges.validate(against: calibrator.values)
      return QuantizationOptions(ranges: ranges, isSymmetric: request.isSymmetric)
    }
    guard !request.samples.isEmpty else {
      throw Failure(
        APUS_INVALID_ARGUMENT,
        "int8 needs the ranges of values: give samples to calibrate on, or a table of ranges")
    }
    return try calibrated(float, calibrator)
  }

  private func calibrated(
    _ float: CompiledProgram, _ calibrator: Calibrator
  ) throws -> QuantizationOptions {
    let observer = try calibrator.observer()
    let count = request.samples.count
    for (index, sample) in request.samples.enumerated() {
      try request.progress("calibrating", index, count)
      try observer.observe(sample, sample: index, name: "sample \(index)")
    }
    try request.progress("calibrating", count, count)
    let calibration = calibrator.calibration([observer])
    guard let name = request.method, name != "auto" else {
      let judged = min(count, SourceCompilation.judgedSampleCount)
      try request.progress("choosing", 0, 1)
      let choice = try MethodChoice(
        float, calibrator, calibration: calibration, isSymmetric: request.isSymmetric,
        samples: (0..<judged).map { request.samples[$0 * count / judged] })
      try request.progress("choosing", 1, 1)
      return choice.options
    }
    guard let method = RangeMethod(rawValue: name) else {
      throw Failure(
        APUS_INVALID_ARGUMENT,
        "calibration_method: '\(name)' is unknown; known are auto, "
          + RangeMethod.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return QuantizationOptions(
      ranges: calibration.ranges(method: method, symmetric: request.isSymmetric),
      isSymmetric: request.isSymmetric)
  }

  // MARK: Processing

  private func processing(_ program: Program) throws -> Processing {
    var result = Processing()
    for text in request.preprocess {
      let (name, specification) = try Preprocessing.option(text)
      let port = try port(name, program.inputs)
      let resolved = try specification.resolved(
        input: port.name, shape: port.shape, type: port.type)
      result.inputs.removeAll { $0.name == port.name }
      result.inputs.append(
        Processing.Input(name: port.name, text: resolved.specification.description))
    }
    if let text = request.postprocess {
      var specification = try Postprocessing(parsing: text)
      if let path = specification.classesPath {
        specification.labels = try Detector.labels(at: path)
      }
      result.postprocessing = specification.serialised
    }
    return result
  }

  private func port(_ name: String?, _ inputs: [Program.Port]) throws(Failure) -> Program.Port {
    let names = inputs.map(\.name).joined(separator: ", ")
    guard let name else {
      guard inputs.count == 1 else {
        throw Failure(
          APUS_INVALID_ARGUMENT,
          "preprocess needs a name, as NAME:KEY=VALUE: the inputs are \(names)")
      }
      return inputs[0]
    }
    guard let port = inputs.first(where: { $0.name == name }) else {
      throw Failure(
        APUS_INVALID_ARGUMENT,
        "preprocess: there is no input '\(name)'; the inputs are \(names)")
    }
    return port
  }
}
