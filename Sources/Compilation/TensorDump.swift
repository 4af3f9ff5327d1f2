import Graphs
import Instructions
import Kernels
import Runtime
import Tensors

/// Looks at the values inside a program: for proofs that name the layer to blame, and for
/// `--all-tensors`.
package struct TensorDump {
  /// A value of the source model with its contents, float32 in source layout (integers as they
  /// are).
  package struct Value: Sendable {
    package var name: String
    package var tensor: TensorBuffer
  }

  private let session: Session
  private let compiled: CompiledProgram

  /// Makes a session in which every tensor keeps its contents.
  package init(_ compiled: CompiledProgram, isas: Set<ISA>) throws(CompileError) {
    self.compiled = compiled
    do throws(RuntimeError) {
      session = try Evaluation.session(
        compiled.lowered.program, constants: compiled.lowered.constants, isas: isas,
        keepingAll: true)
    } catch {
      throw CompileError(.internalError, error.message, place: error.place)
    }
  }

  /// Runs the program; returns the values that exist, in program order, and for each source value
  /// that was fused away the value that absorbed it.
  package func values(
    for inputs: [TensorBuffer]
  ) throws(RuntimeError) -> (kept: [Value], absorbed: [(name: String, into: String)]) {
    _ = try session.run(inputs)
    let sourceNames = Set(compiled.source.values.map(\.name))
    let kept = try TensorDump.values(of: session).filter { sourceNames.contains($0.name) }
    let names = Set(kept.map(\.name))
    var absorbed: [(name: String, into: String)] = []
    let graph = compiled.source
    var users: [Graph.ValueID: Graph.Node] = [:]
    for node in graph.nodes.reversed() {
      for case let input? in node.inputs { users[input] = node }
    }
    for node in graph.nodes {
      for case let output? in node.outputs where !names.contains(graph[output].name) {
        var into = output
        while !names.contains(graph[into].name), let next = users[into]?.outputs.first ?? nil {
          into = next
        }
        absorbed.append((graph[output].name, graph[into].name))
      }
    }
    return (kept, absorbed)
  }

  /// The values of the last run of a session that keeps everything.
  package static func values(of session: Session) throws(RuntimeError) -> [Value] {
    var result: [Value] = []
    var seen: Set<String> = []
    for (index, spec) in session.tensorSpecs.enumerated() {
      if case .constant = spec.storage { continue }
      // Further forms of a value carry its name too; the first is the producer's.
      guard !spec.name.isEmpty, seen.insert(spec.name).inserted,
        spec.shape.elementCount > 0
      else { continue }
      var contents = try session.contents(of: Operand(index))
      if let quantization = spec.quantization {
        contents = contents.dequantized(quantization, layout: spec.layout) ?? contents
      }
      let declared = contents.transposed(TensorDump.inverse(spec.layout, rank: spec.shape.rank))
      let tensor = spec.type.isFloat ? declared.converted(to: .float32) ?? declared : declared
      result.append(Value(name: spec.name, tensor: tensor))
    }
    return result
  }

  private static func inverse(_ layout: Layout, rank: Int) -> [Int] {
    let axes = layout.axes(rank: rank)
    var inverse = Array(0..<rank)
    for (position, axis) in axes.enumerated() { inverse[axis] = position }
    return inverse
  }
}
