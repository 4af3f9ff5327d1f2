import Graphs
import Instructions
import Tensors

/// What tells one reduction from the next.
package protocol ReduceDefinition: Sendable {
  static var name: String { get }
  static var function: Reduce.Function { get }
}

/// Reduces a tensor over axes: y = f over the elements along `axes`, f as `Definition` says.
///
/// x: any shape, float or integer (bool for `ReduceMax` and `ReduceMin`); y: x's type, the axes 1
/// (`keepdims`, the default) or left out. Axes: attribute, or input 1 (`ReduceSum` from version 13
/// on, the others from 18 on), which must be constant; negative ones count from the end. None: all
/// axes, or with `noop_with_empty_axes` none: then every element is reduced alone, as by ONNX
/// Runtime (|x| for `ReduceL1`, x² for `ReduceSumSquare`). ONNX versions 1 to 20.
package struct ReduceOperator<Definition: ReduceDefinition>: LoweredOperator {
  package static var name: String { Definition.name }

  package var axes: [Int]?
  package var keepsDimensions: Bool
  package var emptyMeansNone: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    axes = try node.ints("axes")
    keepsDimensions = try node.bool("keepdims", default: true)
    emptyMeansNone = try node.bool("noop_with_empty_axes", default: false)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    let ordered = Definition.function == .maximum || Definition.function == .minimum
    guard x.type.isFloat || x.type.isInteger || x.type == .bool && ordered else {
      throw GraphError("x is \(x.type), which \(Definition.name) does not take")
    }
    let axes = try resolvedAxes(inputs)
    let all = x.shape.dimensions.enumerated()
    let dimensions =
      keepsDimensions
      ? all.map { axes.contains($0.offset) ? 1 : $0.element }
      : all.filter { !axes.contains($0.offset) }.map(\.element)
    return [ValueInfo(type: x.type, shape: Shape(dimensions))]
  }

  /// The axes, ascending.
  package func resolvedAxes(_ inputs: [ValueInfo?]) throws(GraphError) -> [Int] {
    let rank = try inputs.required(0, "x").shape.rank
    let given = try inputs.integers(axes, or: 1, "axes") ?? []
    if given.isEmpty { return emptyMeansNone ? [] : Array(0..<rank) }
    return try normalized(axes: given, rank: rank).sorted()
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let infos = [lowering.info(0), lowering.info(1)]
    let axes = try resolvedAxes(infos)
    let shape = try lowering.required(0).shape
    if Definition.function == .mean, keepsDimensions, shape.rank > 2,
      axes.sorted() == Array(2..<shape.rank), try lowering.lowerQuantizedMean(shape)
    {
      return
    }
    let (x, y, positions) = try lowering.reductionOperands(
      over: axes, keepsDimensions: keepsDimensions)
    lowering.emit(Reduce(Definition.function, x, axes: positions, to: y))
  }
}

extension Lowering {
  /// Input 0, output 0 and the axes in input 0's memory order for a reduction.
  ///
  /// A channels-last tensor stays so where the result can be written as it must lie: with all
  /// axes kept (as 1), or with the remaining axes in their declared order.
  func reductionOperands(
    over axes: [Int], keepsDimensions: Bool, type: ElementType? = nil
  ) throws(GraphError) -> (x: Operand, y: Operand, axes: [Int]) {
    let shape = try required(0).shape
    var layout = self.layout(0)
    let order = layout.axes(rank: shape.rank)
    let kept = order.filter { !axes.contains($0) && shape[$0] != 1 }
    if !keepsDimensions && kept != kept.sorted() { layout = .declared }
    let positions = axes.map { layout.position(ofAxis: $0, rank: shape.rank) }.sorted()
    let x = try operand(0, layout)
    if keepsDimensions { return (x, try result(0, layout, type: type), positions) }
    let y = try result(0, type: type)
    // The instruction wants x's remaining axes in memory order; ones may stand elsewhere in y.
    let memory = self[x].shape.dimensions.enumerated()
    let remaining = Shape(memory.filter { !positions.contains($0.offset) }.map(\.element))
    if remaining == self[y].shape { return (x, y, positions) }
    return (x, reshaped(y, remaining), positions)
  }
}

/// The reductions, by their names in ONNX.
extension Elementwise {
  package enum ReduceSum: ReduceDefinition {
    package static let name = "ReduceSum"
    package static let function = Reduce.Function.sum
  }
  package enum ReduceMean: ReduceDefinition {
    package static let name = "ReduceMean"
    package static let function = Reduce.Function.mean
  }
  package enum ReduceMax: ReduceDefinition {
    package static let name = "ReduceMax"
    package static let function = Reduce.Function.maximum
  }
  package enum ReduceMin: ReduceDefinition {
    package static let name = "ReduceMin"
    package static let function = Reduce.Function.minimum
  }
  package enum ReduceProd: ReduceDefinition {
    package static let name = "ReduceProd"
    package static let function = Reduce.Function.product
  }
  package enum ReduceL1: ReduceDefinition {
    package static let name = "ReduceL1"
    package static let function = Reduce.Function.l1
  }
  package enum ReduceL2: ReduceDefinition {
    package static let name = "ReduceL2"
    package static let function = Reduce.Function.l2
  }
  package enum ReduceLogSum: ReduceDefinition {
    package static let name = "ReduceLogSum"
    package static let function = Reduce.Function.logSum
  }
  package enum ReduceLogSumExp: ReduceDefinition {
    package static let name = "ReduceLogSumExp"
    package static let function = Reduce.Function.logSumExp
  }
  package enum ReduceSumSquare: ReduceDefinition {
    package static let name = "ReduceSumSquare"
    package static let function = Reduce.Function.sumSquare
  }
}
