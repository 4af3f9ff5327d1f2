import Runtime

/// What is measured.
enum EvaluationMetric: String, Sendable, CaseIterable {
  case top1, top5, map

  /// The name in tables.
  var title: String {
    switch self {
    case .top1: "top-1"
    case .top5: "top-5"
    case .map: "AP@[.50:.95]"
    }
  }
}

/// What the evaluation of one program gave. Shares are 0 to 1.
struct EvaluationResult {
  /// The figures of one class.
  struct Row {
    /// The category's or class's number in the data set.
    var index: Int
    var label: String?
    /// The objects or pictures of the class.
    var truthCount: Int
    /// Detections; nil for classifications.
    var foundCount: Int?
    /// By name: ap, ap50, ap75 or top1, top5; nil where there is nothing to measure.
    var figures: [(name: String, value: Double?)]
  }

  var metric: EvaluationMetric
  /// By name: ap, ap50, ap75 or top1, top5.
  var figures: [(name: String, value: Double)]
  var pictureCount: Int
  var truthCount: Int
  var rows: [Row]
  /// Mean milliseconds of inference per picture.
  var milliseconds: Double
  var precision: String
  var threadCount: Int
  var isa: String
  /// The bytes of weights that the program uses.
  var weightByteCount: Int
  /// Arena, scratch, inputs and outputs.
  var memoryByteCount: Int
  var notes: [String]

  func figure(_ name: String) -> Double? { figures.first { $0.name == name }?.value }

  /// The figure that was asked for.
  var value: Double { figure(metric == .map ? "ap" : metric.rawValue) ?? 0 }
}
