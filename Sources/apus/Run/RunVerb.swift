import Compilation
import Graphs
import Importers
import ModelFile
import Options
import Runtime
import Tensors

/// `apus run`: inputs go in, outputs come out: tensors, pictures or video.
enum RunVerb: Verb {
  static let model = Argument("MODEL", help: "a model file (.apus) or a source model (.onnx)")
  static let input = Option.text(
    "input", "FILE…", help: "tensors (.npz, .npy), pictures, a directory of pictures, or a video"
  ).several()
  static let output = Option.text(
    "o", "OUT", help: ".npz, .json, .jsonl, .jpg, DIR/ or .mp4; may be repeated"
  ).repeated()
  static let stages = Option.text(
    "stages", "FILE.json", help: "write the time of each stage of this run")
  static let allTensors = Flag(
    "all-tensors", help: "write every value of the source model that still exists, as float32")

  static let command = Command(
    "run", summary: "run a model on tensors, pictures or video",
    discussion: """
      Tensors (.npz, .npy) are the model's own inputs and bypass preprocessing. Pictures and video \
      go through the preprocessing that the file holds or that --preprocess gives; the \
      postprocessing turns outputs into objects. Several input files are several samples, one \
      result each, in order. Without -o a summary is printed.
      """,
    arguments: [model],
    options: [
      input, output, stages, SharedOptions.precision, SharedOptions.preprocess,
      SharedOptions.postprocess, allTensors, SharedOptions.threads, SharedOptions.isa,
    ],
    examples: [
      "apus run detector.apus --input street.mp4 -o street.jsonl -o annotated.mp4",
      "apus run model.onnx --input inputs.npz -o outputs.npz",
    ])

  static func run(_ given: Given) throws -> ExitCode {
    let files = given[input]
    guard try !files.isEmpty || takesNothing(given[model]) else {
      throw UsageError("--input FILE… is missing")
    }
    let areTensors = files.map(TensorSample.isTensorFile)
    if areTensors.allSatisfy({ $0 }) {
      return try TensorRun(given, files: files).run()
    }
    guard !areTensors.contains(true) else {
      throw UsageError("--input mixes tensors with pictures; run them one after the other")
    }
    guard !given[allTensors] else {
      throw UsageError("--all-tensors takes tensors (.npz) as input")
    }
    return try FrameRun(given, files: files).run()
  }

  /// Says whether a model that is compiled while it runs needs no inputs: it has none, or optional
  /// ones only.
  private static func takesNothing(_ path: String) throws -> Bool {
    let graph =
      OpenedModel.isSource(path) ? try Graph(onnxFile: path) : try SourceFile.open(path)?.graph
    guard let graph else { return false }
    return graph.inputs.allSatisfy { graph[$0].kind == .optional }
  }
}
