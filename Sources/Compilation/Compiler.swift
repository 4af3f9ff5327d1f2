import Graphs
import Instructions
import Kernels
import Operators
import Planner
import Runtime
import Tensors

/// In what precision a program computes.
public enum Precision: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// float32 throughout.
  case fp32
  /// bfloat16 operands of convolutions and matrix products, float32 sums; see `StorageAssignment`.
  case bf16
  /// 8-bit operands of convolutions and matrix products, integer sums, the same bits everywhere;
  /// see `QuantizationAssignment`.
  case int8

  public var description: String { rawValue }
}

/// A program as compiled, with what it was made from.
public struct CompiledProgram: Sendable {
  public let precision: Precision
  /// The shapes of the inputs, by name.
  public let shapes: InputShapes
  /// The program without a memory plan, and its constants.
  package let lowered: LoweredProgram
  /// The graph as imported.
  package let origin: Graph
  /// The specialised graph before passes: what the source says, at these shapes.
  package let source: Graph
  /// The graph after passes: what was lowered.
  package let optimised: Graph
}

/// Turns graphs into programs.
public struct Compiler: Sendable {
  public var precision: Precision
  /// What int8 programs of float models are made from.
  public var quantization: QuantizationOptions?
  /// Says whether passes may fuse nodes; without them every source value exists.
  public var fuses: Bool

  public init(
    precision: Precision = .fp32, quantization: QuantizationOptions? = nil, fuses: Bool = true
  ) {
    self.precision = precision
    self.quantization = quantization
    self.fuses = fuses
  }

  /// Compiles for one set of input shapes.
  ///
  /// A model that brings its own quantisation becomes an int8 program with its own scales at every
  /// precision but fp32, which executes its QuantizeLinear and DequantizeLinear nodes literally.
  ///
  /// - Throws: `CompileError`: shapes missing or contradictory, a node that makes no sense or that
  ///   cannot be lowered.
  public func compile(
    _ graph: Graph, shapes: InputShapes = InputShapes()
  ) throws(CompileError) -> CompiledProgram {
    try lower(try Compiler.specialise(graph, shapes: shapes), origin: graph)
  }

  /// Compiles a specialised graph.
  func lower(_ source: Graph, origin: Graph) throws(CompileError) -> CompiledProgram {
    let isOwn = source.isQuantized && precision != .fp32
    let precision = isOwn ? .int8 : precision
    let optimised = try optimise(source, isOwn: isOwn)
    let assignment = precision == .bf16 ? PrecisionGuard.storage(for: optimised) : nil
    var lowered: LoweredProgram
    do throws(GraphError) {
      lowered = try Lowering.lower(optimised) { id in assignment?.storage(of: id) ?? .float32 }
    } catch {
      throw CompileError(error, in: optimised)
    }
    lowered.program = ViewElimination.apply(to: lowered.program)
    lowered.program.isExact = precision == .int8
    lowered.constants.merge(lowered.program.searchCurves()) { known, _ in known }
    let named = Dictionary(
      source.inputs.map { id in (source[id].name, source[id].shape ?? Shape([])) },
      uniquingKeysWith: { first, _ in first })
    return CompiledProgram(
      precision: precision, shapes: InputShapes(named), lowered: lowered, origin: origin,
      source: source, optimised: optimised)
  }

  /// The graph as it is lowered: after passes, with quantisations for int8.
  private func optimise(_ source: Graph, isOwn: Bool) throws(CompileError) -> Graph {
    var graph = source
    if isOwn {
      var rewriter = Rewriter(graph)
      try QuantizationImport().run(on: &rewriter)
      graph = rewriter.finish()
      graph.hasOwnQuantization = true
    }
    if fuses { graph = try GraphPasses.run(on: graph) }
    guard precision == .int8, !isOwn else { return graph }
    guard let quantization else {
      throw CompileError(
        .invalidData, "int8 needs the ranges of values: calibrate on samples of the model's input")
    }
    return try QuantizationAssignment(graph, quantization).graph
  }

  /// Gives every value a type and a shape, and folds constants.
  package static func specialise(
    _ graph: Graph, shapes: InputShapes
  ) throws(CompileError) -> Graph {
    try Specialization.apply(shapes, to: graph, evaluate: evaluate)
  }

  /// Computes constants, with the portable kernels.
  static func evaluate(_ lowered: LoweredProgram) throws(CompileError) -> [TensorBuffer] {
    do throws(RuntimeError) {
      return try Evaluation.run(
        lowered.program, constants: lowered.constants, isas: ISA.portable.included)
    } catch {
      throw CompileError(
        .internalError, "a constant could not be computed: \(error.message)", place: error.place)
    }
  }
}
