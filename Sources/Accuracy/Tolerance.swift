import Texts

/// The least similarity that passes. A measure without a limit is not asked for.
public struct Tolerance: Sendable, Hashable {
  /// Least cosine similarity, −1 to 1.
  public var cosine: Double?
  /// Least Pearson correlation, −1 to 1.
  public var pearson: Double?
  /// Least Euclidean similarity, up to 1.
  public var euclidean: Double?
  /// Least ratio of signal to quantisation noise, in dB.
  public var sqnr: Double?
  /// Least share of equal elements of integer and bool tensors, 0 to 1; 1 where absent.
  public var equal: Double?

  public init(
    cosine: Double? = nil, pearson: Double? = nil, euclidean: Double? = nil, sqnr: Double? = nil,
    equal: Double? = nil
  ) {
    self.cosine = cosine
    self.pearson = pearson
    self.euclidean = euclidean
    self.sqnr = sqnr
    self.equal = equal
  }

  /// What comparisons use unless told otherwise: `cosine=0.99,euclidean=0.9`.
  public static let standard = Tolerance(cosine: 0.99, euclidean: 0.9)
}

extension Tolerance {
  /// The measures' names on the command line.
  private static let measures = ["cosine", "pearson", "euclidean", "sqnr", "equal"]

  private subscript(measure name: String) -> Double? {
    get {
      switch name {
      case "cosine": cosine
      case "pearson": pearson
      case "euclidean": euclidean
      case "sqnr": sqnr
      default: equal
      }
    }
    set {
      switch name {
      case "cosine": cosine = newValue
      case "pearson": pearson = newValue
      case "euclidean": euclidean = newValue
      case "sqnr": sqnr = newValue
      default: equal = newValue
      }
    }
  }

  /// Reads `cosine=0.99,euclidean=0.9,sqnr=20`.
  ///
  /// - Throws: `AccuracyError` for unknown or repeated measures and for limits that are no numbers
  ///   or that nothing can reach.
  public init(parsing text: String) throws(AccuracyError) {
    self.init()
    for part in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
      let halves = part.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
      guard halves.count == 2, let limit = Double(halves[1]), limit.isFinite else {
        throw AccuracyError(
          .badTolerance, "'\(part)' is no limit; write, e.g., cosine=0.99,euclidean=0.9,sqnr=20")
      }
      let measure = halves[0]
      guard Tolerance.measures.contains(measure) else {
        throw AccuracyError(
          .badTolerance,
          "unknown measure '\(measure)'; known are \(Tolerance.measures.joined(separator: ", "))."
            + Suggestion.question(measure, in: Tolerance.measures))
      }
      guard self[measure: measure] == nil else {
        throw AccuracyError(.badTolerance, "'\(measure)' is given twice")
      }
      guard measure == "sqnr" || limit <= 1 else {
        throw AccuracyError(.badTolerance, "\(measure) cannot be above 1: \(halves[1])")
      }
      self[measure: measure] = limit
    }
  }

  /// The measures that have limits, in a fixed order.
  package var limits: [(name: String, limit: Double)] {
    Tolerance.measures.compactMap { measure in
      self[measure: measure].map { (name: measure, limit: $0) }
    }
  }
}

extension Tolerance: CustomStringConvertible {
  /// As on the command line.
  public var description: String {
    limits.map { "\($0.name)=\(NumberText.significant($0.limit, digits: 9))" }
      .joined(separator: ",")
  }
}
