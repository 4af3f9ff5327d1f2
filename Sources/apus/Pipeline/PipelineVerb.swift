import Options

/// `apus pipeline`: many sources through one model, side by side.
enum PipelineVerb: Verb {
  static let configuration = Argument(
    "CONFIG.json", help: "the model, the sources, and where results go")
  static let check = Flag(
    "check", help: "check configuration, model, files and outputs, then end")
  static let plan = Flag(
    "plan", help: "print what is needed of memory, handles, threads and processors, then end")
  static let duration = Option.seconds(
    "duration", help: "end in order after this time")
  static let stages = Option.text(
    "stages", "FILE.json", help: "write the report of this run, as --json prints it")
  static let baseline = Option.text(
    "baseline", "FILE.json", help: "compare with the report of an earlier run; 1 if slower")

  static let command = Command(
    "pipeline", summary: "run a model on many videos, cameras and folders at once",
    discussion: """
      Every source is decoded by itself and waits in a bounded queue; workers take the frames of \
      all sources through the model, and the results of each go to its own sinks, in order. A \
      fault of one source never touches another. Documentation/pipelines.md describes the \
      configuration.

      The first interrupt (Ctrl-C) ends the sources, finishes what was read and completes the \
      files; the second ends at once.
      """,
    arguments: [configuration],
    options: [
      check, plan, duration, SharedOptions.json, SharedOptions.precision, SharedOptions.preprocess,
      SharedOptions.postprocess, SharedOptions.isa, stages, baseline,
    ],
    examples: [
      "apus pipeline streams.json --plan",
      "apus pipeline streams.json --duration 60 --stages today.json --baseline yesterday.json",
    ])

  static func run(_ given: Given) throws -> ExitCode {
    guard !(given[check] && given[plan]) else {
      throw UsageError("--check and --plan are two things; give one of them")
    }
    return try PipelineRun(given).run()
  }
}
