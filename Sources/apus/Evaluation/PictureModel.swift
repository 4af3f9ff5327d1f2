import Detections
import Imaging
import Instructions
import Kernels
import ModelFile
import Options
import Pictures
import Pipelines
import Runtime
import Tensors

/// A program that looks at pictures and says what is in them, with the time that it takes.
final class PictureModel {
  let head: ProgramHead
  let session: Session
  let detector: Detector
  private let input: PictureInput
  private let batch: Int
  private var runCount = 0
  private var milliseconds = 0.0
  private static let clock = ContinuousClock()

  /// - Parameter detector: what turns outputs into objects or classes.
  init(
    _ opened: OpenedModel, precision: String?, processing: Processing, detector: Detector,
    options: Session.Options
  ) throws {
    let index = try opened.model.index(precision: precision)
    head = opened.model.programs[index]
    session = try opened.model.session(index, options: options)
    self.detector = detector
    guard session.inputs.count == 1, let port = session.inputs.first else {
      throw UsageError(
        "\(opened.path) has \(session.inputs.count) inputs; models of one picture are evaluated")
    }
    guard let text = processing.inputs.first(where: { $0.name == port.name })?.text else {
      throw FrameRun.missingPreprocessing(opened.path, port)
    }
    input = PictureInput(
      session,
      try Preprocessing(parsing: text).resolved(
        input: port.name, shape: port.shape, type: port.type))
    batch = input.batchSize
  }

  /// Mean milliseconds per picture of the runs alone.
  var meanMilliseconds: Double { milliseconds / Double(max(runCount * batch, 1)) }

  /// Runs once without counting the time; returns the number of classes that the outputs have.
  func warmUp(_ path: String) throws -> Int {
    let frame = try Picture.read(path)
    let mappings = try fill([frame])
    try session.run()
    return try named(path) { () throws(DetectionError) in
      try detector.classCount(in: try outputs(), mapping: mappings[0])
    } ?? detector.specification.labels.count
  }

  /// Looks at pictures one after the other, in batches of the model's size.
  ///
  /// - Parameter take: receives the place of the picture, the picture, and what was found.
  func look(at paths: [String], take: (Int, Frame, [Detection]) throws -> Void) throws {
    for start in stride(from: 0, to: paths.count, by: batch) {
      let part = paths[start..<min(start + batch, paths.count)]
      let frames = try part.map { try Picture.read($0) }
      let mappings = try fill(frames)
      let begin = PictureModel.clock.now
      try session.run()
      milliseconds += (PictureModel.clock.now - begin).milliseconds
      runCount += 1
      let outputs = try outputs()
      for (index, frame) in frames.enumerated() {
        let found = try named(paths[start + index]) { () throws(DetectionError) in
          try detector.detect(in: outputs, sample: index, mapping: mappings[index])
        }
        try take(start + index, frame, found)
      }
    }
  }

  private func fill(_ frames: [Frame]) throws -> [InputMapping] {
    try frames.enumerated().map { index, frame in try input.write(frame, sample: index) }
  }

  private func outputs() throws(DetectionError) -> [KitOutput] {
    do throws(RuntimeError) {
      var outputs: [KitOutput] = []
      for (index, port) in session.outputs.enumerated() {
        outputs.append(KitOutput(name: port.name, tensor: try session.output(index)))
      }
      return outputs
    } catch {
      throw DetectionError(.unfitOutputs, error.description)
    }
  }

  /// Names the picture in errors of the postprocessing.
  private func named<R>(_ path: String, _ body: () throws(DetectionError) -> R) throws -> R {
    do throws(DetectionError) { return try body() } catch {
      throw VerbError(.badInput, "\(path): \(error.message)")
    }
  }
}
