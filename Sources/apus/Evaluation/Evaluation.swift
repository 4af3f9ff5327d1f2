import Accuracy
import Compilation
import Detections
import Imaging
import Kernels
import ModelFile
import Options
import Runtime

/// Measures the accuracy of a model on pictures with known contents.
struct Evaluation {
  private let given: Given
  private let data: LabelledPictures
  private let isas: Set<ISA>

  /// Objects below this score are not even looked at: average precision wants nearly all.
  static let leastScore = 0.01

  init(_ given: Given) throws {
    self.given = given
    isas = try SharedOptions.isas(given)
    data = try LabelledPictures(
      folder: given[EvalVerb.dataset] ?? "", annotations: given[EvalVerb.annotations])
  }

  /// Evaluates one program of an opened model.
  func result(_ opened: OpenedModel, precision: String?) throws -> EvaluationResult {
    let processing = try processing(opened, precision)
    let stored = try processing.postprocessing.map { try Postprocessing(serialised: $0) }
    let metric = try metric(stored?.kit)
    let specification = try specification(stored, metric)
    let model = try PictureModel(
      opened, precision: precision, processing: processing,
      detector: Detector(specification),
      options: Session.Options(threads: given[SharedOptions.threads], isas: isas))
    switch data {
    case .objects(let set, let categories):
      guard metric == .map else {
        throw UsageError(
          "--metric \(metric.rawValue) wants a class per picture; these annotations hold objects"
            + (stored == nil ? ": say with --postprocess how outputs become objects" : ""))
      }
      return try objects(set, categories, model)
    case .classes(let set, let names):
      guard metric != .map else {
        throw UsageError(
          given[EvalVerb.annotations] == nil
            ? "the model finds objects: add --annotations, a COCO JSON or a directory of YOLO .txt"
            : "--metric map wants objects; these annotations hold a class per picture")
      }
      return try classes(set, names, model, metric)
    }
  }

  // MARK: Settings

  private func processing(_ opened: OpenedModel, _ precision: String?) throws -> Processing {
    let head = opened.model.programs[try opened.model.index(precision: precision)]
    return try ProcessingOptions(given).processing(
      for: head.inputs, outputs: head.outputs, over: opened.processing)
  }

  private func metric(_ kit: Postprocessing.Kit?) throws -> EvaluationMetric {
    let isDetector = kit != nil && kit != .classification
    guard let asked = given[EvalVerb.metric] else { return isDetector ? .map : .top1 }
    switch (asked, isDetector) {
    case (.map, false):
      throw UsageError(
        "--metric map wants objects; say with --postprocess how outputs become objects, e.g. "
          + "--postprocess yolov8")
    case (.top1, true), (.top5, true):
      throw UsageError(
        "--metric \(asked.rawValue) wants classes, but the model's postprocessing finds objects; "
          + "use --metric map")
    default: return asked
    }
  }

  /// The postprocessing of an evaluation: thresholds that leave nothing out that counts.
  private func specification(
    _ stored: Postprocessing?, _ metric: EvaluationMetric
  ) throws -> Postprocessing {
    let asked = try given[SharedOptions.postprocess].map { try Postprocessing(parsing: $0) }
    var result = stored ?? Postprocessing(.classification)
    if metric == .map {
      result.score = asked?.score ?? Evaluation.leastScore
      result.maximum = asked?.maximum ?? 100
    } else {
      result.score = nil
      result.maximum = 5
      if let offset = given[EvalVerb.classOffset] { result.offset = offset }
    }
    return result
  }

  // MARK: Objects

  private func objects(
    _ set: DataSet<KnownObjects>, _ categories: [String]?, _ model: PictureModel
  ) throws -> EvaluationResult {
    let specification = model.detector.specification
    let classCount = try model.warmUp(set.items[0].path)
    let offset = given[EvalVerb.classOffset]
    let mapping =
      try categories.map {
        try CategoryMapping(
          $0, classCount: classCount, labels: specification.labels, offset: offset)
      }
      ?? CategoryMapping(
        classCount: classCount, labels: specification.labels, offset: offset ?? 0)
    for object in set.items.lazy.flatMap(\.truth.objects)
    where object.category >= mapping.names.count {
      throw VerbError(
        .badInput,
        "\(object.place): class index \(object.category) is outside the model's "
          + "\(mapping.names.count) classes")
    }
    guard set.items.contains(where: { $0.truth.objects.contains { !$0.isCrowd } }) else {
      throw VerbError(.badInput, "the annotations of these pictures hold no objects")
    }
    var figures = MeanAveragePrecision(categoryCount: mapping.names.count)
    var wrongSizes: [String] = []
    try look(model, set.items.map(\.path)) { index, frame, found in
      let known = set.items[index].truth
      if let size = known.size, size != (frame.width, frame.height) {
        wrongSizes.append(
          "\(set.items[index].path) is \(frame.width)x\(frame.height), not "
            + "\(size.width)x\(size.height)")
      }
      figures.add(
        truths: known.truths(width: frame.width, height: frame.height),
        found: found.compactMap { object in
          mapping.category(of: object.classIndex).map { category in
            .init(category: category, score: Double(object.score), box: .init(object.box))
          }
        })
    }
    var noted = set
    noted.note(
      wrongSizes, "picture has another size than its annotations say",
      "pictures have another size than their annotations say")
    if let note = mapping.note { noted.notes.append(note) }
    noted.notes.append(
      "objects: score above \(NumberWords.plain(specification.score ?? 0)), IoU of suppression "
        + "\(NumberWords.plain(specification.iou ?? 0.45)), at most "
        + "\(specification.maximum ?? 0) per picture")
    return Evaluation.result(figures, mapping, model, isas, noted.notes)
  }

