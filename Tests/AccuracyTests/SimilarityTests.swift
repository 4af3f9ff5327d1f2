import Tensors
import Testing

@testable import Accuracy

/// Numbers without a pattern, the same on every run.
private func noise(_ count: Int, seed: UInt64) -> [Double] {
  var state = seed
  return (0..<count).map { _ in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 11) / Double(1 << 52) - 1
  }
}

@Suite struct `Similarity figures` {
  private func measure(_ t: [Double], _ r: [Double]) -> Similarity {
    Similarity(
      target: TensorBuffer(.float64, [t.count], t), reference: TensorBuffer(.float64, [r.count], r))
  }

  @Test func `follows its formulas by hand`() {
    let result = measure([1, 2, 3, 5], [1, 2, 3, 4])
    #expect(abs(result.cosine - 34 / (39.0 * 30).squareRoot()) < 1e-14)
    // Deviations (-1.75, -0.75, 0.25, 2.25) and (-1.5, -0.5, 0.5, 1.5).
    #expect(abs(result.pearson - 6.5 / (8.75 * 5).squareRoot()) < 1e-14)
    #expect(abs(result.euclidean - (1 - 1 / ((14 + 4.5 * 4.5).squareRoot() + 1e-7))) < 1e-14)
    #expect(abs(result.sqnr - 14.771212547196624) < 1e-12)
    #expect(result.difference == .init(value: 1, index: 3, target: 5, reference: 4))
    #expect(!result.isClose)
  }

  @Test(arguments: [1, 4095, 4096, 4097, 20_000])
  func `agrees with plain sums on any size`(count: Int) {
    let r = noise(count, seed: 1)
    let t = zip(r, noise(count, seed: 2)).map { $0 + 0.01 * $1 }
    let result = measure(t, r)
    func sum(_ term: (Double, Double) -> Double) -> Double {
      zip(t, r).reduce(0) { $0 + term($1.0, $1.1) }
    }
    let cosine = sum { $0 * $1 } / (sum { t, _ in t * t } * sum { _, r in r * r }).squareRoot()
    #expect(abs(result.cosine - cosine) < 1e-12)
    let noise = sum { ($0 - $1) * ($0 - $1) }.squareRoot()
    let mean = sum { ($0 + $1) * ($0 + $1) / 4 }.squareRoot()
    #expect(abs(result.euclidean - (1 - noise / (mean + 1e-7))) < 1e-12)
    #expect(result.profile.count == min(64, count))
    #expect(result.profile.map(\.difference).max() == result.difference.value)
  }

  @Test(arguments: [1e-200, 1e-3, 1.0, 1e200, 1e300])
  func `does not depend on the unit`(scale: Double) {
    let (t, r) = ([1.0, 2, 3.5], [1.0, 2, 3])
    let (plain, scaled) = (measure(t, r), measure(t.map { $0 * scale }, r.map { $0 * scale }))
    #expect(abs(plain.cosine - scaled.cosine) < 1e-12)
    #expect(abs(plain.pearson - scaled.pearson) < 1e-12)
    #expect(abs(plain.sqnr - scaled.sqnr) < 1e-9)
  }

  @Test func `is defined for zeros and constants`() {
    let zeros = measure([0, 0], [0, 0])
    #expect(zeros.cosine == 1 && zeros.pearson == 1 && zeros.euclidean == 1)
    #expect(zeros.sqnr == .infinity)
    let vanished = measure([0, 0], [1, 2])
    #expect(vanished.cosine == 0 && vanished.pearson == 0 && vanished.sqnr == 0)
    #expect(measure([1, 2], [0, 0]).sqnr == -.infinity)
    #expect(measure([0.1, 0.1, 0.1], [0.1, 0.1, 0.1]).pearson == 1)
    #expect(measure([0.1, 0.1, 0.1], [0.3, 0.3, 0.3]).pearson == 0)
    #expect(measure([], []).cosine == 1)
    #expect(abs(measure([-1, -2], [1, 2]).cosine + 1) < 1e-14)
  }

  @Test func `sees a constant offset`() {
    let r = noise(1000, seed: 3)
    let result = measure(r.map { $0 + 5 }, r)
    #expect(abs(result.pearson - 1) < 1e-9 && result.sqnr < 0 && result.cosine < 0.5)
  }

  @Test func `reads every floating-point type`() {
    let values: [Float] = [1, -2, 0.5, 4]
    let others: [Float] = [1, -2, 0.5, 3]
    let expected = measure(others.map { Double($0) }, values.map { Double($0) })
    func check<T: BitwiseCopyable>(
      _ type: ElementType, _ shape: Shape, _ convert: (Float) -> T
    ) {
      let result = Similarity(
        target: TensorBuffer(type, shape, others.map(convert)),
        reference: TensorBuffer(type, shape, values.map(convert)))
      #expect(result.cosine == expected.cosine && result.sqnr == expected.sqnr, "\(type)")
    }
    check(.float32, [4]) { $0 }
    check(.float16, [4]) { Float16($0) }
    check(.bfloat16, [4]) { BFloat16($0) }
    check(.float64, [4]) { Double($0) }
  }
}

@Suite struct `A tolerance` {
  @Test func `is read and written as on the command line`() throws {
    let tolerance = try Tolerance(parsing: "cosine=0.99,euclidean=0.9,sqnr=20")
    #expect(tolerance == Tolerance(cosine: 0.99, euclidean: 0.9, sqnr: 20))
    #expect(try Tolerance(parsing: tolerance.description) == tolerance)
  }

  @Test(arguments: [
    ("cosin=0.9", "Did you mean 'cosine'?"), ("cosine", "no limit"), ("cosine=x", "no limit"),
    ("cosine=0.9,cosine=0.8", "twice"), ("cosine=99", "above 1"), ("", "no limit"),
    ("sqnr=nan", "no limit"), ("0.99,0.99", "write, e.g., cosine=0.99"),
  ])
  func `that is wrong is refused`(text: String, word: String) {
    let error = #expect(throws: AccuracyError.self) { try Tolerance(parsing: text) }
    #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
  }
}
