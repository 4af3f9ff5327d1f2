import Compilation
import Detections
import Files
import Imaging
import Instructions
import ModelFile
import Options
import Pictures
import Pipelines
import Runtime
import Tensors
import Texts

/// A run on pictures and video: decode, preprocess, infer, postprocess, write.
struct FrameRun {
  private let given: Given
  private let files: [String]
  private let session: Session
  private let input: PictureInput
  private let detector: Detector?
  private let times = StageTimes(["decode", "preprocess", "infer", "postprocess", "sink"])

  init(_ given: Given, files: [String]) throws {
    self.given = given
    self.files = files
    let path = given[RunVerb.model]
    let opened = try OpenedModel(path, precision: given[SharedOptions.precision])
    session = try opened.session(
      precision: given[SharedOptions.precision], threads: given[SharedOptions.threads],
      isas: try SharedOptions.isas(given))
    let options = try ProcessingOptions(given)
    let processing = try options.processing(
      for: session.inputs, outputs: session.outputs, over: opened.processing)
    guard session.inputs.count == 1, let port = session.inputs.first else {
      throw UsageError(
        "\(path) has \(session.inputs.count) inputs; give them as tensors in one .npz file")
    }
    guard let text = processing.inputs.first(where: { $0.name == port.name })?.text else {
      throw FrameRun.missingPreprocessing(path, port)
    }
    input = PictureInput(
      session,
      try Preprocessing(parsing: text).resolved(
        input: port.name, shape: port.shape, type: port.type))
    detector = try processing.postprocessing.map { text in
      try Detector(Postprocessing(serialised: text))
    }
  }

  /// The mistake of giving pictures to an input that does not say how it takes them.
  static func missingPreprocessing(_ path: String, _ port: Program.Port) -> UsageError {
    let option = Preprocessing.suggestedOption(
      input: port.name, dimensions: port.shape.dimensions.map { $0 }, type: port.type)
    guard let option else {
      return UsageError(
        "\(path): input \"\(port.name)\" (\(port.type) \(port.shape)) takes no pictures; give "
          + "tensors in a .npz file")
    }
    return UsageError(
      "\(path) does not say how a picture becomes its input \"\(port.name)\" (\(port.type) "
        + "\(port.shape)); add for example\n  \(option)\nto this command or to apus compile")
  }

  func run() throws -> ExitCode {
    let sources = try files.map { try FrameInput($0) }
    let sinks = try RunOutputs(
      given[RunVerb.output], sources: sources, detector: detector, outputs: session.outputs)
    var failure: (any Error)?
    var frameCount = 0
    let total = sources.reduce(0) { $0 + ($1.frameCount ?? 0) }
    let progress = Progress("frames", total: total)
    for source in sources {
      do {
        frameCount += try run(source, sinks, progress)
      } catch let error as ImagingError where sources.count > 1 || frameCount > 0 {
        Console.diagnose("\(error.description)\n")
        failure = failure ?? error
      }
    }
    progress.finish()
    try times.measure("sink") { try sinks.finish() }
    if let path = given[RunVerb.stages] { try times.write(to: path) }
    Console.diagnose("\(frameCount) frames\n\(times.text)")
    if let failure { throw failure }
    return .done
  }

  /// Runs all frames of one source; returns their number.
  private func run(
    _ source: FrameInput, _ sinks: RunOutputs, _ progress: Progress
  ) throws -> Int {
    var count = 0
    var pending: [Frame] = []
    while let frame = try times.measure("decode", { try source.next() }) {
      pending.append(frame)
      if pending.count == input.batchSize {
        try process(pending, from: count, source, sinks)
        count += pending.count
        progress.advance(by: pending.count)
        pending = []
      }
    }
    if !pending.isEmpty {
      try process(pending, from: count, source, sinks)
      count += pending.count
    }
    if let note = source.damage { Console.diagnose("\(source.name): \(note)\n") }
    return count
  }

  private func process(
    _ frames: [Frame], from first: Int, _ source: FrameInput, _ sinks: RunOutputs
  ) throws {
    var mappings: [InputMapping] = []
    try times.measure("preprocess") {
      for (index, frame) in frames.enumerated() {
        mappings.append(try input.write(frame, sample: index))
      }
    }
    try times.measure("infer") { try session.run() }
    let outputs = try session.outputs.indices.map { index in
      KitOutput(name: session.outputs[index].name, tensor: try session.output(index))
    }
    for (index, frame) in frames.enumerated() {
      let objects = try times.measure("postprocess") {
        try detector?.detect(in: outputs, sample: index, mapping: mappings[index]) ?? []
      }
      let result = FrameDetections(
        stream: source.name, frame: first + index, timeMs: frame.timeMs, width: frame.width,
        height: frame.height, objects: objects)
      try times.measure("sink") {
        try sinks.take(result, frame, outputs.map(\.tensor), sample: index)
      }
    }
  }
}

/// One input file of a run: a picture, a directory of pictures, or a video.
final class FrameInput {
  let path: String
  /// The file's name without directories and ending: what results are named after.
  let name: String
  let frameCount: Int?
  let rate: FrameRate?
  let isVideo: Bool
  private let source: any FrameSource

  init(_ path: String) throws {
    self.path = path
    let file = path.split(separator: "/").last.map(String.init) ?? path
    name = file.lastIndex(of: ".").map { String(file[..<$0]) } ?? file
    if Picture.isPicture(path) {
      source = PictureSource([path], name: name)
      (frameCount, rate, isVideo) = (1, nil, false)
    } else if FileKind.isDirectory(path) {
      source = try PictureSource(folder: path)
      (frameCount, rate, isVideo) = (nil, nil, false)
    } else {
      let video = try VideoSource(path)
      source = video
      (frameCount, rate, isVideo) = (video.frameCount, video.rate, true)
    }
  }

  func next() throws -> Frame? { try source.next() }

  /// What a video's decoder had to skip or patch up, in a sentence; nil for nothing.
  var damage: String? {
    guard let video = source as? VideoSource else { return nil }
    let statistics = video.statistics
    guard statistics.errors > 0 || statistics.damaged > 0 else { return nil }
    return "\(statistics.errors) packets could not be decoded, \(statistics.damaged) frames are "
      + "damaged; first: \(statistics.firstError)"
  }
}
