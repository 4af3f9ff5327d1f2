import Accuracy
import Graphs
import Instructions
import Kernels
import ModelFile
import Runtime
import Tensors

/// Shows that compiled programs compute what the source model does.
///
/// For each program and each sample: the float program against the framework's own outputs (where
/// given), a narrower program against the float program, the fast kernels against the portable
/// ones; and, after writing, the file read back against the program in memory, bit by bit.
public struct Proof {
  /// Inputs for a proof, in the order of the programs' inputs, with the framework's outputs.
  public struct Sample: Sendable {
    public var inputs: [TensorBuffer]
    /// The framework's outputs by name; empty where there are none.
    public var reference: [String: TensorBuffer]

    public init(inputs: [TensorBuffer], reference: [String: TensorBuffer] = [:]) {
      self.inputs = inputs
      self.reference = reference
    }
  }

  /// One comparison that was made.
  public struct Step: Sendable {
    /// What was compared with what.
    public var title: String
    public var comparison: Comparison
    /// Only equal bits pass: nothing may change on the way to the file and back.
    public var needsEqualBits = false
    /// The values that differ most, worst first; filled in on failure.
    public var blamed: [String] = []

    public var passes: Bool {
      needsEqualBits
        ? comparison.tensors.allSatisfy { $0.verdict == .equal } : comparison.passes
    }
  }

  /// The result of a proof.
  public struct Result: Sendable {
    public var steps: [Step] = []
    /// The inputs were random: nothing real was given.
    public var isOnRandomData = false
    /// Why the program could not be run on random inputs, such as a division by zero; nil where
    /// it could.
    public var obstacle: String?
    public var passes: Bool { steps.allSatisfy(\.passes) }

    /// The sentence that the model file keeps.
    public var status: ProofStatus {
      guard let failed = steps.first(where: { !$0.passes }) else {
        if let obstacle {
          return ProofStatus(
            isProven: false, sentence: "it cannot be run on random inputs: \(obstacle)")
        }
        return ProofStatus(
          isProven: true,
          sentence: "\(steps.count) comparisons passed"
            + (isOnRandomData ? "; PROVED ON RANDOM DATA" : ""))
      }
      return ProofStatus(isProven: false, sentence: "the proof failed: \(failed.title)")
    }
  }

  private let programs: [CompiledProgram]
  private let tolerance: Tolerance?
  private let threads: Int?

  /// - Parameter tolerance: what a narrower program must reach against the float program; nil:
  ///   cosine 0.99 and Euclidean similarity 0.9 for bf16, 0.9 and 0.6 for int8.
  public init(_ programs: [CompiledProgram], tolerance: Tolerance? = nil, threads: Int? = nil) {
    self.programs = programs
    self.tolerance = tolerance
    self.threads = threads
  }

  /// What float programs must reach against references.
  private static let exact = Tolerance(cosine: 0.99999)
  private static let quantised = Tolerance(cosine: 0.9, euclidean: 0.6)

  /// Makes the comparisons that need no file, and keeps inputs and outputs as self-test vectors.
  ///
  /// - Parameter samples: inputs that fit; nil: one seeded random sample per program.
  /// - Throws: `CompileError` where a program cannot run.
  public func prove(
    _ contents: inout ModelContents, samples: [Sample]?
  ) throws(CompileError) -> Result {
    var result = Result()
    result.isOnRandomData = samples == nil
    let model = try ModelAssembly.model(of: contents)
    for (index, compiled) in programs.enumerated() {
      let ports = compiled.lowered.program.inputs
      var random = RandomInputs()
      let given = samples ?? [Sample(inputs: random.tensors(for: ports))]
      for sample in given where fits(sample, ports) {
        if samples == nil, let obstacle = obstacle(model, index, sample) {
          result.obstacle = obstacle
          continue
        }
        let outputs = try run(model, index, sample.inputs, isas: ISA.host, threads: threads)
        try compare(compiled, sample, outputs, &result)
        let portable = try run(
          model, index, sample.inputs, isas: ISA.portable.included, threads: threads)
        try add(
          "\(compiled.precision): fast kernels against portable ones", outputs, portable,
          compiled.precision == .fp32 ? Proof.exact : limits(compiled), to: &result)
        result.steps[result.steps.count - 1].needsEqualBits = compiled.precision == .int8
        if contents.selfTests.allSatisfy({ $0.program != index }) {
          contents.selfTests.append(
            SelfTest(
              program: index,
              inputs: zip(ports, sample.inputs).map { NamedTensor($0.name, $1) },
              outputs: portable.map { NamedTensor($0.name, $0.tensor) }))
        }
      }
    }
    contents.proof = result.status
    return result
  }

