import Archives
import Compilation
import Graphs
import Instructions
import Kernels
import Options
import Runtime
import Tensors

/// `apus run --all-tensors`: every value of the source model that still exists in the program, as
/// float32 in source layout. Values that were fused away are listed with the value that absorbed
/// them.
struct AllTensorsRun {
  private let given: Given
  private let files: [String]
  private let isas: Set<ISA>

  init(_ given: Given, _ files: [String], _ isas: Set<ISA>) {
    self.given = given
    self.files = files
    self.isas = isas
  }

  func run(_ graph: Graph?) throws -> ExitCode {
    guard files.count == 1 else { throw UsageError("--all-tensors takes one input file") }
    let sample = try TensorSample(files[0])
    var arrays: [String: TensorBuffer] = [:]
    var names: [String] = []
    if let graph {
      let shapes = InputShapes(try sample.shapes(inputs: graph.inputs.map { graph[$0].name }))
      let precision = try OpenedModel.precision(
        given[SharedOptions.precision], given[RunVerb.model], graph)
      let compiled = try Compiler(precision: precision).compile(graph, shapes: shapes)
      let values = try TensorDump(compiled, isas: isas)
        .values(for: sample.ordered(for: compiled.lowered.program.inputs))
      for item in values.kept {
        names.append(item.name)
        arrays[item.name] = item.tensor
      }
      for item in values.absorbed {
        Console.diagnose("\(item.name): fused into \(item.into)\n")
      }
    } else {
      let opened = try OpenedModel(given[RunVerb.model], precision: given[SharedOptions.precision])
      let index = try opened.model.index(precision: given[SharedOptions.precision]?.rawValue)
      let session = try opened.model.tracingSession(index, isas: isas)
      _ = try session.run(sample.ordered(for: session.inputs))
      for item in try TensorDump.values(of: session) {
        names.append(item.name)
        arrays[item.name] = item.tensor
      }
    }
    for target in given[RunVerb.output] {
      try Archive.write(
        names.compactMap { name in arrays[name].map { NamedTensor(name, $0) } }, to: target)
    }
    if given[RunVerb.output].isEmpty {
      try Console.output(
        names.map { "\($0) \(arrays[$0]?.shape.description ?? "")\n" }.joined())
    }
    return .done
  }
}
