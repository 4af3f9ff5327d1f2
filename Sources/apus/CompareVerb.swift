import Accuracy
import Archives
import Files
import Options
import Tensors
import Texts

/// `apus compare`: how well two sets of tensors agree.
enum CompareVerb: Verb {
  static let target = Argument("TARGET", help: "what is judged, .npz")
  static let reference = Argument("REFERENCE", help: "what it is compared with, .npz")
  static let tolerance = Option.text(
    "tolerance", "cosine=0.99,euclidean=0.9,sqnr=20", help: "limits that every tensor must reach")
  static let except = Option.list("except", "NAME,…", help: "tensors to leave out")
  static let page = Option.text("report", "FILE.html", help: "write a page with a chart per tensor")

  static let command = Command(
    "compare", summary: "compare two .npz files, tensor by tensor",
    discussion: """
      Compares the tensors that both files have: cosine, Pearson, Euclidean similarity, SQNR, and \
      a verdict: equal, close, similar (every limit reached) or different. NaN or infinity \
      anywhere, or no common tensor, is a failure. Exits with 1 where a tensor fails.
      """,
    arguments: [target, reference],
    options: [tolerance, except, page, SharedOptions.json],
    examples: ["apus compare ours.npz theirs.npz --tolerance cosine=0.9999"])

  static func run(_ given: Given) throws -> ExitCode {
    let limits = try given[tolerance].map { try Tolerance(parsing: $0) } ?? .standard
    let comparison = try Comparison(
      target: read(given[target]), reference: read(given[reference]), tolerance: limits,
      except: given[except] ?? [])
    if let path = given[page] {
      try AtomicFile.write(
        comparison.page(title: "\(given[target]) and \(given[reference])"), to: path)
    }
    if given[SharedOptions.json] {
      var writer = JSONWriter(isIndented: true)
      comparison.write(to: &writer)
      try Console.output(writer.text + "\n")
    } else {
      try Console.output(comparison.text)
    }
    return comparison.passes ? .done : .checkFailed
  }

  private static func read(_ path: String) throws -> [(name: String, tensor: TensorBuffer)] {
    try Archive.read(path).map { (name: $0.name, tensor: $0.tensor) }
  }
}
