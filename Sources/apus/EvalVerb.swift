import Compilation
import Graphs
import Importers
import Kernels
import Options
import Texts

/// `apus eval`: how accurate a model is on pictures with known contents.
enum EvalVerb: Verb {
  static let model = Argument("MODEL", help: "a model file (.apus) or a source model (.onnx)")
  static let dataset = Option.text("dataset", "DIR", help: "the directory of pictures")
  static let annotations = Option.text(
    "annotations", "PATH",
    help: "a COCO JSON, a CSV file,class_index, or a directory of YOLO .txt; without it, "
      + "sub-directories in name order are the classes")
  static let metric = Option<EvaluationMetric>.choice(
    "metric", help: "what to measure (default: map for detectors, else top1)")
  static let classOffset = Option.integer(
    "class-offset", in: 0...1_000_000,
    help: "the model's classes before the first one of the data set, e.g. 1 for a background")
  static let atLeast = Option.number(
    "at-least", "V", in: 0...1, help: "exit with 1 where the figure is below, e.g. 0.61")
  static let allPrecisions = Flag(
    "all-precisions", help: "every precision side by side: accuracy, time, size, memory")

  static let command = Command(
    "eval", summary: "measure accuracy on pictures with known contents",
    discussion: """
      Top-1 and top-5 accuracy of classifiers, COCO's mean average precision of detectors (AP at \
      IoU 0.5 to 0.95, 101 recalls, 100 detections), over all and per class. For map objects count \
      from a score of 0.01 unless --postprocess gives one. COCO categories are the model's classes \
      of the same names, or else its classes in the order of their ids.
      """,
    arguments: [model],
    options: [
      dataset, annotations, metric, SharedOptions.preprocess, SharedOptions.postprocess,
      SharedOptions.precision, SharedOptions.isa, SharedOptions.threads, classOffset, atLeast,
      allPrecisions, CalibrationOptions.calibrate, CalibrationOptions.random,
      CalibrationOptions.method, CalibrationOptions.samples, CalibrationOptions.activations,
      CalibrationOptions.memory, CalibrationOptions.timeBudget, SharedOptions.json,
    ],
    examples: [
      "apus eval detector.apus --dataset pictures --annotations instances.json",
      "apus eval classifier.onnx --dataset pictures --annotations labels.csv --preprocess "
        + "resize=short:256,crop=224x224,raw-scale=1 --all-precisions",
    ])

  static func run(_ given: Given) throws -> ExitCode {
    guard given[dataset] != nil else { throw UsageError("--dataset DIR is missing") }
    guard !given[allPrecisions] || given[SharedOptions.precision] == nil else {
      throw UsageError("--precision and --all-precisions exclude each other")
    }
    let entries =
      given[allPrecisions] ? try all(given) : [try one(given, given[SharedOptions.precision])]
    let report = EvaluationReport(
      model: given[model], entries: entries, isTable: given[allPrecisions])
    try Console.output(given[SharedOptions.json] ? report.json : report.text)
    return check(given, entries)
  }

  /// Opens the model; a source model is compiled. The only place where an evaluation does so.
  private static func open(_ given: Given, _ precision: Precision?) throws -> OpenedModel {
    let path = given[model]
    guard precision == .int8, OpenedModel.isSource(path) else {
      return try OpenedModel(path, precision: precision)
    }
    let graph = try Graph(onnxFile: path)
    let calibrated =
      graph.isQuantized ? nil : try CalibratedModel(given, path, graph, shapes: InputShapes())
    return try OpenedModel(
      path, precision: precision, quantization: calibrated?.quantization)
  }

  private static func one(
    _ given: Given, _ precision: Precision?
  ) throws -> EvaluationReport.Entry {
    let evaluation = try Evaluation(given)
    let opened = try open(given, precision)
    let result = try evaluation.result(opened, precision: opened.programName(precision))
    return EvaluationReport.Entry(precision: result.precision, result: result)
  }

  /// Every precision of a file, or all that a source model can be compiled to.
  private static func all(_ given: Given) throws -> [EvaluationReport.Entry] {
    let evaluation = try Evaluation(given)
    guard OpenedModel.isSource(given[model]) else {
      let opened = try open(given, nil)
      return try opened.model.precisions.map { precision in
        .init(
          precision: precision, result: try evaluation.result(opened, precision: precision))
      }
    }
    return try Precision.allCases.map { precision in
      do {
        let opened = try open(given, precision)
        return .init(
          precision: precision.rawValue,
          result: try evaluation.result(opened, precision: opened.programName(precision)))
      } catch let error as UsageError where precision == .int8 && !namesSamples(given) {
        // The others still count.
        return .init(precision: precision.rawValue, reason: error.description)
      }
    }
  }

  private static func namesSamples(_ given: Given) -> Bool {
    given[CalibrationOptions.calibrate] != nil || given[CalibrationOptions.random] != nil
  }

  /// Compares with `--at-least`, and says both numbers where it is missed.
  private static func check(_ given: Given, _ entries: [EvaluationReport.Entry]) -> ExitCode {
    guard let least = given[atLeast] else { return .done }
    func text(_ value: Double) -> String { NumberText.significant(value, digits: 6) }
    var code = ExitCode.done
    for result in entries.compactMap(\.result) where !(result.value >= least) {
      Console.diagnose(
        "\(result.precision): \(result.metric.title) \(text(result.value)) is below "
          + "--at-least \(text(least))\n")
      code = .checkFailed
    }
    return code
  }
}
