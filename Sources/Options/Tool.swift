import Files
import Texts

/// One verb of the command line: its table and what it does. One file each.
package protocol Verb: Sendable {
  static var command: Command { get }
  /// Does the work; results go to standard output.
  static func run(_ given: Given) throws -> ExitCode
}

/// A command line of several verbs.
package struct Tool: Sendable {
  let name: String
  let summary: String
  let version: String
  let verbs: [any Verb.Type]
  let diagnose: @Sendable (any Error) -> (message: String, code: ExitCode)

  /// Makes the tool. `diagnose` turns the errors of verbs into a message and an exit code;
  /// `UsageError` and `FileError` are already taken care of.
  package init(
    _ name: String, summary: String, version: String, verbs: [any Verb.Type],
    diagnose: @escaping @Sendable (any Error) -> (message: String, code: ExitCode)
  ) {
    self.name = name
    self.summary = summary
    self.version = version
    self.verbs = verbs
    self.diagnose = diagnose
  }

  /// Runs the verb that the words (without the program's own name) ask for.
  package func run(_ words: [String]) -> ExitCode {
    var verbName: String?
    do {
      guard let first = words.first else {
        Console.diagnose(overview)
        return .usage
      }
      if ["--help", "-h", "help"].contains(first) {
        return try help(on: words.dropFirst().first)
      }
      if first == "--version" {
        try Console.output("\(name) \(version)\n")
        return .done
      }
      let verb = try verb(named: first)
      verbName = first
      let rest = Array(words.dropFirst())
      if verb.command.asksForHelp(rest) { return try help(on: first) }
      return try verb.run(try verb.command.parse(rest))
    } catch {
      return report(error, verbName)
    }
  }

  private func help(on name: String?) throws -> ExitCode {
    guard let name, !name.hasPrefix("-") else {
      try Console.output(overview)
      return .done
    }
    try Console.output(try verb(named: name).command.help())
    return .done
  }

  private func verb(named name: String) throws(UsageError) -> any Verb.Type {
    for verb in verbs where verb.command.name == name { return verb }
    let names = verbs.map { $0.command.name }
    let kind = name.hasPrefix("-") ? "option" : "verb"
    throw UsageError(
      "unknown \(kind) '\(name)'." + Suggestion.question(name, in: names + ["--help"])
        + " Verbs: \(names.joined(separator: ", ")).")
  }

  private func report(_ error: any Error, _ verb: String?) -> ExitCode {
    let prefix = verb.map { "\(name) \($0)" } ?? name
    switch error {
    case let error as UsageError:
      Console.diagnose("\(prefix): \(error.message)\nSee '\(prefix) --help'.\n")
      return .usage
    case let error as FileError:
      Console.diagnose("\(prefix): \(error.message)\n")
      return ExitCode(error.code)
    default:
      let (message, code) = diagnose(error)
      Console.diagnose("\(prefix): \(message)\n")
      return code
    }
  }

  private var overview: String {
    var table = TextTable([(heading: "  Verb", alignment: .left), (heading: "", alignment: .left)])
    for verb in verbs { table.add(["  \(verb.command.name)", verb.command.summary]) }
    return "\(name): \(summary)\n\nusage: \(name) VERB …\n\n\(table.text)"
      + "\n'\(name) VERB --help' describes a verb, with an example.\n"
  }
}

extension ExitCode {
  /// The code for a file that could not be read or written.
  package init(_ code: FileError.Code) {
    switch code {
    case .notFound, .unreadable: self = .inputMissing
    case .notWritable, .diskFull: self = .outputFailed
    case .handles: self = .unavailable
    default: self = .badInput
    }
  }
}
