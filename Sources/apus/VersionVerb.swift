import Kernels
import Options
import Texts

/// `apus version`: what this is and what it can use here.
enum VersionVerb: Verb {
  static let json = Flag("json", help: "one JSON document")

  static let command = Command(
    "version", summary: "print the version and the instruction sets of this machine",
    options: [json], examples: ["apus version --json"])

  static func run(_ given: Given) throws -> ExitCode {
    let isas = ISA.available.map(\.description)
    if given[json] {
      var writer = JSONWriter()
      writer.object { object in
        object.field("version", ApusTool.version)
        object.field("isas", isas)
      }
      try Console.output(writer.text + "\n")
    } else {
      try Console.output(
        "apus \(ApusTool.version)\ninstruction sets here: \(isas.joined(separator: ", "))\n")
    }
    return .done
  }
}
