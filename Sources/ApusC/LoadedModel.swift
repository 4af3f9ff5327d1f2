import CApus
import Kernels
import ModelFile
import Tensors

/// How a session is wanted.
package struct SessionRequest: Sendable {
  package var precision: String?
  /// By input name; of the only input where the name is empty.
  package var shapes: [String: Shape] = [:]
  package var isas: Set<ISA> = ISA.host
  package var threads: Int?

  package init() {}
}

/// How a model is to be compiled.
package struct CompileRequest {
  package var precision: String?
  package var shapes: [[String: Shape]] = []
  package var preprocess: [String] = []
  package var postprocess: String?
  /// Per sample a tensor per input.
  package var samples: [[TensorBuffer]] = []
  package var ranges: String?
  package var method: String?
  package var isSymmetric = false
  package var proves = true
  package var threads: Int?
  /// Gets phase, done and total.
  ///
  /// - Throws: `Failure` where the caller wants to end it.
  package var progress: (String, Int, Int) throws -> Void = { _, _, _ in }
}

/// One program of a model, as the C interface tells of it.
package struct ProgramDescription: Sendable {
  package var precision: String
  package var weightByteCount: Int
  package var arenaByteCount: Int
  package var ioByteCount: Int
  package var operationCount: Int
  package var inputs: PortTable
}

/// A model behind a handle.
package protocol LoadedModel: AnyObject, Sendable {
  var inputs: PortTable { get }
  var outputs: PortTable { get }
  /// None for a source model.
  var programs: [ProgramDescription] { get }
  /// The preprocessing by input name.
  var preprocessing: [String: String] { get }
  var postprocessing: String? { get }
  /// Lines for people.
  var description: String { get }
  /// The texts above, as C reads them.
  var texts: TextTable { get }

  func session(_ request: SessionRequest) throws -> any Runner
  func compiled(_ request: CompileRequest) throws -> any LoadedModel
  func write(to path: String) throws
}

/// The memory of a session, in bytes.
package struct RunnerMemory: Sendable {
  package var weights = 0
  package var arena = 0
  package var scratch = 0
  package var io = 0

  package init() {}
}

/// What runs behind the handle of a session. Called by one thread at a time, but for `cancel`.
package protocol Runner: AnyObject, Sendable {
  var inputs: PortTable { get }
  var outputs: PortTable { get }
  var memory: RunnerMemory { get }
  var threadCount: Int { get }

  /// Copies a tensor into an input.
  func set(_ index: Int, _ tensor: TensorView) throws
  /// Gives an input a value, to be kept without a copy where that is possible.
  func set(_ index: Int, _ value: Value) throws
  func inputMemory(_ index: Int) throws -> TensorView
  /// - Parameter size: the readable bytes behind the tensor's first.
  func bind(input index: Int, _ tensor: TensorView?, size: Int) throws
  func bind(output index: Int, _ tensor: TensorView?, size: Int) throws
  func run() throws
  func cancel()
  /// An output where it lies, until the next run.
  func outputView(_ index: Int) throws -> TensorView
  func output(_ index: Int) throws -> Value
}

/// The way to the compiler, where it is linked.
///
/// The compiler's room is above this one, so it puts itself in here when `capus_try_compiler` asks
/// for it: that is what makes libapus-runtime.so of the same sources without it.
package enum CompilerDoor {
  /// Opens source models.
  package protocol Opener: Sendable {
    func open(path: String) throws -> any LoadedModel
    func open(_ bytes: UnsafeRawBufferPointer, folder: String?) throws -> any LoadedModel
    /// Opens a model file that holds a source model.
    func open(_ source: SourceModel) throws -> any LoadedModel
  }

  nonisolated(unsafe) package static var opener: (any Opener)?

  private static let isLinked = capus_try_compiler() != 0

  static var canCompile: Bool { isLinked }

  /// - Throws: `Failure` in the library that only runs.
  static func required(_ what: String) throws(Failure) -> any Opener {
    guard isLinked, let opener else {
      throw Failure(
        APUS_UNAVAILABLE,
        "\(what) is no .apus file, and this library (libapus-runtime) only runs those: compile it "
          + "with the apus command, or use libapus")
    }
    return opener
  }

  /// Makes a model of a model file, of whichever kind it is.
  static func model(of archive: ModelArchive, _ what: String) throws -> any LoadedModel {
    guard let source = try archive.source() else { return try FileModel(archive) }
    guard isLinked, let opener else {
      throw Failure(
        APUS_UNAVAILABLE,
        "\(what) holds a source model, because its shapes depend on data, and this library "
          + "(libapus-runtime) has no compiler: use libapus")
    }
    return try opener.open(source)
  }
}