  /// Compares the file that was written with the program in memory, bit by bit.
  public func compareFile(
    _ path: String, with contents: ModelContents, _ result: inout Result
  ) throws(CompileError) {
    let memory = try ModelAssembly.model(of: contents)
    let file: Model
    do throws(ModelFileError) {
      file = try Model(mapping: path)
    } catch {
      throw CompileError(.internalError, "the file cannot be read back: \(error.description)")
    }
    for test in contents.selfTests {
      let inputs = test.inputs.map(\.tensor)
      let read = try run(file, test.program, inputs, isas: ISA.host, threads: threads)
      let made = try run(memory, test.program, inputs, isas: ISA.host, threads: threads)
      for (a, b) in zip(read, made) where !Proof.sameBits(a.tensor, b.tensor) {
        try add(
          "\(programs[test.program].precision): file read back against program in memory",
          [a], [b], Proof.exact, to: &result)
        result.steps[result.steps.count - 1].needsEqualBits = true
      }
    }
  }

  /// Why a program cannot be run on inputs that nobody gave: these may be out of its range.
  private func obstacle(_ model: Model, _ index: Int, _ sample: Sample) -> String? {
    do throws(CompileError) {
      _ = try run(model, index, sample.inputs, isas: ISA.host, threads: threads)
      return nil
    } catch {
      return error.description
    }
  }

  // MARK: Comparisons

  private func compare(
    _ compiled: CompiledProgram, _ sample: Sample, _ outputs: [NamedTensor], _ result: inout Result
  ) throws(CompileError) {
    var float = outputs
    var floatProgram = compiled
    if compiled.precision != .fp32 {
      floatProgram = try Compiler(precision: .fp32).compile(
        compiled.origin, shapes: compiled.shapes)
      let contents = try ModelAssembly.contents(of: [floatProgram])
      float = try run(
        ModelAssembly.model(of: contents), 0, sample.inputs, isas: ISA.host, threads: threads)
      try add(
        "\(compiled.precision) against fp32", outputs, float, limits(compiled), to: &result)
      if let last = result.steps.last, !last.comparison.passes {
        result.steps[result.steps.count - 1].blamed = try blame(compiled, floatProgram, sample)
      }
    }
    guard !sample.reference.isEmpty else { return }
    let reference = float.compactMap { output in
      sample.reference[output.name].map { NamedTensor(output.name, $0) }
    }
    try add(
      "fp32 against the framework's outputs", float, reference, Proof.exact, to: &result)
  }

  /// What a program must reach against the float program.
  private func limits(_ compiled: CompiledProgram) -> Tolerance {
    tolerance ?? (compiled.precision == .int8 ? Proof.quantised : .standard)
  }

  private func add(
    _ title: String, _ target: [NamedTensor], _ reference: [NamedTensor], _ tolerance: Tolerance,
    to result: inout Result
  ) throws(CompileError) {
    do throws(AccuracyError) {
      let comparison = try Comparison(
        target: target.map { ($0.name, $0.tensor) },
        reference: reference.map { ($0.name, $0.tensor) }, tolerance: tolerance)
      result.steps.append(Step(title: title, comparison: comparison))
    } catch {
      throw CompileError(.invalidData, error.message)
    }
  }

  /// The values inside that differ most between two programs, worst first.
  private func blame(
    _ target: CompiledProgram, _ reference: CompiledProgram, _ sample: Sample
  ) throws(CompileError) -> [String] {
    let a = try values(target, sample)
    let b = try values(reference, sample)
    let comparison: Comparison
    do throws(AccuracyError) {
      comparison = try Comparison(
        target: a.map { ($0.name, $0.tensor) }, reference: b.map { ($0.name, $0.tensor) })
    } catch {
      throw CompileError(.internalError, error.message)
    }
    return comparison.tensors.compactMap { tensor in
      tensor.similarity.map { (tensor.name, $0.cosine) }
    }.sorted { $0.1 < $1.1 }.prefix(5).map { "\($0.0) (cosine \($0.1))" }
  }

  private func values(
    _ compiled: CompiledProgram, _ sample: Sample
  ) throws(CompileError) -> [TensorDump.Value] {
    let dump = try TensorDump(compiled, isas: ISA.host)
    do throws(RuntimeError) {
      return try dump.values(for: sample.inputs).kept
    } catch {
      throw CompileError(.invalidData, error.message, place: error.place)
    }
  }

  private func fits(_ sample: Sample, _ ports: [Program.Port]) -> Bool {
    sample.inputs.count == ports.count
      && zip(sample.inputs, ports).allSatisfy { $0.shape == $1.shape && $0.type == $1.type }
  }

  private func run(
    _ model: Model, _ index: Int, _ inputs: [TensorBuffer], isas: Set<ISA>, threads: Int?
  ) throws(CompileError) -> [NamedTensor] {
    do throws(RuntimeError) {
      let session = try model.session(
        index, options: Session.Options(threads: threads, isas: isas))
      let outputs = try session.run(inputs)
      return zip(session.outputs, outputs).map { NamedTensor($0.name, $1) }
    } catch {
      throw CompileError(.invalidData, error.message, place: error.place)
    }
  }

  private static func sameBits(_ a: TensorBuffer, _ b: TensorBuffer) -> Bool {
    a.withBytes { x in b.withBytes { y in x.elementsEqual(y) } }
  }
}
