import Compilation
import Files
import Graphs
import Importers
import ModelFile
import Options
import Tensors
import Texts

/// A model file that holds the source model instead of programs: what `apus compile` writes where
/// shapes depend on data, or a model has control flow.
enum SourceFile {
  /// The source model of a file, and what it shall be compiled to; nil for a file of programs.
  static func open(_ path: String) throws -> (graph: Graph, precision: Precision)? {
    guard let source = try ModelArchive(mapping: path).source() else { return nil }
    guard source.format == "onnx", let precision = Precision(rawValue: source.precision) else {
      throw VerbError(
        .badInput,
        "\(path) holds a model of the form \(source.format.quoted) for \(source.precision.quoted), "
          + "which this release does not know; use a newer release")
    }
    do throws(ImportError) {
      return (try Graph(onnxParts: source.parts), precision)
    } catch {
      throw VerbError(.badInput, "\(path): \(error.description)")
    }
  }

  /// Writes a source model, and says why it is no program.
  static func write(
    _ given: Given, _ parts: [NamedTensor], _ graph: Graph, _ precision: Precision,
    because reason: CompileError
  ) throws -> ExitCode {
    let path = given[CompileVerb.model]
    guard let target = given[CompileVerb.output] else { throw UsageError("-o is missing") }
    for (name, isGiven) in [
      ("--preprocess", !given[SharedOptions.preprocess].isEmpty),
      ("--postprocess", given[SharedOptions.postprocess] != nil),
      ("--reference", given[CompileVerb.reference] != nil),
      ("--report", given[CompileVerb.report] != nil),
    ] where isGiven {
      throw UsageError("\(name) needs a program, but shapes depend on data: \(reason.description)")
    }
    var contents = ModelContents()
    contents.origin = Dictionary(graph.origin) { first, _ in first }
    contents.origin["source"] = path.split(separator: "/").last.map(String.init) ?? path
    contents.origin["compiler"] = "apus \(ApusTool.version)"
    contents.proof = ProofStatus(
      isProven: false, sentence: "shapes depend on data, so that there is no program to prove")
    contents.source = SourceModel(format: "onnx", precision: precision.rawValue, parts: parts)
    try ModelWriter.write(contents, to: target)
    let bytes = try ReadableFile(target).byteCount ?? 0
    Console.diagnose(
      "shapes depend on data: \(reason.description)\n"
        + "The file holds the model itself, to be compiled to \(precision) in stages while it "
        + "runs: by apus run and libapus, not by a run-time without compiler.\n"
        + "NOT PROVEN: there is no program to prove\n"
        + "\(target): \(NumberText.bytes(bytes))\n")
    return .done
  }
}
