import Tensors

/// The portable execution of `Binary`.
extension Binary {
  /// float32 and bfloat16, through blocks of float32.
  func executeFloats(_ context: borrowing ExecutionContext) {
    let left = FloatElements(context.pointer(a), aType)
    let right = FloatElements(context.pointer(b), bType)
    let y = FloatElements(context.pointer(output), outputType)
    let steps = walk.steps
    let rowSteps = walk.rowSteps
    let blockLength = FloatElements.blockLength
    walk.run(context) { offsets, rows, count in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * blockLength) { block in
        guard let p = block.baseAddress else { return }
        let q = p + blockLength
        for row in 0..<rows {
          let start = offsets &+ rowSteps &* row
          var i = 0
          while i < count {
            let length = min(blockLength, count - i)
            let at = start &+ steps &* i
            left.load(at[0], step: steps[0], count: length, to: p)
            right.load(at[1], step: steps[1], count: length, to: q)
            Binary.combine(function, p, q, length)
            activation.apply(to: p, count: length)
            y.store(at[2], step: steps[2], count: length, from: p)
            i += length
          }
        }
      }
    }
  }

  /// p[i] = function(p[i], q[i])
  static func combine(
    _ function: Function, _ p: UnsafeMutablePointer<Float>, _ q: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    @inline(__always) func each(_ body: (Float, Float) -> Float) {
      for i in 0..<count { p[i] = body(p[i], q[i]) }
    }
    switch function {
    case .add: each { $0 + $1 }
    case .subtract: each { $0 - $1 }
    case .multiply: each { $0 * $1 }
    case .divide: each { $0 / $1 }
    case .minimum: each { Binary.smaller($0, $1) }
    case .maximum: each { Binary.larger($0, $1) }
    case .power: each { Float.power($0, $1) }
    case .modulo: each { Float.modulo($0, $1) }
    case .remainder: each { Float.remainder($0, $1) }
    case .prelu: each { $0 < 0 ? $0 * $1 : $0 }
    default: break
    }
  }

  /// NaN if either is.
  @inline(__always)
  static func smaller<T: Number>(_ a: T, _ b: T) -> T {
    a.isNotANumber ? a : b.isNotANumber ? b : b < a ? b : a
  }

  /// NaN if either is.
  @inline(__always)
  static func larger<T: Number>(_ a: T, _ b: T) -> T {
    a.isNotANumber ? a : b.isNotANumber ? b : a < b ? b : a
  }

  /// Comparisons of float32 and bfloat16.
  func compareFloats(_ context: borrowing ExecutionContext) {
    switch (aType, bType) {
    case (.float32, .float32): compare(context, Float.self, Float.self)
    case (.float32, _): compare(context, Float.self, BFloat16.self)
    case (_, .float32): compare(context, BFloat16.self, Float.self)
    default: compare(context, BFloat16.self, BFloat16.self)
    }
  }

  func executeReals(_ context: borrowing ExecutionContext) {
    if function.isComparison { return compare(context, Double.self, Double.self) }
    arithmetic(context, Double.self)
  }

  func executeIntegers<T: Whole>(_ context: borrowing ExecutionContext, _: T.Type) {
    if function.isComparison { return compare(context, T.self, T.self) }
    if function.isArithmetic { return arithmetic(context, T.self) }
    switch function {
    case .and: map(context, T.self, T.self, T.self) { $0 != 0 && $1 != 0 ? 1 : 0 }
    case .or: map(context, T.self, T.self, T.self) { $0 != 0 || $1 != 0 ? 1 : 0 }
    case .xor: map(context, T.self, T.self, T.self) { ($0 != 0) != ($1 != 0) ? 1 : 0 }
    case .bitwiseAnd: map(context, T.self, T.self, T.self) { $0 & $1 }
    case .bitwiseOr: map(context, T.self, T.self, T.self) { $0 | $1 }
    case .bitwiseXor: map(context, T.self, T.self, T.self) { $0 ^ $1 }
    // A shift by a negative number is one by too many bits.
    case .shiftLeft: map(context, T.self, T.self, T.self) { $1 < 0 ? 0 : $0 << $1 }
    default:
      map(context, T.self, T.self, T.self) {
        $0 >> ($1 < 0 ? T(truncatingIfNeeded: T.bitWidth) : $1)
      }
    }
  }

  private func arithmetic<T: Number & Element>(_ context: borrowing ExecutionContext, _: T.Type)
  where T.Value == T {
    switch function {
    case .add: map(context, T.self, T.self, T.self) { T.plus($0, $1) }
    case .subtract: map(context, T.self, T.self, T.self) { T.minus($0, $1) }
    case .multiply: map(context, T.self, T.self, T.self) { T.times($0, $1) }
    case .divide: divide(context, T.self) { T.over($0, $1) }
    case .minimum: map(context, T.self, T.self, T.self) { Binary.smaller($0, $1) }
    case .maximum: map(context, T.self, T.self, T.self) { Binary.larger($0, $1) }
    case .power: map(context, T.self, T.self, T.self) { T.power($0, $1) }
    case .modulo: divide(context, T.self) { T.modulo($0, $1) }
    case .remainder: divide(context, T.self) { T.remainder($0, $1) }
    default: map(context, T.self, T.self, T.self) { $0 < .zero ? T.times($0, $1) : $0 }
    }
  }

  /// A map that reports a divisor of zero where the type has no infinity.
  @inline(__always)
  private func divide<T: Number & Element>(
    _ context: borrowing ExecutionContext, _: T.Type, _ body: (T, T) -> T
  ) where T.Value == T {
    var byZero = false
    map(context, T.self, T.self, T.self) { (a: T, b: T) -> T in
      if !T.isReal && b == .zero { byZero = true }
      return body(a, b)
    }
    if byZero { context.fail(.divisionByZero) }
  }

  private func compare<A: Element, B: Element>(
    _ context: borrowing ExecutionContext, _: A.Type, _: B.Type
  ) where A.Value == B.Value {
    switch function {
    case .equal: map(context, A.self, B.self, UInt8.self) { $0.value == $1.value ? 1 : 0 }
    case .less: map(context, A.self, B.self, UInt8.self) { $0.value < $1.value ? 1 : 0 }
    case .lessOrEqual: map(context, A.self, B.self, UInt8.self) { $0.value <= $1.value ? 1 : 0 }
    case .greater: map(context, A.self, B.self, UInt8.self) { $0.value > $1.value ? 1 : 0 }
    default: map(context, A.self, B.self, UInt8.self) { $0.value >= $1.value ? 1 : 0 }
    }
  }

  @inline(__always)
  private func map<A, B, Y>(
    _ context: borrowing ExecutionContext, _: A.Type, _: B.Type, _: Y.Type, _ body: (A, B) -> Y
  ) {
    let left = context.pointer(a, as: A.self)
    let right = context.pointer(b, as: B.self)
    let y = context.pointer(output, as: Y.self)
    let steps = walk.steps
    let rowSteps = walk.rowSteps
    walk.run(context) { offsets, rows, count in
      for row in 0..<rows {
        let start = offsets &+ rowSteps &* row
        for i in 0..<count {
          y[start[2] + i * steps[2]] =
            body(left[start[0] + i * steps[0]], right[start[1] + i * steps[1]])
        }
      }
    }
  }
}
