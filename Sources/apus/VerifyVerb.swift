import Accuracy
import ModelFile
import Options
import Runtime
import Tensors
import Texts

/// `apus verify`: does the file compute on this machine what it did when it was compiled?
enum VerifyVerb: Verb {
  static let model = Argument("MODEL", help: "a model file, .apus")

  static let command = Command(
    "verify", summary: "check a model file: structure, hashes, self-test on this machine",
    discussion: """
      Reads the whole file, checks structure and hashes, and runs the self-test vectors with the \
      kernels of this machine (or of --isa). Exits with 1 where a result is not what it was when \
      the file was compiled, with 65 where the file is damaged.
      """,
    arguments: [model],
    options: [SharedOptions.threads, SharedOptions.isa, SharedOptions.json],
    examples: ["apus verify detector.apus"])

  static func run(_ given: Given) throws -> ExitCode {
    let archive = try ModelArchive(mapping: given[model])
    try archive.verify()
    let model = try Model(archive)
    let isas = try SharedOptions.isas(given)
    var results: [(head: ProgramHead, comparison: Comparison)] = []
    for test in try archive.selfTests() {
      let session = try model.session(
        test.program,
        options: Session.Options(threads: given[SharedOptions.threads], isas: isas))
      let inputs = Dictionary(test.inputs.map { ($0.name, $0.tensor) }) { first, _ in first }
      for (index, port) in session.inputs.enumerated() {
        guard let tensor = inputs[port.name] else {
          throw VerbError(.badInput, "the self-test lacks the input \"\(port.name)\"")
        }
        try session.setInput(index, tensor)
      }
      try session.run()
      let outputs = try session.outputs.indices.map { index in
        (name: session.outputs[index].name, tensor: try session.output(index))
      }
      let head = archive.programs[test.program]
      results.append(
        (
          head,
          try Comparison(
            target: outputs, reference: test.outputs.map { ($0.name, $0.tensor) },
            tolerance: Tolerance(cosine: head.precision == "fp32" ? 0.99999 : 0.99))
        ))
    }
    let passes = results.allSatisfy(\.comparison.passes)
    try report(given, archive, results, passes)
    return passes ? .done : .checkFailed
  }

  private static func report(
    _ given: Given, _ archive: ModelArchive,
    _ results: [(head: ProgramHead, comparison: Comparison)], _ passes: Bool
  ) throws {
    let proof = try archive.proof()
    if given[SharedOptions.json] {
      var writer = JSONWriter(isIndented: true)
      writer.object { object in
        object.field("model", given[model])
        object.field("passes", passes)
        object.field("proven", proof.isProven)
        object.field("proof", proof.sentence)
        object.array("self_tests") { array in
          for (head, comparison) in results {
            array.object { row in
              row.field("precision", head.precision)
              row.field("passes", comparison.passes)
            }
          }
        }
      }
      return try Console.output(writer.text + "\n")
    }
    var text = "\(given[model]): structure and hashes are right\n"
    text += "proof at compile time: \(proof.sentence)\n"
    if results.isEmpty { text += "the file holds no self-test\n" }
    for (head, comparison) in results {
      text +=
        "self-test of the \(head.precision) program: \(comparison.passes ? "passed" : "FAILED")\n"
      if !comparison.passes { text += comparison.text }
    }
    try Console.output(text)
  }
}
