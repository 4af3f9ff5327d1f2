import Archives
import Compilation
import Graphs
import Kernels
import Operators
import Options
import Runtime
import Staging
import Tensors
import Texts

/// A model that runs in stages, on the tensors of files.
///
/// In a file, element i of the sequence NAME is the array `NAME[i]`; an optional that is left out
/// holds nothing.
struct StagedTensors {
  private let model: StagedModel
  private let session: StagedSession

  init(_ graph: Graph, compiler: Compiler, threads: Int?, isas: Set<ISA>) {
    model = StagedModel(graph, compiler: compiler)
    session = model.session(options: Session.Options(threads: threads, isas: isas))
  }

  /// Runs the model on one file; nil for a model without inputs.
  func run(_ sample: TensorSample?) throws -> [StagedValue] {
    guard let sample else { return try session.run([StagedValue?]()) }
    do throws(StagingError) {
      return try session.run(try inputs(sample))
    } catch {
      guard error.code == .wrongInput else { throw error }
      throw VerbError(.badInput, "\(sample.path): \(error.description)")
    }
  }

  /// What the last run consisted of, in a sentence.
  var summary: String {
    let report = session.report
    var text =
      "ran in \(report.stages) stage\(report.stages == 1 ? "" : "s"), "
      + "\(report.compiled) of them compiled"
    if report.iterations > 0 { text += ", \(report.iterations) times round loops" }
    return text
  }

  private func inputs(_ sample: TensorSample) throws(StagingError) -> [StagedValue?] {
    var left = Dictionary(
      sample.tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
    if sample.tensors.count == 1, model.inputs.count == 1, sample.tensors[0].name.isEmpty {
      left = [model.inputs[0].name: sample.tensors[0].tensor]
    }
    var values: [StagedValue?] = []
    for port in model.inputs {
      if let tensor = left.removeValue(forKey: port.name) {
        values.append(.tensor(tensor))
        continue
      }
      var elements: [TensorBuffer] = []
      while let next = left.removeValue(forKey: "\(port.name)[\(elements.count)]") {
        elements.append(next)
      }
      let isSequence = port.kind == .sequence || port.kind == .optional && !elements.isEmpty
      values.append(isSequence ? .sequence(elements) : nil)
    }
    guard let unknown = left.keys.min() else { return values }
    let names = model.inputs.map(\.name)
    throw StagingError(
      .wrongInput,
      "the model has no input \"\(unknown)\"; it has "
        + names.map { "\"\($0)\"" }.joined(separator: ", ") + "."
        + Suggestion.question(unknown, in: names))
  }

  /// The outputs of all samples as arrays: tensors along their leading dimension, of sequences one
  /// array per element.
  func arrays(_ results: [[StagedValue]]) throws -> [NamedTensor] {
    var arrays: [NamedTensor] = []
    for (place, port) in model.outputs.enumerated() {
      let values = results.map { $0[place] }
      let tensors = values.compactMap(\.tensor)
      if tensors.count == values.count {
        arrays.append(NamedTensor(port.name, try TensorRun.joined(tensors)))
        continue
      }
      guard values.count == 1 else {
        throw VerbError(
          .badInput,
          "output \"\(port.name)\" is \(port.kind); several samples of it cannot be written into "
            + "one file: run them one after the other")
      }
      arrays += StagedTensors.arrays(port.name, values[0])
    }
    return arrays
  }

  private static func arrays(_ name: String, _ value: StagedValue) -> [NamedTensor] {
    switch value {
    case .tensor(let tensor): [NamedTensor(name, tensor)]
    case .sequence(let tensors):
      tensors.enumerated().map { NamedTensor("\(name)[\($0.offset)]", $0.element) }
    case .optional(let value): value.map { arrays(name, $0) } ?? []
    }
  }
}
