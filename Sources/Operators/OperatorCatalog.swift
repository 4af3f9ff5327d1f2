import Graphs

/// Every operator that Apus reads. Importers look operators up here; tests and documentation walk
/// the table.
public enum OperatorCatalog {
  /// One line per operator, by name.
  package static let all: [any LoweredOperator.Type] = [
    Identity.self,
    UnaryOperator<Elementwise.Abs>.self,
    UnaryOperator<Elementwise.Neg>.self,
    UnaryOperator<Elementwise.Sign>.self,
    UnaryOperator<Elementwise.Relu>.self,
    UnaryOperator<Elementwise.Ceil>.self,
    UnaryOperator<Elementwise.Floor>.self,
    UnaryOperator<Elementwise.Round>.self,
    UnaryOperator<Elementwise.Reciprocal>.self,
    UnaryOperator<Elementwise.Sqrt>.self,
    UnaryOperator<Elementwise.Exp>.self,
    UnaryOperator<Elementwise.Log>.self,
    UnaryOperator<Elementwise.Erf>.self,
    UnaryOperator<Elementwise.Sin>.self,
    UnaryOperator<Elementwise.Cos>.self,
    UnaryOperator<Elementwise.Tan>.self,
    UnaryOperator<Elementwise.Asin>.self,
    UnaryOperator<Elementwise.Acos>.self,
    UnaryOperator<Elementwise.Atan>.self,
    UnaryOperator<Elementwise.Sinh>.self,
    UnaryOperator<Elementwise.Cosh>.self,
    UnaryOperator<Elementwise.Asinh>.self,
    UnaryOperator<Elementwise.Acosh>.self,
    UnaryOperator<Elementwise.Atanh>.self,
    UnaryOperator<Elementwise.Sigmoid>.self,
    UnaryOperator<Elementwise.Tanh>.self,
    UnaryOperator<Elementwise.Softplus>.self,
    UnaryOperator<Elementwise.Softsign>.self,
    UnaryOperator<Elementwise.Mish>.self,
    UnaryOperator<Elementwise.LeakyRelu>.self,
    UnaryOperator<Elementwise.Elu>.self,
    UnaryOperator<Elementwise.Selu>.self,
    UnaryOperator<Elementwise.Celu>.self,
    UnaryOperator<Elementwise.ThresholdedRelu>.self,
    UnaryOperator<Elementwise.HardSigmoid>.self,
    UnaryOperator<Elementwise.HardSwish>.self,
    UnaryOperator<Elementwise.Swish>.self,
    UnaryOperator<Elementwise.Shrink>.self,
    UnaryOperator<Elementwise.Gelu>.self,
    UnaryOperator<Elementwise.MicrosoftGelu>.self,
    UnaryOperator<Elementwise.QuickGelu>.self,
    BinaryOperator<Elementwise.Add>.self,
    BinaryOperator<Elementwise.Sub>.self,
    BinaryOperator<Elementwise.Mul>.self,
    BinaryOperator<Elementwise.Div>.self,
    BinaryOperator<Elementwise.Greater>.self,
    BinaryOperator<Elementwise.GreaterOrEqual>.self,
    BinaryOperator<Elementwise.Less>.self,
    BinaryOperator<Elementwise.LessOrEqual>.self,
    BinaryOperator<Elementwise.And>.self,
    BinaryOperator<Elementwise.Or>.self,
    BinaryOperator<Elementwise.Xor>.self,
    BinaryOperator<Elementwise.BitwiseAnd>.self,
    BinaryOperator<Elementwise.BitwiseOr>.self,
    BinaryOperator<Elementwise.BitwiseXor>.self,
    BinaryOperator<Elementwise.Equal>.self,
    BinaryOperator<Elementwise.Mod>.self,
    BinaryOperator<Elementwise.BitShift>.self,
    Not.self,
    IsNaN.self,
    IsInf.self,
    Pow.self,
    PRelu.self,
    VariadicOperator<Elementwise.Max>.self,
    VariadicOperator<Elementwise.Min>.self,
    VariadicOperator<Elementwise.Sum>.self,
    VariadicOperator<Elementwise.Mean>.self,
    BitwiseNot.self,
    Clip.self,
    Where.self,
    CastOperator.self,
    CastLike.self,
  ]

  private static let byName: [String: any LoweredOperator.Type] = Dictionary(
    all.map { (key(domain: $0.domain, name: $0.name), $0) },
    uniquingKeysWith: { first, _ in first })

  /// Returns the operator, or nil. `ai.onnx` and the empty domain are the same.
  package static func type(domain: String, name: String) -> (any LoweredOperator.Type)? {
    byName[key(domain: domain == "ai.onnx" ? "" : domain, name: name)]
  }

  private static func key(domain: String, name: String) -> String { "\(domain):\(name)" }
}
