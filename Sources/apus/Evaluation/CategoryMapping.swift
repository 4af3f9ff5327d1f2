import Options
import Texts

/// Which of the model's classes is which category of the annotations.
struct CategoryMapping {
  /// The name of each category; nil where nobody gave one.
  let names: [String?]
  /// The category of each of the model's classes; nil for one that the annotations do not know.
  let categories: [Int?]
  /// How classes and categories were brought together, in a sentence.
  let note: String?

  /// Categories that are the model's classes from class `offset` on.
  init(classCount: Int, labels: [String], offset: Int) throws {
    guard offset < classCount else { throw CategoryMapping.tooFar(offset, classCount) }
    names = (offset..<classCount).map { labels.indices.contains($0) ? labels[$0] : nil }
    categories = (0..<classCount).map { $0 < offset ? nil : $0 - offset }
    note = nil
  }

  /// Named categories: the classes of the same names where all have one, else the classes in order
  /// from class `offset` on.
  ///
  /// - Throws: exit 65 where some categories have no class.
  init(_ names: [String], classCount: Int, labels: [String], offset: Int?) throws {
    self.names = names
    let classes = Dictionary(labels.enumerated().map { ($0.element, $0.offset) }) { first, _ in
      first
    }
    let unknown = names.filter { classes[$0] == nil }
    var categories = [Int?](repeating: nil, count: classCount)
    if offset == nil, !labels.isEmpty, unknown.isEmpty {
      for (category, name) in names.enumerated() {
        if let index = classes[name], index < classCount { categories[index] = category }
      }
      note = nil
    } else {
      if offset == nil, let first = unknown.first, unknown.count < names.count,
        names.count != classCount
      {
        throw VerbError(
          .badInput,
          "the annotations' category '\(first)' is no class of the model, which has \(classCount): "
            + "give its names as classes=FILE of --postprocess, or --class-offset 0 to take "
            + "categories and classes in order." + Suggestion.question(first, in: labels))
      }
      let start = offset ?? 0
      guard names.count <= classCount - start else {
        throw VerbError(
          .badInput,
          "the annotations have \(names.count) categories, but the model has \(classCount) classes"
            + (start > 0 ? ", \(start) of them before the first category" : "")
            + ": class index \(names.count - 1 + start) ('\(names[names.count - 1])') is outside")
      }
      for category in names.indices { categories[category + start] = category }
      note =
        "classes \(start) to \(start + names.count - 1) are the categories in the order of their "
        + "ids ('\(names[0])' first)"
    }
    self.categories = categories
  }

  /// The category of a class that the model found.
  func category(of classIndex: Int) -> Int? {
    categories.indices.contains(classIndex) ? categories[classIndex] : nil
  }

  static func tooFar(_ offset: Int, _ classCount: Int) -> UsageError {
    UsageError("--class-offset \(offset): the model has only \(classCount) classes")
  }
}
