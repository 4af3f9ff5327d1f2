import Graphs
import Kernels
import Operators
import Runtime
import Tensors

/// Keeps bf16 programs honest: a few networks magnify rounding errors from layer to layer until the
/// output has little to do with the float program's.
///
/// One seeded random sample runs through the float program and the bf16 program. Where an output's
/// cosine falls below the limit, the first quarter, half, three quarters and at last all of the
/// network keep float32: errors that enter early are the ones that grow.
struct PrecisionGuard {
  /// The least cosine between an output of the bf16 program and that of the float program.
  static let limit = 0.995
  /// Programs with more operations are not tried: the guard must not cost minutes.
  private static let operationLimit = 200_000_000_000

  /// Returns the storage of the values of a bf16 program.
  static func storage(for graph: Graph) -> StorageAssignment {
    let plain = StorageAssignment(graph)
    guard !plain.bfloat16.isEmpty, OperationCount.of(graph) <= operationLimit,
      let reference = outputs(graph, StorageAssignment(graph, floatNodes: graph.nodes.count))
    else { return plain }
    for quarter in 0..<4 {
      let trial = StorageAssignment(graph, floatNodes: graph.nodes.count * quarter / 4)
      guard let outputs = outputs(graph, trial) else { return plain }
      if zip(outputs, reference).allSatisfy({ isClose($0, $1) }) { return trial }
    }
    return StorageAssignment(graph, floatNodes: graph.nodes.count)
  }

  /// The float outputs of a run on the random sample; nil where it cannot run or is not finite,
  /// which random inputs may cause and which says nothing about precision.
  private static func outputs(_ graph: Graph, _ storage: StorageAssignment) -> [[Float]]? {
    do {
      let lowered = try Lowering.lower(graph) { storage.storage(of: $0) }
      var random = RandomInputs()
      let results = try Evaluation.run(
        ViewElimination.apply(to: lowered.program), constants: lowered.constants,
        inputs: random.tensors(for: lowered.program.inputs), isas: ISA.host)
      let floats = results.filter(\.type.isFloat).compactMap { $0.floats() }
      return floats.allSatisfy { $0.allSatisfy(\.isFinite) } ? floats : nil
    } catch {
      return nil
    }
  }

  private static func isClose(_ a: [Float], _ b: [Float]) -> Bool {
    var (dot, aa, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      dot += Double(x) * Double(y)
      aa += Double(x) * Double(x)
      bb += Double(y) * Double(y)
    }
    return aa == bb || dot >= limit * (aa * bb).squareRoot()
  }
}
