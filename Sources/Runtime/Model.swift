import Instructions
import Kernels
import ModelFile
import Planner
import Synchronization
import Tensors

/// A model that is ready to run: its programs, and the weights that all sessions share.
public final class Model: Sendable {
  /// The programs, as the file orders them.
  public let programs: [ProgramHead]
  /// The weights of all programs; sessions and processes that map the same file share them.
  public let weights: Weights
  /// The file that it comes from; nil for one that was compiled in memory.
  public let archive: ModelArchive?
  private let loaded: Mutex<[Int: Program]>

  /// Maps a model file. Weights are neither read nor copied.
  ///
  /// - Throws: `ModelFileError` for a file that cannot be read or is damaged.
  public convenience init(mapping path: String) throws(ModelFileError) {
    try self.init(ModelArchive(mapping: path))
  }

  /// Makes a model of an open file.
  public init(_ archive: ModelArchive) throws(ModelFileError) {
    self.archive = archive
    programs = archive.programs
    let bytes = try archive.weights()
    weights =
      if let base = bytes.baseAddress {
        Weights(borrowing: base, byteCount: bytes.count, owner: archive)
      } else {
        Weights()
      }
    loaded = Mutex([:])
  }

  /// Makes a model of what was compiled in memory.
  public init(_ contents: ModelContents) throws(RuntimeError) {
    archive = nil
    programs = contents.variants.map { variant in
      ProgramHead(variant)
    }
    weights = try Weights(contents.weights)
    loaded = Mutex(
      Dictionary(uniqueKeysWithValues: contents.variants.map(\.program).enumerated().map { $0 }))
  }

  /// The precisions of the programs, each once, in the order of the file.
  public var precisions: [String] {
    programs.map(\.precision).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// Returns the place of the program of this precision for these input shapes.
  ///
  /// - Parameters:
  ///   - precision: nil: the first of the file.
  ///   - shapes: by input name; inputs that are left out may have any shape.
  /// - Throws: `RuntimeError` naming what the model holds.
  public func index(
    precision: String? = nil, shapes: [String: Shape] = [:]
  ) throws(RuntimeError) -> Int {
    try checkPrograms()
    for (index, head) in programs.enumerated()
    where precision == nil || head.precision == precision {
      let fits = shapes.allSatisfy { name, shape in
        head.inputs.contains { $0.name == name && $0.shape == shape }
      }
      if fits { return index }
    }
    let held = programs.map { head in
      "\(head.precision) "
        + head.inputs.map { "\($0.name)=\($0.shape)" }.joined(separator: ",")
    }
    let asked = shapes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    throw RuntimeError(
      .noSuchProgram,
      "the model has no program for "
        + ([precision ?? "any precision"] + asked).joined(separator: " ")
        + "; it holds: \(held.joined(separator: "; "))")
  }

  /// A session of one program.
  ///
  /// - Throws: `RuntimeError` for a program that is damaged, or for lack of memory.
  public func session(
    _ index: Int = 0, options: Session.Options = Session.Options()
  ) throws(RuntimeError) -> Session {
    try Session(program(index), weights: weights, options: options)
  }

  /// - Throws: `RuntimeError` for a file that holds the source model instead of programs.
  private func checkPrograms() throws(RuntimeError) {
    guard programs.isEmpty, let archive, archive.holdsSource else { return }
    throw RuntimeError(
      .needsCompiler,
      "the file holds the source model instead of programs, because its shapes depend on data: "
        + "apus run and libapus compile it while it runs; a run-time without compiler cannot")
  }

  /// The program at this place, read from the file when it is first asked for.
  package func program(_ index: Int) throws(RuntimeError) -> Program {
    if let known = loaded.withLock({ $0[index] }) { return known }
    try checkPrograms()
    guard let archive else {
      throw RuntimeError(
        .noSuchProgram, "there is no program \(index); the model has \(programs.count)")
    }
    let program: Program
    do throws(ModelFileError) {
      program = try archive.program(index)
    } catch {
      throw RuntimeError(.invalidProgram, error.description)
    }
    loaded.withLock { $0[index] = program }
    return program
  }
}
