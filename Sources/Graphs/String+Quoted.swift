extension String {
  /// The text in quotation marks, fit for a message: control characters are escaped, and what is
  /// very long is cut.
  package var quoted: String {
    var text = "\""
    for (index, scalar) in unicodeScalars.enumerated() {
      if index == 200 {
        text += "…"
        break
      }
      switch scalar {
      case "\"", "\\":
        text += "\\"
        text.unicodeScalars.append(scalar)
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      default:
        if scalar.properties.generalCategory == .control {
          text += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    return text + "\""
  }
}
