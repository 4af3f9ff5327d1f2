import Graphs
import Instructions

/// The element-wise operators of one input, by their names in ONNX. The formulas stand at
/// `Activation.Function`.
package enum Elementwise {
  package enum Abs: PlainUnaryDefinition {
    package static let name = "Abs"
    package static let function = Activation.Function.absolute
    package static let takesIntegers = true
  }
  package enum Neg: PlainUnaryDefinition {
    package static let name = "Neg"
    package static let function = Activation.Function.negate
    package static let takesIntegers = true
  }
  package enum Sign: PlainUnaryDefinition {
    package static let name = "Sign"
    package static let function = Activation.Function.sign
    package static let takesIntegers = true
  }
  package enum Relu: PlainUnaryDefinition {
    package static let name = "Relu"
    package static let function = Activation.Function.relu
    package static let takesIntegers = true
  }
  package enum Ceil: PlainUnaryDefinition {
    package static let name = "Ceil"
    package static let function = Activation.Function.ceil
  }
  package enum Floor: PlainUnaryDefinition {
    package static let name = "Floor"
    package static let function = Activation.Function.floor
  }
  package enum Round: PlainUnaryDefinition {
    package static let name = "Round"
    package static let function = Activation.Function.round
  }
  package enum Reciprocal: PlainUnaryDefinition {
    package static let name = "Reciprocal"
    package static let function = Activation.Function.reciprocal
  }
  package enum Sqrt: PlainUnaryDefinition {
    package static let name = "Sqrt"
    package static let function = Activation.Function.sqrt
  }
  package enum Exp: PlainUnaryDefinition {
    package static let name = "Exp"
    package static let function = Activation.Function.exp
  }
  package enum Log: PlainUnaryDefinition {
    package static let name = "Log"
    package static let function = Activation.Function.log
  }
  package enum Erf: PlainUnaryDefinition {
    package static let name = "Erf"
    package static let function = Activation.Function.erf
  }
  package enum Sin: PlainUnaryDefinition {
    package static let name = "Sin"
    package static let function = Activation.Function.sin
  }
  package enum Cos: PlainUnaryDefinition {
    package static let name = "Cos"
    package static let function = Activation.Function.cos
  }
  package enum Tan: PlainUnaryDefinition {
    package static let name = "Tan"
    package static let function = Activation.Function.tan
  }
  package enum Asin: PlainUnaryDefinition {
    package static let name = "Asin"
    package static let function = Activation.Function.asin
  }
  package enum Acos: PlainUnaryDefinition {
    package static let name = "Acos"
    package static let function = Activation.Function.acos
  }
  package enum Atan: PlainUnaryDefinition {
    package static let name = "Atan"
    package static let function = Activation.Function.atan
  }
  package enum Sinh: PlainUnaryDefinition {
    package static let name = "Sinh"
    package static let function = Activation.Function.sinh
  }
  package enum Cosh: PlainUnaryDefinition {
    package static let name = "Cosh"
    package static let function = Activation.Function.cosh
  }
  package enum Asinh: PlainUnaryDefinition {
    package static let name = "Asinh"
    package static let function = Activation.Function.asinh
  }
  package enum Acosh: PlainUnaryDefinition {
    package static let name = "Acosh"
    package static let function = Activation.Function.acosh
  }
  package enum Atanh: PlainUnaryDefinition {
    package static let name = "Atanh"
    package static let function = Activation.Function.atanh
  }
  package enum Sigmoid: PlainUnaryDefinition {
    package static let name = "Sigmoid"
    package static let function = Activation.Function.sigmoid
  }
  package enum Tanh: PlainUnaryDefinition {
    package static let name = "Tanh"
    package static let function = Activation.Function.tanh
  }
  package enum Softplus: PlainUnaryDefinition {
    package static let name = "Softplus"
    package static let function = Activation.Function.softplus
  }
  package enum Softsign: PlainUnaryDefinition {
    package static let name = "Softsign"
    package static let function = Activation.Function.softsign
  }
  package enum Mish: PlainUnaryDefinition {
    package static let name = "Mish"
    package static let function = Activation.Function.mish
  }
  package enum LeakyRelu: UnaryDefinition {
    package static let name = "LeakyRelu"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      Activation(.leakyRelu, alpha: try node.float("alpha", default: 0.01))
    }
  }
  package enum Elu: UnaryDefinition {
    package static let name = "Elu"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      Activation(.elu, alpha: try node.float("alpha", default: 1))
    }
  }
  package enum Selu: UnaryDefinition {
    package static let name = "Selu"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      Activation(
        .selu, alpha: try node.float("alpha", default: 1.67326319217681884765625),
        beta: try node.float("gamma", default: 1.05070102214813232421875))
    }
  }
  package enum Celu: UnaryDefinition {
    package static let name = "Celu"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      Activation(.celu, alpha: try node.float("alpha", default: 1))
    }
  }
  package enum ThresholdedRelu: UnaryDefinition {
    package static let name = "ThresholdedRelu"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      Activation(.thresholdedRelu, alpha: try node.float("alpha", default: 1))
    }
  }
  package enum HardSigmoid: UnaryDefinition {
    package static let name = "HardSigmoid"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      Activation(
        .hardSigmoid, alpha: try node.float("alpha", default: 0.2),
        beta: try node.float("beta", default: 0.5))
    }
  }
  package enum HardSwish: UnaryDefinition {
    package static let name = "HardSwish"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      Activation(.hardSwish, alpha: 1 / 6, beta: 0.5)
    }
  }
  package enum Swish: UnaryDefinition {
    package static let name = "Swish"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      Activation(.swish, alpha: try node.float("alpha", default: 1))
    }
  }
  package enum Shrink: UnaryDefinition {
    package static let name = "Shrink"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      Activation(
        .shrink, alpha: try node.float("lambd", default: 0.5),
        beta: try node.float("bias", default: 0))
    }
  }
  package enum Gelu: UnaryDefinition {
    package static let name = "Gelu"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      let form = try node.string("approximate", default: "none")
      switch form {
      case "none": return Activation(.gelu)
      case "tanh": return Activation(.geluTanh)
      default: throw node.invalid("approximate is \"\(form)\"; known are none and tanh")
      }
    }
  }
  /// `Gelu` of com.microsoft: the erf form.
  package enum MicrosoftGelu: PlainUnaryDefinition {
    package static let name = "Gelu"
    package static let domain = "com.microsoft"
    package static let function = Activation.Function.gelu
  }
  /// x sigmoid(alpha x)
  package enum QuickGelu: UnaryDefinition {
    package static let name = "QuickGelu"
    package static let domain = "com.microsoft"
    package static func activation(_ node: NodeReader) throws(ImportError) -> Activation {
      Activation(.swish, alpha: try node.float("alpha", default: 1.702))
    }
  }
}
