import Compilation
import Graphs
import Importers
import Kernels
import ModelFile
import Options
import Runtime
import Tensors

/// A model that a verb works on: a compiled file, or a source model compiled in memory.
struct OpenedModel {
  let path: String
  let model: Model
  /// The source graph; nil for a compiled file.
  let graph: Graph?
  /// Preprocessing by input name, and postprocessing.
  var processing: Processing

  /// Says whether the path names a source model.
  static func isSource(_ path: String) -> Bool { path.lowercased().hasSuffix(".onnx") }

  /// Opens a model.
  ///
  /// - Parameters:
  ///   - shapes: the input shapes of a source model.
  ///   - precision: what to compile a source model to; which program of a file to take.
  ///   - quantization: the ranges for int8 programs of float models.
  init(
    _ path: String, shapes: InputShapes = InputShapes(), precision: Precision? = nil,
    quantization: QuantizationOptions? = nil
  ) throws {
    self.path = path
    if OpenedModel.isSource(path) {
      let graph = try Graph(onnxFile: path)
      let compiler = Compiler(
        precision: quantization == nil
          ? try OpenedModel.precision(precision, path, graph) : precision ?? .int8,
        quantization: quantization)
      let program = try compiler.compile(graph, shapes: shapes)
      model = try ModelAssembly.model(of: ModelAssembly.contents(of: [program]))
      self.graph = graph
      processing = Processing()
    } else {
      let archive = try ModelArchive(mapping: path)
      model = try Model(archive)
      graph = nil
      processing = try archive.processing()
      if let precision, !model.precisions.contains(precision.rawValue) {
        throw VerbError(
          .usage,
          "\(path) holds no \(precision) program; it holds "
            + model.precisions.joined(separator: ", ")
        )
      }
    }
  }

  /// What a source model is compiled to in memory.
  ///
  /// - Throws: exit 64 for int8 of a float model: that needs calibration.
  static func precision(
    _ given: Precision?, _ path: String, _ graph: Graph
  ) throws -> Precision {
    guard given != .int8 || graph.isQuantized else {
      throw UsageError(
        "int8 needs calibration: apus compile \(path) -o OUT.apus --precision int8 --calibrate "
          + "SAMPLES; then give OUT.apus here")
    }
    return given ?? graph.ownPrecision
  }

  /// The name of the program for a precision; nil for the only one of a source model, which may be
  /// int8 where the model brings its own scales.
  func programName(_ precision: Precision?) -> String? { graph == nil ? precision?.rawValue : nil }

  /// A session of the program for a precision and input shapes.
  func session(
    precision: Precision? = nil, shapes: [String: Shape] = [:], threads: Int? = nil,
    isas: Set<ISA> = ISA.host
  ) throws -> Session {
    let index = try model.index(precision: programName(precision), shapes: shapes)
    return try model.session(index, options: Session.Options(threads: threads, isas: isas))
  }
}

/// Options that several verbs share.
enum SharedOptions {
  static let threads = Option.integer(
    "threads", in: 1...1024, help: "threads of an inference (default: what the process may use)")
  static let isa = Option.text(
    "isa", ISA.allCases.map(\.description).joined(separator: "|"),
    help: "use only the kernels of this instruction set and those it contains")
  static let precision = Option<Precision>.choice(
    "precision", help: "which program of a file, or what to compile a source model to")
  static let json = Flag("json", help: "one JSON document on standard output")
  static let preprocess = Option.text(
    "preprocess", "[NAME:]KEY=VALUE,…",
    help: "how pictures become an input, e.g. size=640x640,resize=letterbox,raw-scale=1"
  ).repeated()
  static let postprocess = Option.text(
    "postprocess", "KIT[:KEY=VALUE,…]",
    help: "how outputs become objects, e.g. yolov8:classes=coco.txt,score=0.25")

  /// The kernels that may be used.
  ///
  /// - Throws: exit 71 where this machine lacks the instruction set.
  static func isas(_ given: Given) throws -> Set<ISA> {
    guard let name = given[isa] else { return ISA.host }
    guard let wanted = ISA(name: name) else {
      throw UsageError(
        "--isa: '\(name)' is unknown; known are "
          + ISA.allCases.map(\.description).joined(separator: ", "))
    }
    let missing = wanted.missingFlags
    guard missing.isEmpty else {
      throw VerbError(
        .unavailable,
        "--isa \(name) is not available here: this processor lacks "
          + missing.joined(separator: ", ")
          + "; available are \(ISA.available.map(\.description).joined(separator: ", "))")
    }
    return wanted.included
  }
}
