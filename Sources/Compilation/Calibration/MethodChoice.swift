import Accuracy
import Graphs
import Operators
import Runtime
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// What `auto` decides: int8 programs run on a few samples, and what brings their outputs nearest
/// to the float program's is taken.
///
/// First every method of choosing ranges; then, with the best, whether biases are corrected and how
/// far scales follow single channels; then, where the outputs are still far off, which layers stay
/// float.
package struct MethodChoice: Sendable {
  /// What one attempt reached.
  package struct Trial: Sendable {
    /// What was tried, e.g. `kl` or `equalization 1`.
    package let name: String
    /// The signal-to-noise ratio of the outputs, in dB, averaged over outputs; what is above 40 dB
    /// counts as 40, so that an output without noise does not hide another.
    package let decibels: Double
  }

  /// The best way that was found.
  package private(set) var options: QuantizationOptions
  /// In the order in which they were tried.
  package private(set) var trials: [Trial] = []

  private let graph: Graph
  private let shapes: InputShapes
  private let samples: [[TensorBuffer]]
  private let references: [[TensorBuffer]]
  private var decibels = -Double.infinity

  /// Below it layers are looked for that had better stay float: where float costs time, and where
  /// it costs none.
  private static let wantedDecibels = (large: 15.0, small: 28.0)
  /// Layers with more operations than this share of the network stay in 8 bits.
  private static let floatShare = 0.1
  /// Networks of fewer operations take no time in float either.
  private static let smallOperationCount = 20_000_000
  /// The samples that single layers are judged by, and the operations that this may take.
  private static let searchSampleCount = 2
  private static let searchBudget = 300_000_000_000
  /// The layers that may stay float beside the first ones.
  private static let mostFloatLayers = 6
  /// More products than this before a logarithm are not a feature extraction, but the network.
  private static let mostFeatureLayers = 8

  /// Tries what there is to try.
  ///
  /// - Parameters:
  ///   - graph: as imported.
  ///   - samples: inputs in the order of the graph's; a few suffice.
  /// - Throws: `CompileError` where a program cannot be compiled or run.
  package init(
    _ graph: Graph, shapes: InputShapes, calibration: Calibration, isSymmetric: Bool = false,
    samples: [[TensorBuffer]]
  ) throws(CompileError) {
    self.graph = graph
    self.shapes = shapes
    self.samples = samples
    let float = try Compiler().compile(graph, shapes: shapes)
    references = try MethodChoice.outputs(float, samples)
    options = QuantizationOptions(
      ranges: calibration.ranges(method: .minmax, symmetric: isSymmetric),
      isSymmetric: isSymmetric)
    for method in RangeMethod.allCases {
      var trial = options
      trial.ranges = calibration.ranges(method: method, symmetric: isSymmetric)
      trial.ranges.method = "auto: \(method.rawValue)"
      try attempt(trial, method.rawValue)
    }
    let calibrator = try Calibrator(float)
    var corrected = options
    corrected.means = try ChannelMeans(calibrator, samples: samples)
    try attempt(corrected, "bias correction")
    for equalization: Float in [0, 1] {
      var trial = options
      trial.equalization = equalization
      try attempt(trial, "equalization \(Int(equalization))")
    }
    try keepFloat(float)
  }

  /// Takes the options if they are better than the best so far; says whether they are.
  @discardableResult
  private mutating func attempt(
    _ trial: QuantizationOptions, _ name: String
  ) throws(CompileError) -> Bool {
    let reached = try measure(trial, samples)
    trials.append(Trial(name: name, decibels: reached))
    // A tie, as where nothing was quantised, goes to the first.
    guard reached > decibels else { return false }
    options = trial
    decibels = reached
    return true
  }

  /// The decibels of a program on the first of the samples, or all.
  private func measure(
    _ trial: QuantizationOptions, _ some: [[TensorBuffer]]
  ) throws(CompileError) -> Double {
    let compiler = Compiler(precision: .int8, quantization: trial)
    let outputs = try MethodChoice.outputs(compiler.compile(graph, shapes: shapes), some)
    return MethodChoice.decibels(outputs, Array(references.prefix(some.count)))
  }

  // MARK: Layers that stay float

  /// Finds the layers whose return to float helps most, and keeps the best few of them float.
  private mutating func keepFloat(_ float: CompiledProgram) throws(CompileError) {
    let nodes = float.optimised.nodes.filter {
      QuantizationAssignment.multiplies($0, in: float.optimised)
    }
    let total = OperationCount.of(float.optimised)
    let isSmall = total <= MethodChoice.smallOperationCount
    let wanted =
      isSmall ? MethodChoice.wantedDecibels.small : MethodChoice.wantedDecibels.large
    func isCheap(_ operations: Int) -> Bool {
      isSmall || Double(operations) <= MethodChoice.floatShare * Double(total)
    }
    // What turns raw signals into features at the start needs more than 8 bits.
    let features = MethodChoice.productsBeforeLogarithms(float.optimised, nodes)
    if decibels < wanted, !features.isEmpty, features.count <= MethodChoice.mostFeatureLayers {
      var trial = options
      trial.floatNodes = Set(features)
      try attempt(trial, "what feeds logarithms in float")
    }
    for count in [1, 2, 4, 8] where decibels < wanted && count < nodes.count {
      let first = nodes.prefix(count)
      guard isCheap(first.reduce(0) { $0 + OperationCount.of($1, in: float.optimised) }) else {
        break
      }
      var trial = options
      trial.floatNodes.formUnion(first.map(\.name))
      try attempt(trial, count == 1 ? "the first layer in float" : "\(count) layers in float")
    }
    // Every layer alone means a program for each: not for the largest networks.
    let few = Array(samples.prefix(MethodChoice.searchSampleCount))
    guard decibels < wanted, nodes.count * few.count <= MethodChoice.searchBudget / max(total, 1)
    else { return }
    let start = try measure(options, few)
    var gains: [(name: String, decibels: Double, operations: Int)] = []
    for node in nodes where !options.floatNodes.contains(node.name) {
      let operations = OperationCount.of(node, in: float.optimised)
      guard isCheap(operations) else { continue }
      var trial = options
      trial.floatNodes.insert(node.name)
      let reached = try measure(trial, few)
      if reached > start + 0.2 { gains.append((node.name, reached, operations)) }
    }
    gains.sort { $0.decibels > $1.decibels }
    var spent = 0
    for gain in gains.prefix(MethodChoice.mostFloatLayers) {
      guard decibels < wanted, isCheap(spent + gain.operations) else { break }
      var trial = options
      trial.floatNodes.insert(gain.name)
      if try attempt(trial, "\(gain.name) in float") { spent += gain.operations }
    }
  }

  /// The names of the products that a logarithm depends on: an error that is small beside the
  /// largest of its operands is not small beside the others.
  private static func productsBeforeLogarithms(
    _ graph: Graph, _ products: [Graph.Node]
  ) -> [String] {
    var wanted: Set<Graph.ValueID> = []
    let names = Set(products.map(\.name))
    var found: [String] = []
    for node in graph.nodes.reversed() {
      let isWanted = node.outputs.contains { $0.map { wanted.contains($0) } ?? false }
      guard isWanted || type(of: node.op).name == "Log" else { continue }
      wanted.formUnion(node.inputs.compactMap { $0 })
      if names.contains(node.name) { found.append(node.name) }
    }
    return found
  }

  // MARK: Measuring

  /// The outputs of a program, by sample.
  private static func outputs(
    _ compiled: CompiledProgram, _ samples: [[TensorBuffer]]
  ) throws(CompileError) -> [[TensorBuffer]] {
    do throws(RuntimeError) {
      let session = try Evaluation.session(
        compiled.lowered.program, constants: compiled.lowered.constants, threads: nil)
      var results: [[TensorBuffer]] = []
      for sample in samples { results.append(try session.run(sample)) }
      return results
    } catch {
      throw CompileError(.invalidData, error.message, place: error.place)
    }
  }

  /// 10 · log10(Σ r² / Σ (r − t)²) over all samples, at most 40 dB, averaged over the outputs; of
  /// integers, 40 dB times the share of equal elements.
  private static func decibels(
    _ targets: [[TensorBuffer]], _ references: [[TensorBuffer]]
  ) -> Double {
    guard let count = references.first?.count, count > 0 else { return 0 }
    var sum = 0.0
    for output in 0..<count {
      var (signal, noise, equal, elements) = (0.0, 0.0, 0, 0)
      for (target, reference) in zip(targets, references) {
        guard reference[output].type.isFloat, let r = reference[output].floats(),
          let t = target[output].floats()
        else {
          let (r, t) = (reference[output].integers() ?? [], target[output].integers() ?? [])
          equal += zip(r, t).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }
          elements += r.count
          continue
        }
        for (x, y) in zip(r, t) {
          signal += Double(x) * Double(x)
          noise += (Double(x) - Double(y)) * (Double(x) - Double(y))
        }
      }
      if elements > 0 {
        sum += 40 * Double(equal) / Double(elements)
      } else {
        // An output of zeros or NaN says nothing.
        let ratio = signal / max(noise, signal * 1e-4)
        sum += ratio.isFinite && ratio > 0 ? 10 * log10(ratio) : 0
      }
    }
    return sum / Double(count)
  }
}
