import Graphs
import Tensors

/// The shapes of a model's inputs for one program, as `--shape` gives them.
public struct InputShapes: Sendable, Hashable {
  /// Shapes by input name. Inputs whose shape the model states may be missing.
  public var shapes: [String: Shape]

  public init(_ shapes: [String: Shape] = [:]) { self.shapes = shapes }

  /// Returns the shape of every input of `graph`.
  ///
  /// A given shape must agree with what the model states. Unknown leading dimensions are 1 unless
  /// given; an unknown dimension elsewhere must be given.
  ///
  /// - Throws: `CompileError` with code `shapes`: an unknown input name, a contradiction, or
  ///   missing shapes; the message prints the `--shape` to add.
  package func resolved(for graph: Graph) throws(CompileError) -> [Shape] {
    let names = graph.inputs.map { graph[$0].name }
    for name in shapes.keys.sorted() where !names.contains(name) {
      throw CompileError(
        .shapes, "the model has no input \"\(name)\"; it has \(names.joined(separator: ", "))")
    }
    var result: [Shape] = []
    var open = false
    for id in graph.inputs {
      let value = graph[id]
      if let given = shapes[value.name] {
        try check(given, against: value)
        result.append(given)
      } else if let dimensions = value.dimensions {
        var extents: [Int] = []
        for (axis, dimension) in dimensions.enumerated() {
          switch dimension {
          case .known(let extent): extents.append(extent)
          case .symbol:
            extents.append(1)
            if axis > 0 { open = true }
          }
        }
        result.append(Shape(extents))
      } else {
        open = true
        result.append(Shape([]))
      }
    }
    guard !open else { throw InputShapes.missing(graph) }
    return result
  }

  private func check(_ given: Shape, against value: Graph.Value) throws(CompileError) {
    guard let dimensions = value.dimensions else { return }
    let declared =
      dimensions.isEmpty ? "scalar" : dimensions.map(\.description).joined(separator: "x")
    guard dimensions.count == given.rank else {
      throw CompileError(
        .shapes,
        "--shape \(value.name)=\(given) has rank \(given.rank), "
          + "but the model declares \(declared) (rank \(dimensions.count))")
    }
    for (axis, dimension) in dimensions.enumerated() {
      if case .known(let extent) = dimension, extent != given[axis] {
        throw CompileError(
          .shapes,
          "--shape \(value.name)=\(given) contradicts the model, "
            + "which declares \(declared): axis \(axis) is \(extent)")
      }
    }
  }

  private static func missing(_ graph: Graph) -> CompileError {
    let suggestion = graph.inputs.map { id in
      let value = graph[id]
      let text = (value.dimensions ?? []).enumerated().map { axis, dimension in
        switch dimension {
        case .known(let extent): "\(extent)"
        case .symbol(let name): axis == 0 ? "1" : (name.isEmpty ? "?" : name)
        }
      }.joined(separator: "x")
      return "\(value.name)=\(text.isEmpty ? "?" : text)"
    }.joined(separator: ",")
    return CompileError(
      .shapes,
      "the model leaves dimensions open that must be fixed; "
        + "add --shape \(suggestion) with numbers in place of names and ?")
  }
}