  private static func result(
    _ figures: MeanAveragePrecision, _ mapping: CategoryMapping, _ model: PictureModel,
    _ isas: Set<ISA>, _ notes: [String]
  ) -> EvaluationResult {
    let result = figures.result
    let rows = result.categories.enumerated().compactMap { index, row -> EvaluationResult.Row? in
      guard row.truthCount > 0 || row.foundCount > 0 else { return nil }
      return EvaluationResult.Row(
        index: index, label: mapping.names[index], truthCount: row.truthCount,
        foundCount: row.foundCount,
        figures: [("ap", row.ap), ("ap50", row.ap50), ("ap75", row.ap75)])
    }
    return EvaluationResult(
      metric: .map,
      figures: [
        ("ap", result.ap ?? 0), ("ap50", result.ap50 ?? 0), ("ap75", result.ap75 ?? 0),
      ], pictureCount: figures.pictureCount,
      truthCount: result.categories.reduce(0) { $0 + $1.truthCount }, rows: rows, model, isas, notes
    )
  }

  // MARK: Classes

  private func classes(
    _ set: DataSet<KnownClass>, _ names: [String]?, _ model: PictureModel,
    _ metric: EvaluationMetric
  ) throws -> EvaluationResult {
    let labels = model.detector.specification.labels
    let classCount = try model.warmUp(set.items[0].path)
    for item in set.items where item.truth.classIndex >= classCount {
      throw VerbError(
        .badInput,
        "\(item.truth.place): class index \(item.truth.classIndex) is outside the model's "
          + "\(classCount) classes")
    }
    var noted = set
    if let names {
      if names.count < classCount {
        noted.notes.append(
          "\(names.count) sub-directories are classes 0 to \(names.count - 1) of \(classCount)")
      }
      noted.note(
        zip(names, labels).filter { $0 != $1 }.map { "'\($0)' for the model's '\($1)'" },
        "sub-directory is called otherwise than the model's class",
        "sub-directories are called otherwise than the model's classes")
    }
    var figures = TopKAccuracy(classCount: classCount)
    try look(model, set.items.map(\.path)) { index, _, found in
      let truth = set.items[index].truth.classIndex
      figures.add(truth: truth, rank: found.firstIndex { $0.classIndex == truth })
    }
    let rows = figures.classes.enumerated().compactMap { index, row -> EvaluationResult.Row? in
      guard row.pictureCount > 0 else { return nil }
      let label =
        labels.indices.contains(index)
        ? labels[index] : names.flatMap { $0.indices.contains(index) ? $0[index] : nil }
      return EvaluationResult.Row(
        index: index, label: label, truthCount: row.pictureCount,
        figures: [("top1", row.top1), ("top5", row.top5)])
    }
    return EvaluationResult(
      metric: metric,
      figures: [("top1", figures.total.top1 ?? 0), ("top5", figures.total.top5 ?? 0)],
      pictureCount: set.items.count, truthCount: set.items.count, rows: rows, model, isas,
      noted.notes)
  }

  private func look(
    _ model: PictureModel, _ paths: [String], _ take: (Int, Frame, [Detection]) throws -> Void
  ) throws {
    let progress = Progress("evaluating \(model.head.precision)", total: paths.count)
    defer { progress.finish() }
    try model.look(at: paths) { index, frame, found in
      try take(index, frame, found)
      progress.advance()
    }
  }
}

extension EvaluationResult {
  /// Adds what the program needed to the figures.
  fileprivate init(
    metric: EvaluationMetric, figures: [(name: String, value: Double)], pictureCount: Int,
    truthCount: Int, rows: [Row], _ model: PictureModel, _ isas: Set<ISA>, _ notes: [String]
  ) {
    let memory = model.session.memory
    self.init(
      metric: metric, figures: figures, pictureCount: pictureCount, truthCount: truthCount,
      rows: rows, milliseconds: model.meanMilliseconds, precision: model.head.precision,
      threadCount: model.session.threadCount,
      isa: (isas.max { $0.rawValue < $1.rawValue } ?? .portable).description,
      weightByteCount: model.head.weightByteCount,
      memoryByteCount: memory.arenaByteCount + memory.scratchByteCount + memory.ioByteCount,
      notes: notes)
  }
}

extension MeanAveragePrecision.Rectangle {
  /// The box with its width and height.
  fileprivate init(_ box: Box) {
    self.init(
      x: Double(box.x1), y: Double(box.y1), width: Double(box.x2) - Double(box.x1),
      height: Double(box.y2) - Double(box.y1))
  }
}
