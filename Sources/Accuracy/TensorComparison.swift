import Tensors
import Texts

#if canImport(Glibc)
  import Glibc
#endif

/// The verdict on one tensor.
public enum Verdict: String, Sendable, Hashable, CaseIterable {
  /// Every bit.
  case equal
  /// Every element within rtol 1e-3, atol 1e-8.
  case close
  /// At or above every given limit.
  case similar
  /// Below a limit.
  case different
  /// Not comparable: another type or shape, a NaN or an infinity.
  case failed
}

/// One tensor beside its reference.
public struct TensorComparison: Sendable {
  public var name: String
  /// Element type and shape of the reference.
  public var type: ElementType
  public var shape: Shape
  public var verdict: Verdict
  /// For floating-point tensors that could be compared.
  public var similarity: Similarity?
  /// For integer and bool tensors: the share of equal elements.
  public var equalShare: Double?
  /// What speaks against the tensor, in words.
  public var reason: String?

  public var passes: Bool { verdict != .different && verdict != .failed }

  /// Compares a tensor with its reference.
  package init(
    _ name: String, target: TensorBuffer, reference: TensorBuffer, _ tolerance: Tolerance
  ) {
    self.name = name
    type = reference.type
    shape = reference.shape
    verdict = .failed
    guard target.type == reference.type, target.shape == reference.shape else {
      reason =
        "is \(target.type) \(target.shape), but the reference is \(reference.type) "
        + "\(reference.shape)"
      return
    }
    for (side, tensor) in [("the target", target), ("the reference", reference)] {
      if let (index, value) = ElementPair.firstNonFinite(in: tensor) {
        let place = TensorComparison.place(of: index, in: tensor.shape)
        reason = "\(side) holds \(NumberText.fixed(value, decimals: 0)) first at \(place)"
        return
      }
    }
    let isEqual = TensorComparison.haveEqualBytes(target, reference)
    if ElementPair.reads(type) {
      judge(Similarity(target: target, reference: reference), isEqual, tolerance)
    } else {
      judge(shareOf: target, reference, isEqual, tolerance)
    }
  }

  private mutating func judge(_ similarity: Similarity, _ isEqual: Bool, _ tolerance: Tolerance) {
    self.similarity = similarity
    if isEqual || similarity.isAllZero {
      verdict = .equal
    } else if similarity.isClose {
      verdict = .close
    } else {
      let missed = tolerance.missed(by: similarity)
      let hasLimits = tolerance.limits.contains { $0.name != "equal" }
      verdict = missed.isEmpty && hasLimits ? .similar : .different
      reason = missed.isEmpty ? nil : missed.joined(separator: ", ")
      if !hasLimits { reason = "not close, and no limit was given" }
    }
  }

  private mutating func judge(
    shareOf target: TensorBuffer, _ reference: TensorBuffer, _ isEqual: Bool,
    _ tolerance: Tolerance
  ) {
    let size = type.byteCount
    guard size > 0, type.isInteger || type == .bool else {
      verdict = isEqual ? .equal : .different
      if !isEqual { reason = "tensors of \(type) are only compared bit by bit, and these differ" }
      return
    }
    let (equal, first) = TensorComparison.equalElements(target, reference, size)
    let count = reference.elementCount
    let share = count == 0 ? 1 : Double(equal) / Double(count)
    equalShare = share
    verdict = isEqual ? .equal : share >= tolerance.equal ?? 1 ? .similar : .different
    if let first {
      let place = TensorComparison.place(of: first, in: shape)
      reason = "\(NumberText.grouped(count - equal)) elements differ, the first at \(place)"
    }
  }

  private static func haveEqualBytes(_ a: TensorBuffer, _ b: TensorBuffer) -> Bool {
    a.withBytes { a in
      b.withBytes { b in
        guard let first = a.baseAddress, let second = b.baseAddress else {
          return a.count == b.count
        }
        return a.count == b.count && memcmp(first, second, a.count) == 0
      }
    }
  }

  private static func equalElements(
    _ target: TensorBuffer, _ reference: TensorBuffer, _ size: Int
  ) -> (count: Int, firstDifference: Int?) {
    target.withBytes { a in
      reference.withBytes { b in
        var count = 0
        var first: Int?
        for index in 0..<(a.count / size) {
          let range = (index * size)..<((index + 1) * size)
          if a[range].elementsEqual(b[range]) {
            count += 1
          } else if first == nil {
            first = index
          }
        }
        return (count, first)
      }
    }
  }

  /// Returns `element 7 [0, 1, 2]`.
  package static func place(of index: Int, in shape: Shape) -> String {
    let position = zip(shape.denseStrides, shape.dimensions).map { step, extent in
      index / step % max(extent, 1)
    }
    return "element \(index) \(position)"
  }
}

extension Similarity {
  /// Says whether both sides hold nothing but zeros, of either sign.
  fileprivate var isAllZero: Bool {
    difference.value == 0 && profile.allSatisfy { $0.magnitude == 0 }
  }

  /// The measure of this name.
  package subscript(measure name: String) -> Double? {
    switch name {
    case "cosine": cosine
    case "pearson": pearson
    case "euclidean": euclidean
    case "sqnr": sqnr
    default: nil
    }
  }
}

extension Tolerance {
  /// Returns a text per limit that `similarity` does not reach.
  fileprivate func missed(by similarity: Similarity) -> [String] {
    limits.compactMap { name, limit in
      guard let value = similarity[measure: name], !(value >= limit) else { return nil }
      let digits = name == "sqnr" ? 4 : 6
      return "\(name) \(NumberText.significant(value, digits: digits)) is below "
        + NumberText.significant(limit, digits: 9)
    }
  }
}
