import Compilation
import Graphs
import Importers
import Instructions
import Kernels
import ModelFile
import Options
import Runtime
import Tensors
import Texts

/// `apus bench`: how long a run takes, what it needs, and where the time goes.
enum BenchVerb: Verb {
  static let model = Argument(
    "MODEL", help: "a model file (.apus) or a source model (.onnx)", isRequired: false)
  static let input = Option.text(
    "input", "FILE.npz", help: "inputs; default: the file's own, else random")
  static let shape = Option.shapes("shape", help: "the shapes of inputs")
  static let runs = Option.integer("runs", in: 1...10_000_000, help: "timed runs")
  static let seconds = Option.seconds("seconds", help: "time to spend on timed runs (2)")
  static let streams = Option.integer(
    "streams", in: 1...1024, help: "sessions that run side by side (1)")
  static let layers = Flag("layers", help: "the time of each instruction")
  static let preprocessing = Option.text(
    "preprocessing", "WxH:FORMAT",
    help: "time from a frame, such as 1920x1080:nv12, to the model's input")
  static let machine = Flag("machine", help: "measure the machine's own peaks instead of a model")

  static let command = Command(
    "bench", summary: "time a model, and find where the time goes",
    discussion: """
      Times runs on bound buffers, copies excluded, after 3 runs and 0.4 s of warm-up. load_ms is \
      the time from opening the file until a run is possible; first_ms is the first run; *_mb are \
      MiB; gop is 10⁹ operations per run (2 per multiply-add). Operations are those of the direct \
      method, so that a layer with a better one ("winograd") may exceed the peak. --preprocessing \
      times no run, but \
      one thread that puts frames into the input of a model that declares how; the frames hold \
      64 MiB, so that none waits in a cache.
      """,
    arguments: [model],
    options: [
      input, shape, SharedOptions.precision, SharedOptions.threads, streams, runs, seconds,
      SharedOptions.isa, layers, preprocessing, machine, SharedOptions.json,
    ],
    examples: [
      "apus bench detector.apus --threads 1 --layers",
      "apus bench detector.apus --preprocessing 1920x1080:nv12",
      "apus bench --machine --json",
    ])

  static func run(_ given: Given) throws -> ExitCode {
    if given[machine] { return try MachineBench(given).run() }
    guard !given[model].isEmpty else { throw UsageError("MODEL is missing; or give --machine") }
    if let source = given[preprocessing] {
      return try PreprocessingBench(given, source: source).run()
    }
    return try ModelBench(given).run()
  }
}
