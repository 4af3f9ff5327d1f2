/// An element-wise function that can be applied while a producer stores its result.
///
/// Raw values are those of `enum apus_function` in `functions.h`.
public struct Activation: Sendable, Hashable {
  public var function: Function
  public var alpha: Float
  public var beta: Float

  public init(_ function: Function = .identity, alpha: Float = 0, beta: Float = 0) {
    self.function = function
    self.alpha = alpha
    self.beta = beta
  }

  public static let none = Activation()
  public static let relu = Activation(.relu)
  /// min(max(x, low), high)
  public static func clip(_ low: Float, _ high: Float) -> Activation {
    Activation(.clip, alpha: low, beta: high)
  }

  /// The functions of one float; x is the operand.
  public enum Function: UInt8, Sendable, Hashable, CaseIterable {
    case identity = 0
    /// max(x, 0)
    case relu = 1
    /// min(max(x, alpha), beta)
    case clip = 2
    /// x < 0 ? alpha x : x
    case leakyRelu = 3
    /// 1 / (1 + exp(-x))
    case sigmoid = 4
    /// min(max(alpha x + beta, 0), 1)
    case hardSigmoid = 5
    /// x min(max(alpha x + beta, 0), 1); ONNX: alpha 1/6, beta 0.5
    case hardSwish = 6
    /// x sigmoid(alpha x); SiLU: alpha 1
    case swish = 7
    case tanh = 8
    /// 0.5 x (1 + erf(x / √2))
    case gelu = 9
    /// 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))
    case geluTanh = 10
    /// x < 0 ? alpha (exp(x) - 1) : x
    case elu = 11
    /// beta (x < 0 ? alpha (exp(x) - 1) : x)
    case selu = 12
    /// log(1 + exp(x))
    case softplus = 13
    /// x / (1 + |x|)
    case softsign = 14
    /// x tanh(softplus(x))
    case mish = 15
    case exp = 16
    case log = 17
    case sqrt = 18
    case reciprocal = 19
    case negate = 20
    case absolute = 21
    case floor = 22
    case ceil = 23
    /// Ties to even.
    case round = 24
    case erf = 25
    case sin = 26
    case cos = 27
    case tan = 28
    case asin = 29
    case acos = 30
    case atan = 31
    case sinh = 32
    case cosh = 33
    case asinh = 34
    case acosh = 35
    case atanh = 36
    case sign = 37
    /// x > alpha ? x : 0
    case thresholdedRelu = 38
    /// x < -alpha ? x + beta : x > alpha ? x - beta : 0
    case shrink = 39
    /// x² (a square is cheaper than pow)
    case square = 40
    /// alpha x + beta
    case affine = 41
    /// x < 0 ? alpha (exp(x/alpha) - 1) : x
    case celu = 42
    /// alpha tanh(beta x); no kernel has it
    case scaledTanh = 43
  }
}
