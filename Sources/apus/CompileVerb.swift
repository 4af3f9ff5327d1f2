import Accuracy
import Archives
import Compilation
import Files
import Graphs
import Importers
import ModelFile
import Options
import Runtime
import Tensors
import Texts

/// `apus compile`: a source model becomes one model file, proved.
enum CompileVerb: Verb {
  static let model = Argument("MODEL", help: "the source model, .onnx")
  static let output = Option.text("o", "OUT.apus", help: "the file to write")
  static let precision = Option<Precision>.choice(
    "precision", help: "what the program computes in (fp32)")
  static let shape = Option.shapes(
    "shape", help: "the shapes of inputs; once per set of shapes that the file shall hold"
  ).repeated()
  static let testInput = Option.text(
    "test-input", "FILE", help: "inputs for the proof, .npz, instead of random ones")
  static let reference = Option.text(
    "reference", "FILE.npz", help: "the framework's own outputs for --test-input")
  static let tolerance = Option.text(
    "tolerance", "cosine=0.99,…",
    help: "what the program must reach against the float program (cosine, euclidean, sqnr)")
  static let report = Option.text(
    "report", "FILE.html", help: "write what was compiled as a page: layers, ranges, sizes")
  static let noProof = Flag("no-proof", help: "skip the proof; the file is marked unproven")
  static let threads = SharedOptions.threads

  static let command = Command(
    "compile", summary: "turn an ONNX model into one .apus file, and prove it",
    discussion: """
      Imports the model, fixes its input shapes, optimises, plans memory, and writes one file that \
      runs on every CPU. Then proves it: the program against the framework's outputs \
      (--reference), against the float program, the written file against the program in memory, \
      and the fast kernels against the portable ones. A failed proof still writes the file, marks \
      it unproven, names the layers to blame and exits with 1. Where shapes depend on data, or the \
      model has loops, the file holds the model itself: apus run compiles it while it runs.
      """,
    arguments: [model],
    options: [
      output, precision, CalibrationOptions.calibrate, CalibrationOptions.random,
      CalibrationOptions.method, CalibrationOptions.samples, CalibrationOptions.activations,
      CalibrationOptions.memory, CalibrationOptions.timeBudget, shape, SharedOptions.preprocess,
      SharedOptions.postprocess, testInput, reference, tolerance, report, noProof, threads,
    ],
    examples: [
      "apus compile yolov8n.onnx -o yolov8n.apus --preprocess resize=letterbox,raw-scale=1 "
        + "--postprocess yolov8:classes=coco.txt",
      "apus compile yolov8n.onnx -o yolov8n.int8.apus --precision int8 --calibrate pictures/ "
        + "--preprocess resize=letterbox,raw-scale=1 --report report.html",
      "apus compile bert.onnx -o bert.apus --precision bf16 "
        + "--shape input_ids=1x128,attention_mask=1x128",
    ])

  static func run(_ given: Given) throws -> ExitCode {
    let path = given[model]
    guard let target = given[output] else { throw UsageError("-o OUT.apus is missing") }
    if OpenedModel.isSource(path) == false {
      throw UsageError("'\(path)' is no source model; apus compile takes .onnx files")
    }
    let (graph, parts) = try Graph.withParts(onnxFile: path)
    let precision = given[precision] ?? graph.ownPrecision
    let calibrated = try calibrate(given, graph, precision)
    let programs: [CompiledProgram]
    do {
      programs = try compile(given, graph, precision, calibrated)
    } catch let error as CompileError where error.code == .dataDependent {
      return try SourceFile.write(given, parts, graph, precision, because: error)
    }
    var contents = try ModelAssembly.contents(
      of: programs, origin: Dictionary(graph.origin) { first, _ in first })
    contents.origin["source"] = path.split(separator: "/").last.map(String.init) ?? path
    contents.origin["compiler"] = "apus \(ApusTool.version)"
    if let ranges = calibrated?.quantization.ranges {
      contents.calibration = ranges.withoutChannels.text
      if !ranges.isOnData { contents.origin["calibration"] = "NOT CALIBRATED ON DATA" }
    }
    contents.processing = try ProcessingOptions(given).processing(
      for: contents.variants[0].program.inputs, outputs: contents.variants[0].program.outputs)
    var result: Proof.Result?
    let proof = Proof(
      programs, tolerance: try given[tolerance].map { try Tolerance(parsing: $0) },
      threads: given[threads])
    let proofSamples = try samples(given, contents) ?? calibrated?.proofSamples
    if !given[noProof] { result = try proof.prove(&contents, samples: proofSamples) }
    try ModelWriter.write(contents, to: target)
    if var checked = result {
      try proof.compareFile(target, with: contents, &checked)
      if checked.passes != result?.passes {
        contents.proof = checked.status
        try ModelWriter.write(contents, to: target)
      }
      result = checked
    }
    try summarise(target, contents, programs, result)
    if let page = given[report] {
      try CompilationPage(
        compiled: programs[0], calibrated: calibrated, proof: result,
        sample: proofSamples?.first?.inputs
      ).write(to: page, model: path, contents: contents, file: target)
    }
    return result?.passes == false ? .checkFailed : .done
  }

