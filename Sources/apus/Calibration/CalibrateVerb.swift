import Compilation
import Files
import Graphs
import Importers
import ModelFile
import Options
import Texts

/// `apus calibrate`: from samples to a table of ranges.
enum CalibrateVerb: Verb {
  static let model = Argument("MODEL", help: "the source model, .onnx", isRequired: false)
  static let dataset = Option.text(
    "dataset", "DIR|LIST|FILE.npz", help: "the samples: pictures, a list of files, or tensors")
  static let output = Option.text("o", "RANGES", help: "the table to write")
  static let shape = Option.shapes("shape", help: "the shapes of inputs")
  static let diff = Option.text(
    "diff", "A B", help: "instead: compare two tables, and show what moved most"
  ).several()

  static let command = Command(
    "calibrate", summary: "find the ranges of a model's values on samples, as an editable table",
    discussion: """
      Runs the float program over the samples and writes the range of every value: the table that \
      apus compile --calibrate takes instead of samples. A directory gives its pictures; a list \
      has one sample per line, path[,path…] in the order of the inputs; in an .npz each array is \
      the input's shape with its first extent times the number of samples. All samples are read \
      once before work starts, and a bad one is named.
      The table is text, made to be edited; Documentation/ranges-table.md describes it.
      """,
    arguments: [model],
    options: [
      dataset, CalibrationOptions.random, output, CalibrationOptions.method,
      CalibrationOptions.samples, CalibrationOptions.activations, SharedOptions.preprocess, shape,
      SharedOptions.threads, CalibrationOptions.memory, CalibrationOptions.timeBudget, diff,
      SharedOptions.json,
    ],
    examples: [
      "apus calibrate yolov8n.onnx --dataset pictures/ --samples 200 -o ranges.txt "
        + "--preprocess resize=letterbox,raw-scale=1",
      "apus calibrate bert.onnx --dataset samples.npz --calibration-method mse -o ranges.txt "
        + "--shape input_ids=1x128,attention_mask=1x128",
      "apus calibrate --diff before.txt after.txt",
    ])

  static func run(_ given: Given) throws -> ExitCode {
    let tables = given[diff]
    if !tables.isEmpty { return try compare(tables, given) }
    if given[SharedOptions.json] { throw UsageError("--json belongs to --diff") }
    let path = given[model]
    guard !path.isEmpty else { throw UsageError("MODEL is missing; or give --diff A B") }
    guard let target = given[output] else { throw UsageError("-o RANGES is missing") }
    guard OpenedModel.isSource(path) else {
      throw UsageError("'\(path)' is no source model; apus calibrate takes .onnx files")
    }
    let graph = try Graph(onnxFile: path)
    let shapes = try given[shape].map { try InputShapes($0, for: graph) } ?? InputShapes()
    let compiled = try Compiler(precision: .fp32).compile(graph, shapes: shapes)
    let calibrator = try Calibrator(compiled)
    let processing = try ProcessingOptions(given).processing(
      for: calibrator.inputs, outputs: [])
    guard
      let input = try CalibrationInput(
        given[dataset], given, ports: calibrator.inputs, processing: processing)
    else { throw UsageError("--dataset is missing; or give --calibrate-random N") }
    guard case .samples(let source) = input else {
      throw UsageError("'\(given[dataset] ?? "")' is a table of ranges, not samples to make one of")
    }
    // Opened first: a place that cannot be written is found before the work.
    var file = try AtomicFile(replacing: target)
    let checkpoint = try CheckpointFile(
      beside: target, model: path, source,
      options: calibrator.inputs.map { "\($0.name) \($0.shape)" }.joined(separator: ","))
    let calibration = try CalibrationRun(
      calibrator, source, threads: given[SharedOptions.threads],
      memoryLimit: given[CalibrationOptions.memory], checkpoint: checkpoint
    ).run()
    let ranges = try (given[CalibrationOptions.method] ?? .auto).choice(
      of: calibration, compiled, calibrator,
      isSymmetric: given[CalibrationOptions.activations] == .symmetric, source,
      budget: given[CalibrationOptions.timeBudget]
    ).options.ranges
    try file.write(ranges.text)
    try file.commit()
    checkpoint.remove()
    Console.diagnose(
      "\(target): \(ranges.values.count) ranges by \(ranges.method) from \(ranges.sampleCount) "
        + "sample\(ranges.sampleCount == 1 ? "" : "s")\n")
    return .done
  }

  // MARK: Two tables

  private static func compare(_ paths: [String], _ given: Given) throws -> ExitCode {
    guard paths.count == 2, given[model].isEmpty else {
      throw UsageError("--diff takes two tables and nothing else: apus calibrate --diff A B")
    }
    let difference = RangesDifference(
      try RangesFile.read(paths[0]), try RangesFile.read(paths[1]))
    try Console.output(
      given[SharedOptions.json]
        ? DifferenceReport.json(difference) : DifferenceReport.text(difference, paths))
    return .done
  }
}
