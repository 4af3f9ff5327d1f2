import Testing

/// Something that must not stand in the code (comments and strings do not count).
private struct BannedCall {
  /// What to look for; a letter before it does not count as a match.
  let token: String
  let remedy: String
  /// Rooms where it may stand.
  var rooms: Set<String> = []
  /// Files where it may stand.
  var files: Set<String> = []
}

private let bannedCalls: [BannedCall] = [
  BannedCall(token: "try!", remedy: "handle the error or pass it on"),
  BannedCall(token: "as!", remedy: "use as? and handle nil"),
  BannedCall(
    token: "fatalError(", remedy: "throw; a programmer's error is a precondition",
    // Running out of memory has no other end.
    files: ["Sources/Tensors/TensorBuffer.swift", "Sources/Imaging/RowBuffer.swift"]),
  BannedCall(token: "String(format:", remedy: "use NumberText: String(format:) needs ICU"),
  BannedCall(
    token: "print(", remedy: "results go through Console.output, in the executable only",
    rooms: ["apus"]),
  BannedCall(token: "debugPrint(", remedy: "remove it"),
  BannedCall(
    token: "unsafeBitCast(", remedy: "use bitPattern or withMemoryRebound",
    // What dlsym returns becomes a function in no other way.
    files: ["Sources/Imaging/MediaLibrary.swift"]),
]

/// Files above the soft limit of 500 lines, each with its reason.
private let longFiles: [String: String] = [:]


/// Where `!` after a value is right, each with its reason.
private let forcedUnwraps: [String: String] = [
  "Sources/Tensors/TensorBuffer.swift": "a pointer made from the constant 64 is not null"
]

@Suite struct `Sources` {
  @Test func `are not too long`() {
    for file in SourceTree.files where !file.path.hasSuffix(".inc") {
      let count = file.lines.count
      let isKernel = file.room == "CKernels" && file.path.hasSuffix(".c")
      if isKernel, count > 450 {
        Issue.record("\(file.path):451: \(count) lines; a kernel file has at most 450: split it")
      } else if count > 800 {
        Issue.record("\(file.path):801: \(count) lines; at most 800: split it by concern")
      } else if count > 500, longFiles[file.path] == nil {
        Issue.record(
          "\(file.path):501: \(count) lines; split it, or give the reason in \(#fileID)")
      }
    }
  }

  @Test func `have lines of at most 100 columns`() {
    for file in SourceTree.files {
      for (index, line) in file.lines.enumerated() where line.count > 100 {
        Issue.record(
          "\(file.path):\(index + 1): \(line.count) columns; at most 100: run 'make format'")
      }
    }
  }

  @Test func `have neither tabs nor spaces at the ends of lines`() {
    for file in SourceTree.files {
      for (index, line) in file.lines.enumerated() where line.hasSuffix(" ") || line.contains("\t")
      {
        Issue.record("\(file.path):\(index + 1): a tab or a space at the end: run 'make format'")
      }
    }
  }

  @Test func `call nothing that is banned`() {
    for file in SourceTree.files where file.isSwift {
      guard let room = file.room else { continue }
      let calls = bannedCalls.filter {
        !$0.rooms.contains(room) && !$0.files.contains(file.path)
      }
      for (index, line) in file.code.enumerated() {
        for call in calls where contains(line, call.token) {
          Issue.record("\(file.path):\(index + 1): \(call.token)…: \(call.remedy)")
        }
      }
    }
  }

  @Test func `force no unwrapping`() {
    for file in SourceTree.files where file.isSwift && file.room != nil {
      if forcedUnwraps[file.path] != nil { continue }
      for (index, line) in file.code.enumerated() where forcesUnwrapping(line) {
        Issue.record("\(file.path):\(index + 1): '!' after a value: use guard let and an error")
      }
    }
  }

  @Test func `leave nothing open and name no machine`() {
    // Put together here, so that this file does not find itself.
    let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
    let paths = ["/wo" + "rk/", "/tmp/ap" + "us/", "/ro" + "ot/"]
    for file in SourceTree.files {
      for (index, line) in file.lines.enumerated() {
        for word in words where line.split(whereSeparator: { !$0.isLetter }).contains(word[...]) {
          Issue.record("\(file.path):\(index + 1): \(word): do it, or open an issue")
        }
        for path in paths where line.contains(path) {
          Issue.record("\(file.path):\(index + 1): the path of a machine: derive it from #filePath")
        }
      }
    }
  }

  /// Finds `token` where no letter, digit, point or underscore stands before it.
  private func contains(_ line: String, _ token: String) -> Bool {
    var rest = line[...]
    while let range = rest.firstRange(of: token) {
      guard range.lowerBound > line.startIndex else { return true }
      let before = line[line.index(before: range.lowerBound)]
      if !before.isLetter, !before.isNumber, before != ".", before != "_" { return true }
      rest = rest[range.upperBound...]
    }
    return false
  }

  /// Finds `!` right behind a name, `)` or `]` and before what may follow a value. `try!` and
  /// `as!` have a rule of their own.
  private func forcesUnwrapping(_ line: String) -> Bool {
    let characters = Array(line)
    for index in characters.indices.dropFirst() where characters[index] == "!" {
      let before = characters[index - 1]
      guard before.isLetter || before.isNumber || ")]_".contains(before) else { continue }
      let text = String(characters[..<index])
      if text.hasSuffix("try") || text.hasSuffix("as") { continue }
      let after = index + 1 < characters.count ? characters[index + 1] : " "
      if after != "=" { return true }
    }
    return false
  }

  @Test func `would be caught by these rules`() {
    #expect(forcesUnwrapping("let x = y!") && forcesUnwrapping("f(a[0]!.b)"))
    #expect(!forcesUnwrapping("if !x, y != z, a != b {"))
    #expect(contains("  try! f()", "try!") && !contains("Console.print(x)", "print("))
    #expect(contains("x.print(); print(x)", "print("))
    let file = SourceTree.File(
      path: "x.swift",
      lines: [
        "let a = \"try! \\(b(\"as!\")) x\" // print(1)", "let c = \"\"\"", "  try!", "  \"\"\"",
        "/* try!", "*/ d()", "let e = #\"\\\"as!\"#; f()",
      ])
    let code = file.code
    #expect(code.count == 7 && !code.joined().contains("!") && !code.joined().contains("print"))
    #expect(code[5].contains("d()") && code[6].contains("f()"))
  }
}
