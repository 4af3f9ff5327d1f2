import Testing

/// A type declaration: `struct Name<…>: A, B`.
private struct Declaration {
  let file: String
  let line: Int
  let name: String
  let isGeneric: Bool
  let conformances: [String]
}

private func declarations(in room: String) -> [Declaration] {
  SourceTree.files.filter { $0.room == room && $0.isSwift }.flatMap { file in
    file.code.enumerated().compactMap { index, line in
      let words = line.split(separator: " ")
      guard let keyword = words.firstIndex(where: { ["struct", "enum", "class"].contains($0) }),
        keyword + 1 < words.count, let brace = line.firstIndex(of: "{")
      else { return nil }
      let name = String(words[keyword + 1].prefix { $0.isLetter || $0.isNumber || $0 == "_" })
      let tail = line[..<brace]
      let isGeneric = words[keyword + 1].contains("<")
      let list = isGeneric ? tail.split(separator: ">").last ?? "" : tail
      guard let colon = list.firstIndex(of: ":") else { return nil }
      let conformances = list[list.index(after: colon)...].split { $0 == "," || $0 == " " }
      return Declaration(
        file: file.path, line: index + 1, name: name, isGeneric: isGeneric,
        conformances: conformances.map(String.init))
    }
  }
}

@Suite struct `Catalogues` {
  @Test func `hold every instruction`() throws {
    let path = "Sources/Instructions/InstructionCatalog.swift"
    let catalogue = try #require(SourceTree.text(path))
    let found = declarations(in: "Instructions").filter { $0.conformances.contains("Instruction") }
    #expect(found.count > 10, "the declarations of instructions were not found")
    for declaration in found where !catalogue.contains("\n    \(declaration.name).self,") {
      Issue.record(
        "\(declaration.file):\(declaration.line): add \(declaration.name).self to \(path)")
    }
  }

  @Test func `hold every operator`() throws {
    let path = "Sources/Operators/OperatorCatalog.swift"
    let catalogue = try #require(SourceTree.text(path))
    let all = declarations(in: "Operators")
    let operators = all.filter { $0.conformances.contains("LoweredOperator") }
    #expect(operators.count > 10, "the declarations of operators were not found")
    for declaration in operators {
      let entry = declaration.isGeneric ? " \(declaration.name)<" : " \(declaration.name).self"
      if !catalogue.contains(entry) {
        Issue.record(
          "\(declaration.file):\(declaration.line): add \(declaration.name) to \(path)")
      }
    }
    // What a generic operator is made of: `UnaryOperator<Elementwise.Abs>`.
    for declaration in all
    where declaration.conformances.contains(where: { $0.hasSuffix("Definition") }) {
      let name = declaration.name
      if !catalogue.contains(".\(name)>") && !catalogue.contains("<\(name)>") {
        Issue.record(
          "\(declaration.file):\(declaration.line): add the operator of \(name) to \(path)")
      }
    }
  }

  @Test func `name kernels best first, the reference last`() {
    for file in SourceTree.files where file.name == "kernels.inc" {
      let entries = file.lines.filter { line in
        let text = line.drop { $0 == " " }
        return !text.isEmpty && !text.hasPrefix("//") && !text.hasPrefix("#")
          && !text.hasPrefix("/*") && !text.hasPrefix("*")
      }
      let last = entries.last ?? ""
      #expect(
        last.lowercased().contains("portable") || last.lowercased().contains("reference"),
        "\(file.path): the last kernel must be the portable reference")
    }
  }
}
