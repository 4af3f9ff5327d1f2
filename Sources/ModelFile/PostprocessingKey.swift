internal import Texts

/// One key of the text form of a postprocessing: the kits that take it, how it is read and written.
struct PostprocessingKey: Sendable {
  typealias Kit = Postprocessing.Kit
  let name: String
  let kits: Set<Kit>
  let read: @Sendable (inout Postprocessing, String) throws(SpecificationError) -> Void
  /// The value's text, or nil where the default stands.
  let write: @Sendable (Postprocessing) -> String?

  private static let every = Set(Kit.allCases)
  private static let detectors: Set<Kit> = [.yolov5, .yolov8, .yolox, .ssd]

  static let all: [PostprocessingKey] = [
    PostprocessingKey(name: "classes", kits: every) { (s, v) throws(SpecificationError) in
      guard !v.isEmpty else {
        throw SpecificationError(.invalidValue, "--postprocess: classes= needs a file")
      }
      s.classesPath = v
    } write: { _ in
      nil
    },
    number("score", every, \.score, -1e9...1e9),
    number("iou", detectors, \.iou, 0...1),
    whole("max", every, \.maximum, 1...100_000),
    flag("agnostic", detectors, \.agnostic),
    flag("multi-label", detectors, \.multiLabel),
    PostprocessingKey(name: "strides", kits: [.yolox, .ssd]) { (s, v) throws(SpecificationError) in
      s.strides = try parts(v, "/").map { part throws(SpecificationError) in
        try wholeNumber(part, key: "strides", of: "--postprocess", minimum: 1, maximum: 4096)
      }
    } write: {
      $0.strides?.map(String.init).joined(separator: "/")
    },
    flag("decoded", [.yolox], \.decoded),
    PostprocessingKey(name: "background", kits: [.ssd]) { (s, v) throws(SpecificationError) in
      s.background =
        v == "none"
        ? -1
        : try wholeNumber(v, key: "background", of: "--postprocess", minimum: 0, maximum: 1 << 20)
    } write: {
      $0.background.map { $0 < 0 ? "none" : "\($0)" }
    },
    PostprocessingKey(name: "form", kits: [.ssd]) { (s, v) throws(SpecificationError) in
      guard let form = Postprocessing.BoxForm(rawValue: v) else {
        let choices = Postprocessing.BoxForm.allCases.map(\.rawValue)
        let hint = Suggestion.nearest(v, in: choices).map { "; did you mean '\($0)'?" } ?? ""
        throw SpecificationError(
          .invalidValue,
          "--postprocess ssd: form=\(v) is not one of \(choices.joined(separator: ", "))\(hint)")
      }
      s.boxForm = form
    } write: {
      $0.boxForm?.rawValue
    },
    flag("normalised", [.ssd], \.normalised),
    PostprocessingKey(name: "variances", kits: [.ssd]) { (s, v) throws(SpecificationError) in
      let values = try numbers(v, "variances")
      guard values.count == 2, values.allSatisfy({ $0 > 0 }) else {
        throw SpecificationError(
          .invalidValue,
          "--postprocess ssd: variances=\(v) is not CENTRE/SIZE, two numbers above 0")
      }
      s.variances = values
    } write: {
      $0.variances?.map(plainNumber).joined(separator: "/")
    },
    PostprocessingKey(name: "min-sizes", kits: [.ssd]) { (s, v) throws(SpecificationError) in
      s.minSizes = try parts(v, "+").map { group throws(SpecificationError) in
        let sides = try numbers(group, "min-sizes")
        guard sides.allSatisfy({ $0 > 0 }) else {
          throw SpecificationError(
            .invalidValue, "--postprocess ssd: min-sizes=\(v) holds a side that is not above 0")
        }
        return sides
      }
    } write: {
      $0.minSizes?.map { $0.map(plainNumber).joined(separator: "/") }.joined(separator: "+")
    },
    flag("softmax", [.classification], \.softmax),
    whole("offset", [.classification], \.offset, 0...(1 << 20)),
    text("output", [.classification, .yolov5, .yolov8, .yolox], \.output),
    text("boxes", [.ssd], \.boxes),
    text("scores", [.ssd], \.scores),
    text("priors", [.ssd], \.priors),
  ]

  private static func parts(_ text: String, _ separator: Character) -> [String] {
    text.split(separator: separator, maxSplits: 64, omittingEmptySubsequences: false)
      .map(String.init)
  }

  private static func numbers(
    _ text: String, _ key: String
  ) throws(SpecificationError) -> [Double] {
    try parts(text, "/").map { part throws(SpecificationError) in
      try finiteNumber(part, key: key, of: "--postprocess")
    }
  }

  private static func number(
    _ name: String, _ kits: Set<Kit>,
    _ path: any WritableKeyPath<Postprocessing, Double?> & Sendable, _ range: ClosedRange<Double>
  ) -> PostprocessingKey {
    PostprocessingKey(name: name, kits: kits) { (s, v) throws(SpecificationError) in
      let value = try finiteNumber(v, key: name, of: "--postprocess")
      guard range.contains(value) else {
        throw SpecificationError(
          .invalidValue,
          "--postprocess: \(name)=\(v) is not within \(plainNumber(range.lowerBound)) and "
            + plainNumber(range.upperBound))
      }
      s[keyPath: path] = value
    } write: {
      $0[keyPath: path].map(plainNumber)
    }
  }

  private static func whole(
    _ name: String, _ kits: Set<Kit>, _ path: any WritableKeyPath<Postprocessing, Int?> & Sendable,
    _ range: ClosedRange<Int>
  ) -> PostprocessingKey {
    PostprocessingKey(name: name, kits: kits) { (s, v) throws(SpecificationError) in
      s[keyPath: path] = try wholeNumber(
        v, key: name, of: "--postprocess", minimum: range.lowerBound, maximum: range.upperBound)
    } write: {
      $0[keyPath: path].map(String.init)
    }
  }

  private static func flag(
    _ name: String, _ kits: Set<Kit>, _ path: any WritableKeyPath<Postprocessing, Bool?> & Sendable
  ) -> PostprocessingKey {
    PostprocessingKey(name: name, kits: kits) { (s, v) throws(SpecificationError) in
      switch v {
      case "true", "yes", "1": s[keyPath: path] = true
      case "false", "no", "0": s[keyPath: path] = false
      default:
        throw SpecificationError(
          .invalidValue, "--postprocess: \(name)=\(v) is neither true nor false")
      }
    } write: {
      $0[keyPath: path].map { $0 ? "true" : "false" }
    }
  }

  private static func text(
    _ name: String, _ kits: Set<Kit>,
    _ path: any WritableKeyPath<Postprocessing, String?> & Sendable
  ) -> PostprocessingKey {
    PostprocessingKey(name: name, kits: kits) { (s, v) throws(SpecificationError) in
      guard !v.isEmpty else {
        throw SpecificationError(.invalidValue, "--postprocess: \(name)= needs an output's name")
      }
      s[keyPath: path] = v
    } write: {
      $0[keyPath: path]
    }
  }
}
