import Tensors

/// The portable execution of `Reduce`: one result after the other.
extension Reduce {
  /// Floats accumulate in double, so that the order does not matter to the result.
  func reals<S: BitwiseCopyable, T: BitwiseCopyable>(
    _ context: borrowing ExecutionContext, _: S.Type, _: T.Type, _ widen: (S) -> Double,
    narrow: (Double) -> T
  ) {
    let x = context.pointer(input, as: S.self)
    let y = context.pointer(output, as: T.self)
    for index in context.share(of: kept.count) {
      let base = x + kept.offset(of: index)
      @inline(__always) func fold(_ start: Double, _ body: (Double, Double) -> Double) -> Double {
        self.fold(base, start) { body($0, widen($1)) }
      }
      let result: Double
      switch function {
      case .sum: result = fold(0) { $0 + $1 }
      case .mean: result = fold(0) { $0 + $1 } / Double(reduced.count)
      case .maximum: result = fold(-.infinity) { Binary.larger($0, $1) }
      case .minimum: result = fold(.infinity) { Binary.smaller($0, $1) }
      case .product: result = fold(1) { $0 * $1 }
      case .l1: result = fold(0) { $0 + $1.magnitude }
      case .l2: result = fold(0) { $0 + $1 * $1 }.squareRoot()
      case .logSum: result = Double.log(fold(0) { $0 + $1 })
      case .logSumExp:
        let highest = fold(-.infinity) { Binary.larger($0, $1) }
        // An infinite maximum is the result; subtracting it would give NaN.
        result =
          highest.isFinite
          ? highest + Double.log(fold(0) { $0 + Double.exp($1 - highest) }) : highest
      case .sumSquare: result = fold(0) { $0 + $1 * $1 }
      }
      y[index] = narrow(result)
    }
  }

  /// Integers wrap around in their own type.
  func integers<T: Whole>(_ context: borrowing ExecutionContext, _: T.Type) {
    let x = context.pointer(input, as: T.self)
    let y = context.pointer(output, as: T.self)
    for index in context.share(of: kept.count) {
      let base = x + kept.offset(of: index)
      let result: T
      switch function {
      case .sum: result = fold(base, 0) { $0 &+ $1 }
      case .mean:
        let sum = fold(base, 0) { $0 &+ Int(truncatingIfNeeded: $1) }
        result = reduced.count == 0 ? 0 : T(truncatingIfNeeded: sum / reduced.count)
      case .maximum: result = fold(base, T.min) { max($0, $1) }
      case .minimum: result = fold(base, T.max) { min($0, $1) }
      case .product: result = fold(base, 1) { $0 &* $1 }
      case .l1: result = fold(base, 0) { $0 &+ ($1 < 0 ? 0 &- $1 : $1) }
      case .l2: result = T.squareRoot(fold(base, 0) { $0 &+ $1 &* $1 })
      case .logSum: result = T.logarithm(fold(base, 0) { $0 &+ $1 })
      case .logSumExp:
        let sum = fold(base, 0.0) { $0 + Double.exp(Double($1)) }
        result = T(saturating: Double.log(sum))
      case .sumSquare: result = fold(base, 0) { $0 &+ $1 &* $1 }
      }
      y[index] = result
    }
  }

  @inline(__always)
  private func fold<S: BitwiseCopyable, R>(
    _ base: UnsafeMutablePointer<S>, _ start: R, _ body: (R, S) -> R
  ) -> R {
    var result = start
    let inner = reduced.inner
    for row in 0..<reduced.rowCount {
      let first = base + reduced.offset(ofRow: row)
      for i in 0..<inner.count { result = body(result, first[i * inner.step]) }
    }
    return result
  }
}
