import ModelFile
import Tensors

/// Decodes the outputs of one family of models.
protocol DetectionKit: Sendable {
  /// What the kit wants of the outputs, in a sentence.
  var expectation: String { get }
  /// The most objects per picture where the specification says nothing.
  var defaultMaximum: Int { get }

  /// Returns every box above the score threshold, in pixels of the model's input.
  func candidates(
    in outputs: [KitOutput], sample: Int, mapping: InputMapping
  ) throws(DetectionError) -> Candidates
}

extension DetectionKit {
  var defaultMaximum: Int { 300 }
}

/// The kits by name.
enum KitCatalog {
  private static let makers: [Postprocessing.Kit: @Sendable (Postprocessing) -> any DetectionKit] =
    [
      .classification: { ClassificationKit($0) },
      .yolov5: { YOLOv5Kit($0) },
      .yolov8: { YOLOv8Kit($0) },
      .yolox: { YOLOXKit($0) },
      .ssd: { SSDKit($0) },
    ]

  static func make(_ specification: Postprocessing) -> any DetectionKit {
    guard let maker = makers[specification.kit] else {
      preconditionFailure("kit \(specification.kit.rawValue) is not in the catalogue")
    }
    return maker(specification)
  }
}

/// Boxes with class and score, before suppression. A classification has no boxes.
struct Candidates {
  var boxes: [Box] = []
  var scores: [Float] = []
  var classes: [Int] = []
  /// The classes that the outputs tell apart.
  var classCount: Int?

  mutating func append(_ box: Box, score: Float, class classIndex: Int) {
    boxes.append(box)
    scores.append(score)
    classes.append(classIndex)
  }

  /// The indices, best first; ties by class, then by order of appearance.
  func ranked() -> [Int] {
    scores.indices.sorted { a, b in
      if scores[a] != scores[b] { return scores[a] > scores[b] }
      if classes[a] != classes[b] { return classes[a] < classes[b] }
      return a < b
    }
  }
}

/// Finds the output that a kit reads.
struct OutputChoice {
  let kit: String
  let expectation: String
  let outputs: [KitOutput]

  /// Returns the output called `name`, or else the only one whose sample extents satisfy `fits`;
  /// of a float type, unless `readable` takes others.
  func output(
    named name: String?, key: String, rank: Int,
    of readable: (ElementType) -> Bool = { $0.isFloat }, where fits: ([Int]) -> Bool
  ) throws(DetectionError) -> (output: KitOutput, extents: [Int]) {
    if let name {
      guard let output = outputs.first(where: { $0.name == name }) else {
        throw mismatch("there is no output '\(name)' (\(key)=)")
      }
      guard let extents = output.tensor.shape.sampleExtents(rank: rank), fits(extents),
        readable(output.tensor.type)
      else { throw mismatch("output \(output.text) does not fit") }
      return (output, extents)
    }
    let fitting = outputs.compactMap { output -> (output: KitOutput, extents: [Int])? in
      guard readable(output.tensor.type),
        let extents = output.tensor.shape.sampleExtents(rank: rank), fits(extents)
      else { return nil }
      return (output, extents)
    }
    guard let first = fitting.first else { throw mismatch("no output fits") }
    guard fitting.count == 1 else {
      throw mismatch(
        "\(fitting.count) outputs fit (\(fitting.map(\.output.text).joined(separator: ", "))); "
          + "choose with \(key)=NAME")
    }
    return first
  }

  /// Returns the values of a sample of `output`.
  func values(of output: KitOutput, sample: Int) throws(DetectionError) -> [Float] {
    guard let values = output.floats(sample: sample) else {
      throw mismatch("output \(output.text) has no sample \(sample)")
    }
    return values
  }

  func mismatch(_ what: String) -> DetectionError {
    DetectionError(
      .unfitOutputs,
      "kit \(kit): \(what); the model's outputs are "
        + "\(outputs.map(\.text).joined(separator: ", ")), the kit wants \(expectation)")
  }

  func notFinite(_ output: KitOutput, at index: Int) -> DetectionError {
    DetectionError(
      .notFinite,
      "kit \(kit): output \(output.text) holds a score that is not finite at element \(index)")
  }
}
