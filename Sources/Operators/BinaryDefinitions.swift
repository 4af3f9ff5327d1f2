import Graphs
import Instructions
import Tensors

/// The element-wise operators of two inputs, by their names in ONNX. The formulas stand at
/// `Binary.Function`.
extension Elementwise {
  package enum Add: PlainBinaryDefinition {
    package static let name = "Add"
    package static let function = Binary.Function.add
  }
  package enum Sub: PlainBinaryDefinition {
    package static let name = "Sub"
    package static let function = Binary.Function.subtract
  }
  package enum Mul: PlainBinaryDefinition {
    package static let name = "Mul"
    package static let function = Binary.Function.multiply
  }
  package enum Div: PlainBinaryDefinition {
    package static let name = "Div"
    package static let function = Binary.Function.divide
  }
  package enum Greater: PlainBinaryDefinition {
    package static let name = "Greater"
    package static let function = Binary.Function.greater
  }
  package enum GreaterOrEqual: PlainBinaryDefinition {
    package static let name = "GreaterOrEqual"
    package static let function = Binary.Function.greaterOrEqual
  }
  package enum Less: PlainBinaryDefinition {
    package static let name = "Less"
    package static let function = Binary.Function.less
  }
  package enum LessOrEqual: PlainBinaryDefinition {
    package static let name = "LessOrEqual"
    package static let function = Binary.Function.lessOrEqual
  }
  package enum And: PlainBinaryDefinition {
    package static let name = "And"
    package static let function = Binary.Function.and
  }
  package enum Or: PlainBinaryDefinition {
    package static let name = "Or"
    package static let function = Binary.Function.or
  }
  package enum Xor: PlainBinaryDefinition {
    package static let name = "Xor"
    package static let function = Binary.Function.xor
  }
  package enum BitwiseAnd: PlainBinaryDefinition {
    package static let name = "BitwiseAnd"
    package static let function = Binary.Function.bitwiseAnd
  }
  package enum BitwiseOr: PlainBinaryDefinition {
    package static let name = "BitwiseOr"
    package static let function = Binary.Function.bitwiseOr
  }
  package enum BitwiseXor: PlainBinaryDefinition {
    package static let name = "BitwiseXor"
    package static let function = Binary.Function.bitwiseXor
  }
  package enum Equal: PlainBinaryDefinition {
    package static let name = "Equal"
    package static let function = Binary.Function.equal
    package static func takes(_ type: ElementType) -> Bool {
      type.isInteger || type.isFloat || type == .bool
    }
  }
  /// Attribute `fmod` (0): whether the result has the sign of the dividend; floats needed it before
  /// version 28.
  package enum Mod: BinaryDefinition {
    package static let name = "Mod"
    package static func takes(_ type: ElementType) -> Bool { type.isInteger || type.isFloat }
    package static func function(_ node: NodeReader) throws(ImportError) -> Binary.Function {
      try node.bool("fmod", default: false) ? .remainder : .modulo
    }
  }
  /// Attribute `direction`: `LEFT` or `RIGHT`. Integers (signed ones from version 28 on: a right
  /// shift keeps the sign).
  package enum BitShift: BinaryDefinition {
    package static let name = "BitShift"
    package static func takes(_ type: ElementType) -> Bool { type.isInteger }
    package static func function(_ node: NodeReader) throws(ImportError) -> Binary.Function {
      switch try node.string("direction") {
      case "LEFT": return .shiftLeft
      case "RIGHT": return .shiftRight
      case let other:
        throw node.invalid("direction is \(other ?? "missing"); known are LEFT and RIGHT")
      }
    }
  }
}
