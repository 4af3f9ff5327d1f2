import Texts

extension Command {
  /// The line that shows how the verb is written.
  var usageLine: String {
    let words = arguments.map { $0.isRequired ? $0.name : "[\($0.name)]" }
    let tail = options.isEmpty ? [] : ["[options]"]
    return "usage: apus " + ([name] + words + tail).joined(separator: " ")
  }

  /// The text of `--help`, wrapped to `width` columns.
  package func help(width: Int = 100) -> String {
    var text = "\(summary)\n\n\(usageLine)\n"
    if !arguments.isEmpty {
      text += "\nArguments\n"
      text += Command.list(arguments.map { ($0.name, $0.help) }, width)
    }
    let rows = options.map { (Command.heading($0), $0.help) } + [("--help", "Shows this text.")]
    text += "\nOptions\n" + Command.list(rows, width)
    if !discussion.isEmpty {
      text += "\n"
      for paragraph in discussion.split(separator: "\n", omittingEmptySubsequences: false) {
        text += Command.wrapped(String(paragraph), width, indent: 0)
      }
    }
    text += "\nExamples\n" + examples.map { "  \($0)\n" }.joined()
    return text
  }

  private static func heading(_ form: OptionForm) -> String {
    switch form.arity {
    case .flag: form.spelling
    case .single: "\(form.spelling) \(form.placeholder)"
    case .repeated: "\(form.spelling) \(form.placeholder) (repeatable)"
    case .several: "\(form.spelling) \(form.placeholder)…"
    }
  }

  /// Two columns: names up to 28 wide, longer ones on a line of their own.
  private static func list(_ rows: [(name: String, help: String)], _ width: Int) -> String {
    let indent = 32
    var text = ""
    for row in rows {
      let used = 2 + TextWidth.columns(of: row.name)
      let help = wrapped(row.help, width, indent: indent)
      if used + 2 > indent {
        text += "  \(row.name)\n\(help)"
      } else {
        text += "  \(row.name)" + String(repeating: " ", count: indent - used)
        text += help.drop { $0 == " " }
      }
    }
    return text
  }

  private static func wrapped(_ text: String, _ width: Int, indent: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ").map(String.init) {
      let needed = TextWidth.columns(of: line) + 1 + TextWidth.columns(of: word)
      if line.isEmpty {
        line = word
      } else if indent + needed <= width {
        line += " " + word
      } else {
        lines.append(line)
        line = word
      }
    }
    return (lines + [line]).map { $0.isEmpty ? "\n" : margin + $0 + "\n" }.joined()
  }
}
