import Accuracy
import Graphs
import Instructions
import Kernels
import Operators
import Runtime
import Tensors

/// Looks at a compiled program beside its float program, for `CompilationReport`.
public struct ReportBuilder {
  private let compiled: CompiledProgram
  /// The opcodes that each node became.
  private let opcodes: [String: Set<String>]

  public init(_ compiled: CompiledProgram) {
    self.compiled = compiled
    var opcodes: [String: Set<String>] = [:]
    let program = compiled.lowered.program
    for (instruction, origin) in zip(program.instructions, program.origins) {
      opcodes[origin, default: []].insert(instruction.opcode)
    }
    self.opcodes = opcodes
  }

  // MARK: Layers

  /// Every node that computes something, with the similarity of its result on a sample.
  ///
  /// - Parameter sample: in the order of the program's inputs; nil: without similarities.
  /// - Throws: `CompileError` where the float program cannot be compiled, or one cannot run on it.
  public func layers(_ sample: [TensorBuffer]?) throws(CompileError) -> [CompilationReport.Layer] {
    var similarities: [String: Similarity] = [:]
    if let sample {
      let float =
        compiled.precision == .fp32
        ? compiled : try Compiler().compile(compiled.origin, shapes: compiled.shapes)
      let (target, reference) = (try values(compiled, sample), try values(float, sample))
      let comparison: Comparison
      do throws(AccuracyError) {
        comparison = try Comparison(target: target, reference: reference)
      } catch {
        throw CompileError(.invalidData, error.message)
      }
      for tensor in comparison.tensors { similarities[tensor.name] = tensor.similarity }
    }
    let graph = compiled.optimised
    var layers: [CompilationReport.Layer] = []
    for node in graph.nodes where !(opcodes[node.name] ?? []).isEmpty {
      guard let output = node.outputs.first ?? nil else { continue }
      let value = graph[output]
      let similarity = similarities[value.name]
      let isStored = storedNames.contains(value.name)
      layers.append(
        CompilationReport.Layer(
          name: node.name, operatorName: type(of: node.op).name, precision: precision(of: node),
          cosine: similarity?.cosine, sqnr: similarity?.sqnr,
          scales: isStored ? (value.quantization?.scales ?? []).map { Double($0) } : [],
          zeroPoints: isStored ? (value.quantization?.zeroPoints ?? []).map { Int($0) } : []))
    }
    return layers
  }

  private func values(
    _ program: CompiledProgram, _ sample: [TensorBuffer]
  ) throws(CompileError) -> [(name: String, tensor: TensorBuffer)] {
    let dump = try TensorDump(program, isas: ISA.host)
    do throws(RuntimeError) {
      return try dump.values(for: sample).kept.map { ($0.name, $0.tensor) }
    } catch {
      throw CompileError(.invalidData, error.message, place: error.place)
    }
  }

  /// The values that the program keeps in 8 bits.
  private var storedNames: Set<String> {
    Set(compiled.lowered.program.tensors.lazy.filter { $0.quantization != nil }.map(\.name))
  }

  /// What a node computes in.
  private func precision(of node: Graph.Node) -> String {
    let own = opcodes[node.name] ?? []
    if own.contains(where: { ReportBuilder.isQuantized($0) }) { return "int8" }
    guard compiled.precision == .int8 else { return compiled.precision.rawValue }
    // Instructions that move bytes say nothing of their type; the value does.
    let moves = node.op is any MovesElements
    let name = node.outputs.first.flatMap { $0 }.map { compiled.optimised[$0].name }
    return moves && name.map { storedNames.contains($0) } ?? false ? "int8" : "fp32"
  }

  private static func isQuantized(_ opcode: String) -> Bool {
    opcode.hasSuffix("_int8") || opcode == "look_up"
  }

  // MARK: What stayed float

  /// Why nodes of an int8 program compute in float32, a sentence per reason.
  public var notes: [CompilationReport.Note] {
    guard compiled.precision == .int8 else { return [] }
    let graph = compiled.optimised
    var leads: Set<Graph.ValueID> = []
    for node in graph.nodes.reversed() {
      let isProduct =
        precision(of: node) == "int8" && QuantizationAssignment.multiplies(node, in: graph)
      let reaches = node.outputs.contains { $0.map { leads.contains($0) } ?? false }
      if isProduct || reaches { leads.formUnion(node.inputs.compactMap { $0 }) }
    }
    var groups: [String: [String]] = [:]
    var order: [String] = []
    for node in graph.nodes where !(opcodes[node.name] ?? []).isEmpty {
      guard precision(of: node) == "fp32", !(node.op is any MovesElements) else { continue }
      let isLast = !node.outputs.contains { $0.map { leads.contains($0) } ?? false }
      let reason = ReportBuilder.reason(node, isLast: isLast)
      if groups[reason] == nil { order.append(reason) }
      groups[reason, default: []].append(node.name)
    }
    return order.map { reason in
      let names = groups[reason] ?? []
      let shown = names.prefix(4).joined(separator: ", ")
      let more = names.count > 4 ? " and \(names.count - 4) more" : ""
      return CompilationReport.Note(subject: shown + more, text: reason)
    }
  }

  private static func reason(_ node: Graph.Node, isLast: Bool) -> String {
    let name = type(of: node.op).name
    switch name {
    case "LSTM", "GRU", "RNN":
      return "float32: the errors of 8-bit states would add up from step to step"
    case "Conv", "ConvTranspose", "MatMul", "Gemm", "Einsum":
      return "float32: this form of product has no 8-bit instruction, or its operands have no range"
    default:
      if isLast {
        return "float32: it follows the last multiplication, where coordinates and probabilities "
          + "need more than 256 steps"
      }
      return "float32 between 8-bit layers: it has no 8-bit form, or its error would be that of "
        + "whole channels"
    }
  }

  // MARK: Calibration

  /// The distributions of the values that are kept in 8 bits, with the ranges they were given.
  package func histograms(
    _ calibration: Calibration, ranges: Ranges, layers: [CompilationReport.Layer]
  ) -> [CompilationReport.Histogram] {
    let byNode = Dictionary(
      layers.map { ($0.name, $0.sqnr) }, uniquingKeysWith: { first, _ in first })
    var noise: [String: Double?] = [:]
    for node in compiled.optimised.nodes {
      guard let output = node.outputs.first ?? nil, let sqnr = byNode[node.name] else { continue }
      noise[compiled.optimised[output].name] = sqnr
    }
    let stored = storedNames
    return calibration.values.compactMap { value in
      let histogram = value.statistics.histogram
      guard stored.contains(value.name), !histogram.isEmpty, histogram.low < histogram.high,
        let range = ranges.values[value.name]
      else { return nil }
      let (first, last) = histogram.occupiedBins
      let edge = { (bin: Int) in Double(bin - RangeHistogram.sideCount) * histogram.binWidth }
      return CompilationReport.Histogram(
        name: value.name, bounds: edge(first)...edge(last + 1),
        counts: histogram.counts[first...last].map { Int(clamping: $0) },
        thresholds: Double(min(range.low, 0))...Double(max(range.high, 0)),
        sqnr: noise[value.name] ?? nil)
    }
  }
}

extension RangeHistogram {
  /// The first and the last bin with elements.
  fileprivate var occupiedBins: (first: Int, last: Int) {
    let first = counts.firstIndex { $0 > 0 } ?? 0
    return (first, counts.lastIndex { $0 > 0 } ?? first)
  }
}
