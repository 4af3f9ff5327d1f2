import Testing

/// Which room may look at which: the architecture as a table. A room may also import what its
/// imports import.
private let table: [String: Set<String>] = [
  // C.
  "CKernels": [], "CLinux": [], "CMedia": [], "CApus": [], "CZip": [], "CTurboJPEG": [],
  "CFreeType": [], "CFFmpeg": [], "CWebP": [],
  // What a device needs.
  "Tensors": [],
  "Files": [],
  "Texts": [],
  "Kernels": ["CKernels"],
  "Instructions": ["Tensors", "Kernels", "CKernels", "CLinux"],
  "Planner": ["Tensors", "Instructions"],
  "ModelFile": ["Tensors", "Instructions", "Files", "Texts", "CLinux"],
  "Runtime": ["ModelFile", "Planner", "Instructions", "CLinux"],
  "Archives": ["Tensors", "Files", "CZip"],
  "Imaging": [
    "Tensors", "Kernels", "CKernels", "ModelFile", "Files", "CMedia",
  ],
  "Pictures": ["Imaging", "CTurboJPEG"],
  "Drawing": ["Imaging", "CFreeType"],
  "Detections": ["Tensors", "ModelFile", "Texts"],
  "Media": ["CMedia", "CFFmpeg", "CWebP"],
  "Pipelines": ["Runtime", "Pictures", "Drawing", "Detections", "Files", "Texts", "CLinux"],
  // The compiler.
  "Graphs": ["Tensors", "Texts"],
  "Operators": ["Graphs", "Instructions"],
  "Importers": ["Operators", "Files"],
  "Accuracy": ["Tensors", "Texts"],
  "Compilation": ["Operators", "Planner", "ModelFile", "Runtime", "Accuracy"],
  "Staging": ["Compilation", "Pictures"],
  // The C interface.
  "ApusC": ["Runtime", "Imaging", "Detections", "CApus"],
  "ApusCompiling": ["ApusC", "Importers", "Compilation", "Staging"],
  // The command line.
  "Options": ["Texts", "Files"],
  "apus": [
    "Options", "Importers", "Staging",
    "Compilation", "Imaging", "Detections", "Pipelines", "Archives",
    "Accuracy",
  ],
  "ApusMain": ["apus"],
]

private let deviceRooms: Set<String> = [
  "Tensors", "Kernels", "Instructions", "Planner", "ModelFile", "Runtime", "Imaging", "Pictures",
  "Drawing", "Detections", "Media", "Pipelines", "ApusC",
]
private let compilerRooms: Set<String> = [
  "Graphs", "Operators", "Importers", "Compilation", "Staging",
]
/// Rooms whose programs are counted in megabytes: not even the small Foundation.
private let withoutFoundation: Set<String> = [
  "Tensors", "Kernels", "Instructions", "Planner", "ModelFile", "Runtime", "Files", "Texts",
]

private func reachable(from room: String) -> Set<String> {
  var found: Set<String> = []
  var open = Array(table[room] ?? [])
  while let next = open.popLast() {
    if found.insert(next).inserted { open += table[next] ?? [] }
  }
  return found
}

/// The modules that a file imports, with the numbers of the lines.
private func imports(of file: SourceTree.File) -> [(line: Int, module: String)] {
  file.code.enumerated().compactMap { index, line in
    let words = line.split { $0 == " " || $0 == ";" }
    guard let position = words.firstIndex(of: "import"), position < words.count - 1,
      words[..<position].allSatisfy({
        ["public", "package", "internal", "private", "fileprivate"].contains($0)
          || $0.hasPrefix("@")
      })
    else { return nil }
    let module = words[position + 1].split(separator: ".").first.map(String.init) ?? ""
    return (index + 1, module)
  }
}

@Suite struct `Rooms` {
  @Test func `all stand in the table`() {
    #expect(SourceTree.rooms.count > 20, "the sources were not found at \(SourceTree.root)")
    for room in SourceTree.rooms.sorted() where table[room] == nil {
      Issue.record("Sources/\(room): add the room, and what it may import, to \(#fileID)")
    }
  }

  @Test func `import only what the table allows them`() {
    let system: Set<String> = ["Glibc", "Synchronization"]
    for file in SourceTree.files {
      guard let room = file.room, file.isSwift else { continue }
      let allowed = reachable(from: room).union(system)
      for (line, module) in imports(of: file) where !allowed.contains(module) {
        if module == "FoundationEssentials", !withoutFoundation.contains(room) { continue }
        let remedy =
          module.hasPrefix("Foundation")
          ? "do without Foundation here" : "move the code, or argue for a new row in the table"
        Issue.record("\(file.path):\(line): \(room) must not import \(module); \(remedy)")
      }
    }
  }

  @Test func `are declared in the manifest as in the table`() throws {
    let manifest = try #require(SourceTree.files.first { $0.path == "Package.swift" })
    let text = manifest.lines.joined().filter { $0 != " " }
    var count = 0
    for piece in text.split(separator: "room(\"").dropFirst() {
      let name = String(piece.prefix { $0 != "\"" })
      let rest = piece.dropFirst(name.count + 1)
      guard rest.hasPrefix(",[") || rest.hasPrefix(")") else { continue }
      count += 1
      let list = rest.hasPrefix(",[") ? rest.dropFirst(2).prefix { $0 != "]" } : ""
      let names = list.split(separator: ",").map { String($0.filter { $0 != "\"" }) }
      for other in names where !reachable(from: name).contains(other) {
        Issue.record(
          "Package.swift: \(name) must not depend on \(other); see the table in \(#fileID)")
      }
    }
    #expect(count > 15, "the manifest's rooms were not found")
  }

  @Test func `that run models never reach the compiler`() {
    for room in deviceRooms.sorted() {
      let reached = reachable(from: room).intersection(compilerRooms)
      #expect(reached.isEmpty, "\(room) reaches \(reached.sorted()): devices need no compiler")
    }
  }

  @Test func `have no circle among them`() {
    for room in table.keys.sorted() {
      #expect(!reachable(from: room).contains(room), "\(room) imports itself by way of others")
    }
  }

  @Test func `and tests never import the whole of Foundation`() {
    for file in SourceTree.files where file.isSwift {
      for (line, module) in imports(of: file) where module == "Foundation" {
        Issue.record("\(file.path):\(line): import FoundationEssentials, or nothing of it")
      }
    }
  }

  @Test func `are all described in ARCHITECTURE.md`() {
    guard let text = SourceTree.text("ARCHITECTURE.md") else { return }
    let words = Set(text.split { !$0.isLetter }.map(String.init))
    for room in SourceTree.rooms.sorted() where !words.contains(room) {
      Issue.record("ARCHITECTURE.md: says nothing about the room \(room); add a line")
    }
  }
}
