import Texts

/// A mistake on the command line: the message says what is wrong and what to write instead.
package struct UsageError: Error, Sendable, Hashable, CustomStringConvertible {
  package var message: String

  package init(_ message: String) { self.message = message }

  package var description: String { message }
}

/// How many values follow an option.
enum Arity: Sendable {
  /// None: it is there or not.
  case flag
  /// One; the option may stand once.
  case single
  /// One each time; the option may be repeated.
  case repeated
  /// One or more up to the next option; may be repeated.
  case several
}

/// What the parser and `--help` know of an option, whatever the type of its value.
package struct OptionForm: Sendable {
  let name: String
  let letter: Character?
  let placeholder: String
  let help: String
  let arity: Arity
  let convert: @Sendable (String) throws(UsageError) -> any Sendable

  /// The way messages name it, e.g. `--threads`.
  var spelling: String { name.isEmpty ? letter.map { "-\($0)" } ?? "" : "--\(name)" }
  /// What values are stored under.
  var key: String { name.isEmpty ? letter.map(String.init) ?? "" : name }
}

/// One row of a verb's option table.
package protocol OptionRow: Sendable {
  var form: OptionForm { get }
}

/// An option without a value, e.g. `--json`.
package struct Flag: OptionRow {
  package let form: OptionForm

  package init(_ name: String, help: String) {
    form = OptionForm(name: name, letter: nil, placeholder: "", help: help, arity: .flag) { _ in
      true
    }
  }
}

/// An option with one value, e.g. `--threads 4`.
package struct Option<Value: Sendable>: OptionRow {
  package let form: OptionForm

  /// Makes an option; `convert` turns the text behind it into the value or says why it cannot.
  ///
  /// `name` is `kebab-case` without dashes; a name of one letter makes a short option (`-o`).
  package init(
    _ name: String, _ placeholder: String, help: String,
    convert: @escaping @Sendable (String) throws(UsageError) -> Value
  ) {
    let isLetter = name.count == 1
    form = OptionForm(
      name: isLetter ? "" : name, letter: isLetter ? name.first : nil, placeholder: placeholder,
      help: help, arity: .single
    ) { (text) throws(UsageError) in try convert(text) }
  }

  /// The same option, allowed any number of times.
  package func repeated() -> RepeatedOption<Value> { RepeatedOption(form, .repeated) }

  /// The same option, followed by one or more values up to the next option.
  package func several() -> RepeatedOption<Value> { RepeatedOption(form, .several) }
}

/// An option with any number of values, e.g. `--input a.png b.png`.
package struct RepeatedOption<Value: Sendable>: OptionRow {
  package let form: OptionForm

  init(_ form: OptionForm, _ arity: Arity) {
    self.form = OptionForm(
      name: form.name, letter: form.letter, placeholder: form.placeholder, help: form.help,
      arity: arity, convert: form.convert)
  }
}

/// A word of the command line that is no option, e.g. `MODEL`.
package struct Argument: Sendable {
  let name: String
  let help: String
  let isRequired: Bool

  package init(_ name: String, help: String, isRequired: Bool = true) {
    self.name = name
    self.help = help
    self.isRequired = isRequired
  }
}
