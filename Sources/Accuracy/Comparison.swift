import Tensors
import Texts

#if canImport(Glibc)
  import Glibc
#endif

/// Two sets of named tensors beside each other.
public struct Comparison: Sendable {
  /// The tensors that both sides have, in the order of the reference.
  public var tensors: [TensorComparison]
  public var onlyInTarget: [String]
  public var onlyInReference: [String]
  /// Tensors that were left out on request.
  public var excepted: [String]
  public var tolerance: Tolerance

  /// Whether something was compared and all of it passes.
  public var passes: Bool { !tensors.isEmpty && tensors.allSatisfy(\.passes) }

  /// Compares the tensors that both sides have, but for those named in `except`.
  ///
  /// - Throws: `AccuracyError` where `except` has a name that neither side knows.
  package init(
    target: [(name: String, tensor: TensorBuffer)],
    reference: [(name: String, tensor: TensorBuffer)],
    tolerance: Tolerance = .standard, except: [String] = []
  ) throws(AccuracyError) {
    let known = reference.map(\.name) + target.map(\.name)
    for name in except where !known.contains(name) {
      throw AccuracyError(
        .unknownName,
        "no tensor is called '\(name)'." + Suggestion.question(name, in: known))
    }
    self.tolerance = tolerance
    let targets = Dictionary(target.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
    let references = Set(reference.map(\.name))
    let left = Set(except)
    excepted = except
    onlyInTarget = target.map(\.name).filter { !references.contains($0) && !left.contains($0) }
    onlyInReference = []
    tensors = []
    for (name, tensor) in reference where !left.contains(name) {
      if let other = targets[name] {
        tensors.append(TensorComparison(name, target: other, reference: tensor, tolerance))
      } else {
        onlyInReference.append(name)
      }
    }
  }

  /// The limits that every compared tensor would reach; nil where all pass, or none can.
  public var passingTolerance: Tolerance? {
    guard !passes, !tensors.isEmpty, !tensors.contains(where: { $0.verdict == .failed }) else {
      return nil
    }
    let similarities = tensors.filter { $0.verdict != .equal && $0.verdict != .close }
      .compactMap(\.similarity)
    var result = tolerance
    func least(_ path: KeyPath<Similarity, Double>, _ limit: Double?, _ step: Double) -> Double? {
      guard let limit, let value = similarities.map({ $0[keyPath: path] }).min() else {
        return limit
      }
      return value >= limit || !value.isFinite ? limit : (value / step).rounded(.down) * step
    }
    result.cosine = least(\.cosine, tolerance.cosine, 1e-4)
    result.pearson = least(\.pearson, tolerance.pearson, 1e-4)
    result.euclidean = least(\.euclidean, tolerance.euclidean, 1e-4)
    result.sqnr = least(\.sqnr, tolerance.sqnr, 0.1)
    if let share = tensors.compactMap(\.equalShare).min(), share < tolerance.equal ?? 1 {
      result.equal = (share * 1e4).rounded(.down) / 1e4
    }
    return result == tolerance ? nil : result
  }
}

// MARK: Text

extension Comparison {
  /// The table and the conclusion, for a terminal.
  package var text: String {
    guard !tensors.isEmpty else { return missingText + "Nothing was compared: FAILED.\n" }
    var table = TextTable([
      (heading: "tensor", alignment: .left), (heading: "type", alignment: .left),
      (heading: "shape", alignment: .left), (heading: "verdict", alignment: .left),
      (heading: "cosine", alignment: .right), (heading: "pearson", alignment: .right),
      (heading: "euclidean", alignment: .right), (heading: "SQNR dB", alignment: .right),
      (heading: "max |Δ|", alignment: .right),
    ])
    for tensor in tensors { table.add(Comparison.cells(of: tensor)) }
    var text = table.text + missingText
    for tensor in tensors where !tensor.passes {
      text += "\(tensor.displayName): \(tensor.reason ?? tensor.verdict.rawValue)\n"
    }
    let good = tensors.count { $0.passes }
    text += "\(good) of \(tensors.count) tensors pass (\(limitText)): "
    text += passes ? "PASSED.\n" : "FAILED.\n"
    if let passing = passingTolerance {
      text += "What was measured would pass with --tolerance \(passing)\n"
    }
    return text
  }

  private var limitText: String {
    tolerance.limits.isEmpty ? "equal or close" : "equal, close or \(tolerance)"
  }

  private var missingText: String {
    func list(_ names: [String], _ side: String) -> String {
      if names.isEmpty { return "" }
      let shown = names.prefix(8).joined(separator: ", ")
      let more = names.count > 8 ? " and \(names.count - 8) more" : ""
      return "Only in the \(side), not compared: \(shown)\(more)\n"
    }
    return list(onlyInTarget, "target") + list(onlyInReference, "reference")
  }

  private static func cells(of tensor: TensorComparison) -> [String] {
    let start = [
      tensor.displayName, "\(tensor.type)", "\(tensor.shape)", tensor.verdict.rawValue,
    ]
    if let share = tensor.equalShare {
      return start + ["\(NumberText.significant(share * 100, digits: 6)) % equal"]
    }
    guard let similarity = tensor.similarity else { return start }
    return start + [
      NumberText.fixed(similarity.cosine, decimals: 7),
      NumberText.fixed(similarity.pearson, decimals: 7),
      NumberText.fixed(similarity.euclidean, decimals: 6),
      NumberText.fixed(similarity.sqnr, decimals: 2),
      NumberText.significant(similarity.difference.value, digits: 3),
    ]
  }
}

extension TensorComparison {
  /// The name, or a word where an `.npy` file gives none.
  var displayName: String { name.isEmpty ? "(unnamed)" : name }
}

// MARK: JSON

extension Comparison {
  /// Writes the comparison as one object.
  package func write(to json: inout JSONWriter) {
    json.object {
      $0.field("passed", passes)
      $0.object("tolerance") { for (name, limit) in tolerance.limits { $0.field(name, limit) } }
      $0.array("tensors") { for tensor in tensors { tensor.write(to: &$0) } }
      $0.field("only_in_target", onlyInTarget)
      $0.field("only_in_reference", onlyInReference)
      $0.field("excepted", excepted)
    }
  }
}

extension TensorComparison {
  fileprivate func write(to json: inout JSONWriter) {
    json.object {
      $0.field("name", name)
      $0.field("type", type.name)
      $0.field("shape", shape.dimensions)
      $0.field("verdict", verdict.rawValue)
      $0.field("passed", passes)
      if let similarity {
        $0.field("cosine", similarity.cosine)
        $0.field("pearson", similarity.pearson)
        $0.field("euclidean", similarity.euclidean)
        // Null where nothing differs: JSON has no infinity.
        $0.field("sqnr_db", similarity.sqnr)
        $0.field("max_difference", similarity.difference.value)
        $0.field("max_difference_index", similarity.difference.index)
      }
      if let equalShare { $0.field("equal_share", equalShare) }
      if let reason { $0.field("reason", reason) }
    }
  }
}