  /// The ranges for int8 programs; nil where none are needed.
  private static func calibrate(
    _ given: Given, _ graph: Graph, _ precision: Precision
  ) throws -> CalibratedModel? {
    let option = CalibrationOptions.firstGiven(given)
    if graph.isQuantized && precision != .fp32 {
      guard option == nil else {
        throw UsageError(
          "\(given[model]) brings its own scales, which are kept; \(option ?? "") would change "
            + "nothing: leave it out")
      }
      return nil
    }
    guard precision == .int8 else {
      guard option == nil else {
        throw UsageError("\(option ?? "") belongs to --precision int8, not to \(precision)")
      }
      return nil
    }
    let shapes = try given[shape].first.map { try InputShapes($0, for: graph) } ?? InputShapes()
    return try CalibratedModel(given, given[model], graph, shapes: shapes)
  }

  /// A program for each set of shapes.
  private static func compile(
    _ given: Given, _ graph: Graph, _ precision: Precision, _ calibrated: CalibratedModel?
  ) throws -> [CompiledProgram] {
    let sets =
      try given[shape].isEmpty
      ? [InputShapes()] : given[shape].map { try InputShapes($0, for: graph) }
    let compiler = Compiler(precision: precision, quantization: calibrated?.quantization)
    let progress = Progress("compiling", total: sets.count)
    var programs: [CompiledProgram] = []
    for set in sets {
      programs.append(try compiler.compile(graph, shapes: set))
      progress.advance()
    }
    progress.finish()
    return programs
  }

  /// The samples of `--test-input`, with the outputs of `--reference`.
  private static func samples(
    _ given: Given, _ contents: ModelContents
  ) throws -> [Proof.Sample]? {
    guard let path = given[testInput] else {
      if given[reference] != nil { throw UsageError("--reference needs --test-input") }
      return nil
    }
    let file = try TensorSample(path)
    let references = try given[reference].map { try Archive.read($0) } ?? []
    let ports = contents.variants[0].program.inputs
    let outputs = contents.variants[0].program.outputs
    let inputs = try file.samples(for: ports)
    for item in references where !outputs.contains(where: { $0.name == item.name }) {
      let names = outputs.map(\.name)
      throw VerbError(
        .badInput,
        "\(given[reference] ?? ""): the model has no output \"\(item.name)\"; it has "
          + names.joined(separator: ", ") + "." + Suggestion.question(item.name, in: names))
    }
    return try inputs.enumerated().map { index, tensors in
      var expected: [String: TensorBuffer] = [:]
      for item in references {
        guard let port = outputs.first(where: { $0.name == item.name }) else { continue }
        expected[item.name] = try TensorSample.slice(
          item.tensor, index, of: inputs.count, to: port, path: given[reference] ?? "")
      }
      return Proof.Sample(inputs: tensors, reference: expected)
    }
  }

  private static func summarise(
    _ target: String, _ contents: ModelContents, _ programs: [CompiledProgram],
    _ result: Proof.Result?
  ) throws {
    let bytes = try ReadableFile(target).byteCount ?? 0
    for variant in contents.variants {
      let shapes = variant.program.inputs.map { "\($0.name) \($0.type) \($0.shape)" }
      Console.diagnose(
        "\(variant.precision): \(shapes.joined(separator: ", ")); "
          + "\(NumberText.significant(Double(variant.operationCount) / 1e9, digits: 3)) GOP, "
          + "\(variant.program.instructions.count) instructions, arena "
          + "\(NumberText.bytes(variant.program.arenaByteCount)), weights "
          + "\(NumberText.bytes(variant.weightByteCount))\n")
    }
    if let program = programs.first, program.precision == .int8 {
      for note in ReportBuilder(program).notes {
        Console.diagnose("\(note.subject): \(note.text)\n")
      }
      if let advice = PrecisionAdvice(program)?.text { Console.diagnose("\(advice)\n") }
    }
    Console.diagnose(proofText(result))
    Console.diagnose("\(target): \(NumberText.bytes(bytes))\n")
  }

  private static func proofText(_ result: Proof.Result?) -> String {
    guard let result else { return "NOT PROVEN: --no-proof was given\n" }
    var text = ""
    for step in result.steps {
      text += "proof: \(step.title): \(step.passes ? "passed" : "FAILED")\n"
      guard !step.passes else { continue }
      text += step.comparison.text
      if let passing = step.comparison.passingTolerance {
        text += "it would pass with --tolerance \(passing)\n"
      }
      if !step.blamed.isEmpty {
        text += "the values that differ most: \(step.blamed.joined(separator: ", "))\n"
      }
    }
    if let obstacle = result.obstacle {
      return text + "NOT PROVEN: random inputs will not do: \(obstacle); give --test-input\n"
    }
    if result.isOnRandomData { text += "PROVED ON RANDOM DATA; give --test-input for real data\n" }
    return text
  }
}

extension InputShapes {
  /// The shapes of `--shape`; a shape without a name is that of the only input.
  init(_ given: ShapeSet, for graph: Graph) throws {
    self.init()
    for (name, extents) in given.shapes {
      if name.isEmpty {
        guard graph.inputs.count == 1 else {
          let names = graph.inputs.map { graph[$0].name }.joined(separator: ", ")
          throw UsageError("--shape needs a name: the model has the inputs \(names)")
        }
        shapes[graph[graph.inputs[0]].name] = Shape(extents)
      } else {
        shapes[name] = Shape(extents)
      }
    }
  }
}
