import Texts

/// What a verb takes: the table from which parsing and `--help` follow.
package struct Command: Sendable {
  let name: String
  let summary: String
  let discussion: String
  let arguments: [Argument]
  let options: [OptionForm]
  let examples: [String]

  /// Makes the table of a verb.
  ///
  /// `summary` is one line; `discussion` may have paragraphs; `examples` are whole command lines.
  ///
  /// Programmer error (precondition): two options of one name, no example.
  package init(
    _ name: String, summary: String, discussion: String = "", arguments: [Argument] = [],
    options: [any OptionRow] = [], examples: [String]
  ) {
    let forms = options.map(\.form)
    precondition(Set(forms.map(\.key)).count == forms.count, "\(name): two options of one name")
    precondition(!examples.isEmpty, "\(name): no example")
    self.name = name
    self.summary = summary
    self.discussion = discussion
    self.arguments = arguments
    self.options = forms
    self.examples = examples
  }
}

/// What the user gave on the command line.
///
/// Options are asked for by their own declaration, which knows the type:
/// `given[Bench.threads] ?? 1`.
package struct Given: Sendable {
  private var words: [String: String] = [:]
  private var values: [String: [any Sendable]] = [:]

  /// Says whether the flag is there.
  package subscript(flag: Flag) -> Bool { values[flag.form.key] != nil }

  /// The value of an option; nil where it is not given.
  package subscript<Value>(option: Option<Value>) -> Value? {
    values[option.form.key]?.last as? Value
  }

  /// The values of an option, in order; empty where it is not given.
  package subscript<Value>(option: RepeatedOption<Value>) -> [Value] {
    values[option.form.key]?.compactMap { $0 as? Value } ?? []
  }

  /// The word of an argument; empty for an optional one that is not given.
  package subscript(argument: Argument) -> String { words[argument.name] ?? "" }
}

extension Command {
  /// Reads the words behind the verb.
  ///
  /// `--name value`, `--name=value`, `-o value`; `--` ends the options. Values may begin with `-`
  /// only in the form `--name=-1` or where they are numbers.
  ///
  /// - Throws: `UsageError` for what is unknown, missing, repeated or unreadable.
  package func parse(_ words: [String]) throws(UsageError) -> Given {
    var given = Given()
    var positional: [String] = []
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        positional += rest
        break
      }
      guard Command.isOption(word) else {
        positional.append(word)
        continue
      }
      try parseOption(word, &rest, &given)
    }
    try assign(positional, &given)
    return given
  }

  /// Says whether `words` ask for help.
  func asksForHelp(_ words: [String]) -> Bool {
    words.prefix { $0 != "--" }.contains { $0 == "--help" || $0 == "-h" }
  }

  /// A word is an option where it begins with `-`, unless it is `-` itself or a number.
  private static func isOption(_ word: String) -> Bool {
    word.hasPrefix("-") && word != "-" && Double(word) == nil
  }

  private func parseOption(
    _ word: String, _ rest: inout ArraySlice<String>, _ given: inout Given
  ) throws(UsageError) {
    let equals = word.firstIndex(of: "=")
    let spelling = equals.map { String(word[..<$0]) } ?? word
    guard let form = options.first(where: { $0.spelling == spelling }) else {
      throw unknown(spelling)
    }
    if form.arity == .single || form.arity == .flag, given.has(form) {
      throw UsageError("\(spelling) is given twice; once is enough")
    }
    if form.arity == .flag {
      guard equals == nil else { throw UsageError("\(spelling) takes no value") }
      return given.add(true, for: form)
    }
    if let equals {
      try add(String(word[word.index(after: equals)...]), to: &given, form)
    } else {
      guard let value = rest.first, !Command.isOption(value) else {
        throw UsageError("\(spelling) needs a value: \(spelling) \(form.placeholder)")
      }
      rest.removeFirst()
      try add(value, to: &given, form)
    }
    guard form.arity == .several else { return }
    while let value = rest.first, !Command.isOption(value) {
      rest.removeFirst()
      try add(value, to: &given, form)
    }
  }

  private func add(
    _ text: String, to given: inout Given, _ form: OptionForm
  ) throws(UsageError) {
    do throws(UsageError) { given.add(try form.convert(text), for: form) } catch {
      throw UsageError("\(form.spelling): \(error.message)")
    }
  }

  private func unknown(_ spelling: String) -> UsageError {
    let known = options.map(\.spelling) + ["--help"]
    return UsageError("unknown option '\(spelling)'." + Suggestion.question(spelling, in: known))
  }

  private func assign(_ words: [String], _ given: inout Given) throws(UsageError) {
    for (argument, word) in zip(arguments, words) { given.set(word, for: argument) }
    if words.count > arguments.count {
      let extra = words[arguments.count]
      let several = options.first { $0.arity == .several }?.spelling
      let hint = several.map { "; values of \($0) stand right behind it" } ?? ""
      throw UsageError("'\(extra)' is one word too many\(hint)")
    }
    let missing = arguments.dropFirst(words.count).filter(\.isRequired).map(\.name)
    if !missing.isEmpty {
      throw UsageError("\(missing.joined(separator: " and ")) missing; \(usageLine)")
    }
  }
}

extension Given {
  fileprivate func has(_ form: OptionForm) -> Bool { values[form.key] != nil }

  fileprivate mutating func add(_ value: any Sendable, for form: OptionForm) {
    values[form.key, default: []].append(value)
  }

  fileprivate mutating func set(_ word: String, for argument: Argument) {
    words[argument.name] = word
  }
}
