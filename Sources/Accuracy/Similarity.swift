// Measures of how near a tensor t is to its reference r. With all sums over the elements:
//
//     cosine    = Σ r·t / (‖r‖ ‖t‖)
//     pearson   = the cosine of r − mean(r) and t − mean(t)
//     euclidean = 1 − ‖r − t‖ / (‖(r + t)/2‖ + 1e-7)
//     SQNR      = 10 · log10(Σ r² / Σ (r − t)²) dB
//
// Sums are made in double precision, block by block in a fixed order, so that the figures do not
// depend on the machine and lose nothing on large tensors. Numbers whose squares would overflow or
// vanish are scaled first, which changes no measure.

import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// How near a floating-point tensor is to its reference, element by element in double precision.
public struct Similarity: Sendable, Hashable {
  public var cosine: Double
  public var pearson: Double
  public var euclidean: Double
  /// In dB; infinite where nothing differs.
  public var sqnr: Double
  /// Whether |t − r| ≤ 1e-8 + 1e-3·|r| for every element.
  public var isClose: Bool
  /// The largest |t − r|, where it is first, and the elements there.
  public var difference: Difference
  /// The largest |t − r| and the largest |r| in each of (at most) 64 equal parts of the tensor.
  package var profile: [(difference: Double, magnitude: Double)] {
    zip(differences, magnitudes).map { (difference: $0, magnitude: $1) }
  }
  private var differences: [Double]
  private var magnitudes: [Double]

  /// The largest difference between two tensors.
  public struct Difference: Sendable, Hashable {
    public var value: Double
    public var index: Int
    public var target: Double
    public var reference: Double
  }
}

extension Similarity {
  fileprivate static let closeRelative = 1e-3
  fileprivate static let closeAbsolute = 1e-8
  private static let profilePartCount = 64

  /// Measures two tensors of one floating-point type (float16, bfloat16, float32, float64 or
  /// complex) and shape, all finite; complex numbers count as two elements.
  ///
  /// Both all zero, or empty, is perfect similarity. A tensor of zeros beside another one has a
  /// cosine of 0; constant tensors have a Pearson correlation of 1 where they are close, else 0.
  init(target: TensorBuffer, reference: TensorBuffer) {
    let pair = ElementPair(target, reference)
    let largest = pair.largestMagnitude()
    let scale = largest > 1e100 || (largest < 1e-100 && largest > 0) ? 1 / largest : 1
    let moments = Similarity.moments(of: pair, scale)
    let centred = Similarity.centredMoments(of: pair, scale, moments)
    let noise = moments.noise.squareRoot()

    isClose = moments.isClose
    difference = moments.difference
    differences = moments.differences
    magnitudes = moments.magnitudes
    let norms = moments.target.squareRoot() * moments.reference.squareRoot()
    let isEqual = moments.noise == 0
    cosine = norms > 0 ? Similarity.clamped(moments.product / norms) : isEqual ? 1 : 0
    let spreads = centred.target.squareRoot() * centred.reference.squareRoot()
    pearson =
      spreads > 0 ? Similarity.clamped(centred.product / spreads) : moments.isClose ? 1 : 0
    euclidean = 1 - noise / (moments.mean.squareRoot() + 1e-7 * scale)
    sqnr = isEqual ? .infinity : 10 * log10(moments.reference / moments.noise)
  }

  private static func clamped(_ value: Double) -> Double { min(max(value, -1), 1) }

  // MARK: Sums

  fileprivate struct Moments {
    var target = 0.0
    var reference = 0.0
    var product = 0.0
    var noise = 0.0
    /// Σ ((r + t)/2)².
    var mean = 0.0
    var targetSum = 0.0
    var referenceSum = 0.0
    var isClose = true
    var difference = Difference(value: 0, index: 0, target: 0, reference: 0)
    var differences: [Double] = []
    var magnitudes: [Double] = []
  }

  private static func moments(of pair: ElementPair, _ scale: Double) -> Moments {
    var total = Moments()
    let parts = min(profilePartCount, max(pair.count, 1))
    total.differences = Array(repeating: 0, count: parts)
    total.magnitudes = Array(repeating: 0, count: parts)
    pair.forEachBlock { start, targets, references in
      var block = Moments()
      for index in targets.indices {
        let (t, r) = (targets[index] * scale, references[index] * scale)
        block.target += t * t
        block.reference += r * r
        block.product += t * r
        block.noise += (r - t) * (r - t)
        block.mean += (r + t) / 2 * ((r + t) / 2)
        block.targetSum += t
        block.referenceSum += r
      }
      total.add(block)
      total.note(start, targets, references, pair.count)
    }
    return total
  }

  private static func centredMoments(
    of pair: ElementPair, _ scale: Double, _ moments: Moments
  ) -> Moments {
    let count = Double(max(pair.count, 1))
    let (targetMean, referenceMean) = (moments.targetSum / count, moments.referenceSum / count)
    var total = Moments()
    pair.forEachBlock { _, targets, references in
      var block = Moments()
      for index in targets.indices {
        let t = targets[index] * scale - targetMean
        let r = references[index] * scale - referenceMean
        block.target += t * t
        block.reference += r * r
        block.product += t * r
      }
      total.add(block)
    }
    // What remains of a constant tensor is the rounding of its mean.
    if total.target <= 1e-28 * moments.target { total.target = 0 }
    if total.reference <= 1e-28 * moments.reference { total.reference = 0 }
    return total
  }
}

extension Similarity.Moments {
  fileprivate mutating func add(_ block: Self) {
    target += block.target
    reference += block.reference
    product += block.product
    noise += block.noise
    mean += block.mean
    targetSum += block.targetSum
    referenceSum += block.referenceSum
  }

  /// Takes the largest differences of a block that begins at element `start`.
  fileprivate mutating func note(
    _ start: Int, _ targets: [Double], _ references: [Double], _ count: Int
  ) {
    let partLength = (count + differences.count - 1) / differences.count
    for index in targets.indices {
      let (t, r) = (targets[index], references[index])
      // The difference of two huge numbers may overflow; the largest number is as good.
      let distance = min((t - r).magnitude, .greatestFiniteMagnitude)
      if distance > Similarity.closeAbsolute + Similarity.closeRelative * r.magnitude {
        isClose = false
      }
      if distance > difference.value {
        difference = .init(value: distance, index: start + index, target: t, reference: r)
      }
      let part = (start + index) / partLength
      differences[part] = max(differences[part], distance)
      magnitudes[part] = max(magnitudes[part], r.magnitude)
    }
  }
}
