import Graphs
import Instructions
import Tensors

/// The members of the softmax family.
package enum SoftmaxKind: Sendable {
  case softmax
  case logSoftmax
  case hardmax
}

/// What tells the members of the softmax family apart.
package protocol SoftmaxDefinition: Sendable {
  static var name: String { get }
  static var kind: SoftmaxKind { get }
}

/// Normalises lines to shares of one (`Softmax`), to their logarithms (`LogSoftmax`), or marks
/// their first maximum (`Hardmax`).
///
/// x, y: any shape of rank 1 or more, float. Attribute `axis`. From version 13 on a line runs along
/// that axis (default -1); before, along that axis and all after it together (default 1). ONNX
/// versions 1 to 13.
package struct SoftmaxOperator<Definition: SoftmaxDefinition>: LoweredOperator {
  package static var name: String { Definition.name }

  package var axis: Int
  /// Lines include all later axes, as before version 13.
  package var spansLaterAxes: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    spansLaterAxes = node.version < 13
    axis = try node.int("axis", default: spansLaterAxes ? 1 : -1)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "x")
    guard x.type.isFloat else {
      throw GraphError("x is \(x.type), which \(Definition.name) does not take")
    }
    _ = try place(rank: x.shape.rank)
    return [ValueInfo(type: x.type, shape: x.shape)]
  }

  /// The axis, not negative. Before version 13 it may be the rank: lines of one element.
  private func place(rank: Int) throws(GraphError) -> Int {
    if spansLaterAxes && axis == rank { return rank }
    return try normalized(axis: axis, rank: rank)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let shape = try lowering.required(0).shape
    let place = try place(rank: shape.rank)
    var layout = lowering.layout(0)
    var count = 1
    if spansLaterAxes
      && (place == shape.rank || shape.dimensions[(place + 1)...].contains { $0 != 1 })
    {
      count = shape.rank - place
      layout = .declared
    }
    let x = try lowering.operand(0, layout)
    // Shares of adjacent elements become bytes where only products read them.
    let isRow = layout == .declared && place + count >= shape.rank
    let y =
      isRow && Definition.kind == .softmax && lowering[x].type != .float64
      ? try lowering.productFactor(0) : try lowering.result(0, layout)
    let position = count == 1 ? layout.position(ofAxis: place, rank: shape.rank) : place
    if Definition.kind == .hardmax {
      var instruction = Hardmax(x, axis: position, to: y)
      instruction.axisCount = count
      lowering.emit(instruction)
    } else {
      var instruction = Softmax(
        x, axis: position, isLogarithmic: Definition.kind == .logSoftmax, to: y)
      instruction.axisCount = count
      lowering.emit(instruction)
    }
  }
}

extension Elementwise {
  package enum Softmax: SoftmaxDefinition {
    package static let name = "Softmax"
    package static let kind = SoftmaxKind.softmax
  }
  package enum LogSoftmax: SoftmaxDefinition {
    package static let name = "LogSoftmax"
    package static let kind = SoftmaxKind.logSoftmax
  }
  package enum Hardmax: SoftmaxDefinition {
    package static let name = "Hardmax"
    package static let kind = SoftmaxKind.hardmax
  }
}
