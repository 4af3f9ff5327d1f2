extension Activation {
  /// Applies the function to values in place, by the portable definition.
  package func apply(to values: inout [Float]) {
    values.withUnsafeMutableBufferPointer { buffer in
      if let base = buffer.baseAddress { apply(to: base, count: buffer.count) }
    }
  }

  /// Applies the function to `count` values in place; the portable definition of every function.
  func apply<T: Real>(to values: UnsafeMutablePointer<T>, count: Int) {
    let a = T(alpha)
    let b = T(beta)
    @inline(__always) func each(_ body: (T) -> T) {
      for i in 0..<count { values[i] = body(values[i]) }
    }
    switch function {
    case .identity: break
    case .relu: each { $0 < 0 ? 0 : $0 }
    case .clip: each { Activation.clamp($0, a, b) }
    case .leakyRelu: each { $0 < 0 ? a * $0 : $0 }
    case .sigmoid: each { Activation.sigmoid($0) }
    case .hardSigmoid: each { Activation.clamp(a * $0 + b, 0, 1) }
    case .hardSwish: each { $0 * Activation.clamp(a * $0 + b, 0, 1) }
    case .swish: each { $0 * Activation.sigmoid(a * $0) }
    case .tanh: each { T.tanh($0) }
    case .gelu: each { 0.5 * $0 * (1 + T.erf($0 * 0.7071067811865476)) }
    case .geluTanh:
      each { x in 0.5 * x * (1 + T.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))) }
    case .elu: each { $0 < 0 ? a * T.expMinusOne($0) : $0 }
    case .selu: each { b * ($0 < 0 ? a * T.expMinusOne($0) : $0) }
    case .celu: each { $0 < 0 ? a * T.expMinusOne($0 / a) : $0 }
    case .softplus: each { Activation.softplus($0) }
    case .softsign: each { $0 / (1 + abs($0)) }
    case .mish: each { $0 * T.tanh(Activation.softplus($0)) }
    case .thresholdedRelu: each { $0 <= a ? 0 : $0 }
    case .shrink: each { $0 < -a ? $0 + b : $0 <= a ? 0 : $0 - b }
    case .affine: each { a * $0 + b }
    case .scaledTanh: each { a * T.tanh(b * $0) }
    default: applyMathematics(to: values, count: count)
    }
  }

  /// The functions without parameters that networks rarely activate with.
  private func applyMathematics<T: Real>(to values: UnsafeMutablePointer<T>, count: Int) {
    @inline(__always) func each(_ body: (T) -> T) {
      for i in 0..<count { values[i] = body(values[i]) }
    }
    switch function {
    case .exp: each { T.exp($0) }
    case .log: each { T.log($0) }
    case .sqrt: each { $0.squareRoot() }
    case .reciprocal: each { 1 / $0 }
    case .negate: each { -$0 }
    case .absolute: each { $0.magnitude }
    case .floor: each { $0.rounded(.down) }
    case .ceil: each { $0.rounded(.up) }
    case .round: each { $0.rounded(.toNearestOrEven) }
    case .erf: each { T.erf($0) }
    case .sin: each { T.sin($0) }
    case .cos: each { T.cos($0) }
    case .tan: each { T.tan($0) }
    case .asin: each { T.asin($0) }
    case .acos: each { T.acos($0) }
    case .atan: each { T.atan($0) }
    case .sinh: each { T.sinh($0) }
    case .cosh: each { T.cosh($0) }
    case .asinh: each { T.asinh($0) }
    case .acosh: each { T.acosh($0) }
    case .atanh: each { T.atanh($0) }
    case .sign: each { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }
    case .square: each { $0 * $0 }
    default: break
    }
  }

  /// NaN stays NaN; if the bounds cross, the upper one wins.
  @inline(__always)
  static func clamp<T: Real>(_ x: T, _ low: T, _ high: T) -> T {
    let raised = x < low ? low : x
    return raised > high ? high : raised
  }

  @inline(__always)
  static func sigmoid<T: Real>(_ x: T) -> T { 1 / (1 + T.exp(-x)) }

  /// log(1 + exp(x)) without overflow.
  @inline(__always)
  static func softplus<T: Real>(_ x: T) -> T {
    x > 0 ? x + T.logOnePlus(T.exp(-x)) : T.logOnePlus(T.exp(x))
  }
}
