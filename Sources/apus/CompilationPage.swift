import Accuracy
import Compilation
import Files
import Graphs
import ModelFile
import Options
import Tensors
import Texts

/// The page of `apus compile --report`.
struct CompilationPage {
  let compiled: CompiledProgram
  let calibrated: CalibratedModel?
  let proof: Proof.Result?
  /// What similarities are measured on; nil: a seeded random sample.
  let sample: [TensorBuffer]?

  /// Writes the page.
  ///
  /// - Parameters:
  ///   - model: the path of the source model.
  ///   - contents: what was written to `file`.
  func write(to path: String, model: String, contents: ModelContents, file: String) throws {
    let builder = ReportBuilder(compiled)
    var random = RandomInputs()
    let inputs = sample ?? random.tensors(for: compiled.lowered.program.inputs)
    var report = CompilationReport(
      model: model.split(separator: "/").last.map(String.init) ?? model,
      precision: compiled.precision.rawValue, proof: contents.proof.sentence,
      calibration: calibration)
    report.layers = try builder.layers(inputs)
    report.notes = builder.notes
    if sample == nil {
      report.notes.append(.init(text: "Similarities were measured on random data."))
    }
    if let calibrated, let calibration = calibrated.calibration {
      report.histograms = builder.histograms(
        calibration, ranges: calibrated.quantization.ranges, layers: report.layers)
    }
    report.sizes = try sizes(contents, file)
    report.proofSteps = steps
    var page = try AtomicFile(replacing: path)
    try page.write(report.html())
    try page.commit()
  }

  private var calibration: String {
    guard let calibrated else { return "" }
    let ranges = calibrated.quantization.ranges
    let count = ranges.sampleCount
    var text = "\(ranges.method), \(count) sample\(count == 1 ? "" : "s")"
    if !ranges.isOnData { text += ", NOT CALIBRATED ON DATA" }
    if !calibrated.trials.isEmpty {
      let tried = calibrated.trials.map(\.text).joined(separator: ", ")
      text += "; outputs against the float program: \(tried)"
    }
    return text
  }

  private func sizes(
    _ contents: ModelContents, _ file: String
  ) throws -> [CompilationReport.Size] {
    let float = try ModelAssembly.contents(of: [
      try Compiler(precision: .fp32).compile(compiled.origin, shapes: compiled.shapes)
    ]).variants.first
    let own = contents.variants.first
    return [
      .init(name: "file", byteCount: try ReadableFile(file).byteCount ?? 0),
      .init(
        name: "weights", byteCount: own?.weightByteCount ?? 0,
        floatByteCount: float?.weightByteCount),
      .init(
        name: "arena of a session", byteCount: own?.program.arenaByteCount ?? 0,
        floatByteCount: float?.program.arenaByteCount),
    ]
  }

  private var steps: [CompilationReport.ProofStep] {
    (proof?.steps ?? []).map { step in
      let figures = step.comparison.tensors.compactMap { tensor in
        tensor.similarity.map {
          "\(tensor.name): cosine \(NumberText.significant($0.cosine, digits: 6))"
        }
      }
      var detail = figures.joined(separator: "; ")
      if !step.blamed.isEmpty { detail += "; most differ: \(step.blamed.joined(separator: ", "))" }
      return .init(name: step.title, isPassed: step.passes, detail: detail)
    }
  }
}
