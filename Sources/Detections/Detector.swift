internal import Files
public import ModelFile

/// Turns a model's outputs into objects in source pixels, as its postprocessing declares.
///
/// One kit decodes the outputs; score threshold, suppression of overlaps, the limit on objects,
/// labels and the way back to the source are the same for all.
public struct Detector: Sendable {
  public let specification: Postprocessing
  private let kit: any DetectionKit

  /// - Throws: `DetectionError` where `classes` names a file that was not read.
  public init(_ specification: Postprocessing) throws(DetectionError) {
    var specification = specification
    if let path = specification.classesPath, specification.labels.isEmpty {
      specification.labels = try Detector.labels(at: path)
    }
    self.specification = specification
    kit = KitCatalog.make(specification)
  }

  /// What the kit wants of the outputs, in a sentence.
  public var expectation: String { kit.expectation }

  /// Finds the objects of one sample of a batch, best first; equal scores keep the order of class,
  /// then of position in the output.
  ///
  /// - Parameters:
  ///   - outputs: the model's outputs, float32 (or another float type), leading dimension = batch.
  ///   - sample: the index along the leading dimension.
  ///   - mapping: where the source lies in the model's input.
  /// - Throws: `DetectionError` where shapes do not fit the kit (prints both sides) or a number is
  ///   not finite.
  public func detect(
    in outputs: [KitOutput], sample: Int = 0, mapping: InputMapping
  ) throws(DetectionError) -> [Detection] {
    let candidates = try kit.candidates(in: outputs, sample: sample, mapping: mapping)
    if let highest = candidates.classCount, !specification.labels.isEmpty,
      specification.labels.count != highest
    {
      throw DetectionError(
        .unfitOutputs,
        "kit \(specification.kit.rawValue): the model has \(highest) classes, but there are "
          + "\(specification.labels.count) labels; give classes=FILE with one label per class")
    }
    let maximum = specification.maximum ?? kit.defaultMaximum
    if candidates.boxes.isEmpty {
      return candidates.ranked().prefix(maximum).map { index in
        detection(
          candidates.classes[index], candidates.scores[index],
          Box(
            x1: 0, y1: 0, x2: Float(mapping.source.width), y2: Float(mapping.source.height)))
      }
    }
    guard candidates.boxes.allSatisfy(\.isFinite) else {
      throw DetectionError(
        .notFinite,
        "kit \(specification.kit.rawValue): a box is not finite; the outputs do not fit the kit's "
          + "decoding (\(kit.expectation)) or the model's input was wrong")
    }
    let kept = Suppression(
      limit: Float(specification.iou ?? 0.45), isAgnostic: specification.agnostic ?? false
    ).keep(candidates, maximum: maximum)
    return kept.map { index in
      detection(
        candidates.classes[index], candidates.scores[index],
        source(of: candidates.boxes[index], mapping))
    }
  }

  /// The classes that the outputs tell apart, without background; nil where the kit cannot say.
  ///
  /// - Throws: `DetectionError` where shapes do not fit the kit.
  package func classCount(
    in outputs: [KitOutput], mapping: InputMapping
  ) throws(DetectionError) -> Int? {
    try kit.candidates(in: outputs, sample: 0, mapping: mapping).classCount
  }

  private func detection(_ classIndex: Int, _ score: Float, _ box: Box) -> Detection {
    let labels = specification.labels
    return Detection(
      classIndex: classIndex, label: labels.indices.contains(classIndex) ? labels[classIndex] : nil,
      score: score, box: box)
  }

  /// Maps a box from the input to the source and clips it there.
  private func source(of box: Box, _ mapping: InputMapping) -> Box {
    let width = Double(mapping.source.width)
    let height = Double(mapping.source.height)
    func x(_ value: Float) -> Float {
      Float(min(max(mapping.sourceX(Double(value)), 0), width))
    }
    func y(_ value: Float) -> Float {
      Float(min(max(mapping.sourceY(Double(value)), 0), height))
    }
    return Box(x1: x(box.x1), y1: y(box.y1), x2: x(box.x2), y2: y(box.y2))
  }

  /// The largest file of labels that is read, in bytes.
  private static let maximumLabelBytes = 16 << 20

  /// Reads a `classes` file.
  ///
  /// - Throws: `DetectionError` naming the file.
  public static func labels(at path: String) throws(DetectionError) -> [String] {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try FileContents.bytes(of: path, limit: maximumLabelBytes)
    } catch {
      throw DetectionError(.labels, "classes=\(error.message)")
    }
    do throws(SpecificationError) {
      return try Postprocessing.labels(parsing: bytes, file: path)
    } catch {
      throw DetectionError(.labels, error.message)
    }
  }
}
