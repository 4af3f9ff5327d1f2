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
  /// Whether time ended the search before everything was tried.
  package private(set) var endedEarly = false

  private let deadline: ContinuousClock.Instant?
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
  private static let searchBudget = 600_000_000_000
  /// The samples that single ranges are judged by, how much each has to bring, and from where on
  /// nothing is looked for.
  private static let rangeSampleCount = 4
  private static let leastGain = 0.05
  private static let enoughDecibels = 38.0
  /// The layers that may stay float beside the first ones.
  private static let mostFloatLayers = 6
  /// More products than this before a logarithm are not a feature extraction, but the network.
  private static let mostFeatureLayers = 8

  /// Tries what there is to try.
  ///
  /// - Parameters:
  ///   - float: the float program.
  ///   - calibrator: that of the float program, which observed the calibration.
  ///   - samples: in the order of the program's inputs; a few suffice.
  ///   - budget: how long to try; when it is over, the best so far is taken. One way is always
  ///     tried.
  /// - Throws: `CompileError` where a program cannot be compiled or run.
  package init(
    _ float: CompiledProgram, _ calibrator: Calibrator, calibration: Calibration,
    isSymmetric: Bool = false, samples: [[TensorBuffer]], budget: Duration? = nil
  ) throws(CompileError) {
    deadline = budget.map { ContinuousClock.now + $0 }
    graph = float.origin
    shapes = float.shapes
    self.samples = samples
    references = try MethodChoice.outputs(float, samples)
    options = QuantizationOptions(
      ranges: calibration.ranges(method: .minmax, symmetric: isSymmetric),
      isSymmetric: isSymmetric)
    let means = try ChannelMeans(calibrator, samples: samples)
    try chooseWay(calibration, means)
    try refineRanges(calibration, float)
    try keepFloat(float)
  }

  /// Says whether there is time for another program; notes where there is none.
  private mutating func hasTime() -> Bool {
    guard let deadline, ContinuousClock.now >= deadline else { return true }
    endedEarly = true
    return false
  }

  // MARK: The whole network

  /// What is chosen for the whole network.
  private struct Way: Hashable, CustomStringConvertible {
    var method = RangeMethod.minmax
    var equalization: Float?
    var isCorrected = false

    var description: String {
      method.rawValue + (isCorrected ? ", corrected biases" : "")
        + (equalization.map { ", equalization \($0 == 0.5 ? "0.5" : String(Int($0)))" } ?? "")
    }

    /// The ways that differ in one choice.
    var neighbours: [Way] {
      var others = [self]
      others[0].isCorrected.toggle()
      for equalization: Float? in [nil, 0, 0.5, 1] {
        others.append(self)
        others[others.count - 1].equalization = equalization
      }
      for method in RangeMethod.allCases {
        others.append(self)
        others[others.count - 1].method = method
      }
      return others
    }

    func options(
      _ calibration: Calibration, _ means: ChannelMeans, isSymmetric: Bool
    ) -> QuantizationOptions {
      var options = QuantizationOptions(
        ranges: calibration.ranges(method: method, symmetric: isSymmetric),
        isSymmetric: isSymmetric, equalization: equalization)
      options.ranges.method = "auto: \(method.rawValue)"
      options.means = isCorrected ? means : nil
      return options
    }
  }

  /// Finds the way that comes nearest to the float program. The three choices depend on each other:
  /// each is tried anew until none brings more.
  private mutating func chooseWay(
    _ calibration: Calibration, _ means: ChannelMeans
  ) throws(CompileError) {
    var (best, settled): (Way, Way?) = (Way(), nil)
    var known: Set<Way> = []
    var open = RangeMethod.allCases.map { Way(method: $0) }
    while settled != best {
      settled = known.isEmpty ? nil : best
      for way in open where known.insert(way).inserted {
        guard trials.isEmpty || hasTime() else { return }
        let trial = way.options(calibration, means, isSymmetric: options.isSymmetric)
        if try attempt(trial, way.description) { best = way }
      }
      open = best.neighbours
    }
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

  // MARK: Ranges of single values

  /// Gives single values the range that another method found for them, where that helps.
  ///
  /// Every try means a program: not for large networks.
  private mutating func refineRanges(
    _ calibration: Calibration, _ float: CompiledProgram
  ) throws(CompileError) {
    let tables = RangeMethod.allCases.map {
      calibration.ranges(method: $0, symmetric: options.isSymmetric)
    }
    let read = Set(
      float.optimised.nodes.flatMap(\.inputs).compactMap { $0.map { float.optimised[$0].name } })
    var tries: [(name: String, range: ValueRange)] = []
    for name in options.ranges.values.keys.sorted() where read.contains(name) {
      guard let own = options.ranges.values[name] else { continue }
      var seen = [own]
      for range in tables.compactMap({ $0.values[name] })
      where !seen.contains(where: { MethodChoice.areAlike($0, range) }) {
        seen.append(range)
        tries.append((name, range))
      }
    }
    let few = Array(samples.prefix(MethodChoice.rangeSampleCount))
    let total = OperationCount.of(float.optimised)
    guard tries.count * few.count <= MethodChoice.searchBudget / max(total, 1) else { return }
    guard hasTime() else { return }
    var best = options
    var reached = try measure(best, few)
    guard reached < MethodChoice.enoughDecibels else { return }
    for (name, range) in tries {
      guard hasTime() else { break }
      var trial = best
      trial.ranges.values[name] = range
      let decibels = try measure(trial, few)
      guard decibels > reached + MethodChoice.leastGain else { continue }
      (best, reached) = (trial, decibels)
    }
    best.ranges.method += ", single ranges of other methods"
    try attempt(best, "single ranges of other methods")
  }

  /// Says whether two ranges differ by less than what an 8-bit number can tell.
  private static func areAlike(_ a: ValueRange, _ b: ValueRange) -> Bool {
    let width = max(a.high, b.high) - min(a.low, b.low)
    return abs(a.low - b.low) + abs(a.high - b.high) < width / 64
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
    if decibels < wanted, !features.isEmpty, features.count <= MethodChoice.mostFeatureLayers,
      hasTime()
    {
      var trial = options
      trial.floatNodes = Set(features)
      try attempt(trial, "what feeds logarithms in float")
    }
    for count in [1, 2, 4, 8] where decibels < wanted && count < nodes.count {
      let first = nodes.prefix(count)
      guard isCheap(first.reduce(0) { $0 + OperationCount.of($1, in: float.optimised) }), hasTime()
      else { break }
      var trial = options
      trial.floatNodes.formUnion(first.map(\.name))
      try attempt(trial, count == 1 ? "the first layer in float" : "\(count) layers in float")
    }
    // Every layer alone means a program for each: not for the largest networks.
    let few = Array(samples.prefix(MethodChoice.searchSampleCount))
    guard decibels < wanted, nodes.count * few.count <= MethodChoice.searchBudget / max(total, 1),
      hasTime()
    else { return }
    let start = try measure(options, few)
    var gains: [(name: String, decibels: Double, operations: Int)] = []
    for node in nodes where !options.floatNodes.contains(node.name) {
      let operations = OperationCount.of(node, in: float.optimised)
      guard isCheap(operations) else { continue }
      guard hasTime() else { break }
      var trial = options
      trial.floatNodes.insert(node.name)
      let reached = try measure(trial, few)
      if reached > start + 0.2 { gains.append((node.name, reached, operations)) }
    }
    gains.sort { $0.decibels > $1.decibels }
    var spent = 0
    for gain in gains.prefix(MethodChoice.mostFloatLayers) {
      guard decibels < wanted, isCheap(spent + gain.operations), hasTime() else { break }
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
