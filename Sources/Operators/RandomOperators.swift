import Graphs
import Instructions
import Tensors

/// What tells one generator of random numbers from the next.
package protocol RandomDefinition: Sendable {
  static var name: String { get }
  static var distribution: RandomNumbers.Distribution { get }
  /// Whether the shape is that of input 0 instead of the attribute `shape`.
  static var isLike: Bool { get }
}

/// Makes random numbers: normal ones (`mean` 0, `scale` 1) or uniform ones (`low` 0, `high` 1).
///
/// y: `shape`, or that of the input; a float, `dtype` (default float32, or the input's type). The
/// generator is Philox4x32-10 with `seed` as its key; every run gives the same numbers. Without
/// `seed` the key comes from the node's name, so that different nodes give different numbers. ONNX
/// versions 1 and 22.
package struct RandomOperator<Definition: RandomDefinition>: LoweredOperator {
  package static var name: String { Definition.name }

  package var type: ElementType?
  package var shape: [Int]?
  package var seed: Int
  package var first: Float
  package var second: Float

  package var dependsOnShapesOnly: Bool { Definition.isLike }

  package init(importing node: NodeReader) throws(ImportError) {
    type = try node.elementType("dtype")
    seed = try node.randomSeed()
    let isNormal = Definition.distribution == .normal
    first = try node.float(isNormal ? "mean" : "low", default: 0)
    second = try node.float(isNormal ? "scale" : "high", default: 1)
    if !Definition.isLike {
      shape = try node.ints("shape")
      guard shape != nil else { throw node.invalid("attribute shape is missing") }
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    var known = ValueInfo(type: .float32, shape: [])
    if Definition.isLike {
      known = try inputs.required(0, "input")
    } else {
      known.shape = try Shape(checking: shape ?? [])
    }
    let type = type ?? known.type
    guard type.isFloat else { throw GraphError("random numbers of \(type) are not supported") }
    return [ValueInfo(type: type, shape: known.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var numbers = RandomNumbers()
    numbers.output = try lowering.result(0)
    numbers.distribution = Definition.distribution
    numbers.seed = seed
    (numbers.first, numbers.second) = (first, second)
    lowering.emit(numbers)
  }
}

/// The generators, by their names in ONNX.
extension Elementwise {
  package enum RandomNormal: RandomDefinition {
    package static let name = "RandomNormal"
    package static let distribution = RandomNumbers.Distribution.normal
    package static let isLike = false
  }
  package enum RandomNormalLike: RandomDefinition {
    package static let name = "RandomNormalLike"
    package static let distribution = RandomNumbers.Distribution.normal
    package static let isLike = true
  }
  package enum RandomUniform: RandomDefinition {
    package static let name = "RandomUniform"
    package static let distribution = RandomNumbers.Distribution.uniform
    package static let isLike = false
  }
  package enum RandomUniformLike: RandomDefinition {
    package static let name = "RandomUniformLike"
    package static let distribution = RandomNumbers.Distribution.uniform
    package static let isLike = true
  }
}

/// Draws zeros and ones: y = 1 with probability x.
///
/// x: float, probabilities; y: x's shape, `dtype` (default x's type), a numeric type or bool. Seeds
/// as `RandomNormal`. ONNX versions 15 and 22.
package struct Bernoulli: LoweredOperator {
  package static let name = "Bernoulli"
  package static let sinceVersion = 15
  package var type: ElementType?
  package var seed: Int

  package init(importing node: NodeReader) throws(ImportError) {
    type = try node.elementType("dtype")
    seed = try node.randomSeed()
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "input")
    let type = type ?? x.type
    guard x.type.isFloat, Cast.supports(type) else {
      throw GraphError("probabilities are \(x.type) and results \(type); they must be numbers")
    }
    return [ValueInfo(type: type, shape: x.shape)]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let x = try lowering.operand(0)
    let shape = lowering[x].shape
    var numbers = RandomNumbers()
    numbers.seed = seed
    numbers.output = lowering.temporary(
      lowering[x].type == .float64 ? .float64 : .float32, shape)
    lowering.emit(numbers)
    let isBool = try lowering.outputInfo(0).type == .bool
    let chosen = isBool ? try lowering.result(0) : lowering.temporary(.bool, shape)
    lowering.emit(Binary(.less, numbers.output, x, to: chosen))
    if !isBool { lowering.emit(Cast(chosen, to: try lowering.result(0))) }
  }
}

/// Draws classes: class c with probability proportional to exp(input[b, c]).
///
/// input: [batch, classes] float; output: [batch, `sample_size`], int32 or int64 (`dtype`). Seeds
/// as `RandomNormal`. ONNX versions 7 and 22.
package struct Multinomial: LoweredOperator {
  package static let name = "Multinomial"
  package static let sinceVersion = 7
  package var type: ElementType
  package var sampleSize: Int
  package var seed: Int

  package init(importing node: NodeReader) throws(ImportError) {
    type = try node.elementType("dtype") ?? .int32
    sampleSize = try node.int("sample_size", default: 1)
    seed = try node.randomSeed()
    guard [.int32, .int64].contains(type), sampleSize >= 0 else {
      throw node.invalid("dtype is \(type), sample_size \(sampleSize)")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "input")
    guard x.type.isFloat, x.shape.rank == 2, x.shape[1] > 0 else {
      throw GraphError("input is \(x.type) \(x.shape), but must be floats [batch, classes]")
    }
    return [ValueInfo(type: type, shape: try Shape(checking: [x.shape[0], sampleSize]))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var sample = SampleClasses()
    sample.input = try lowering.operand(0)
    sample.output = try lowering.result(0)
    sample.seed = seed
    lowering.emit(sample)
  }
}

extension NodeReader {
  /// The generator's key: the attribute's bits, or where it is absent a hash of the node's name
  /// (FNV-1a) with a bit set that no attribute has. Fields of instructions have 48 bits.
  func randomSeed() throws(ImportError) -> Int {
    if let seed = try float("seed") { return Int(seed.bitPattern) }
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return Int(hash >> 17) | 1 << 47
  }
}
