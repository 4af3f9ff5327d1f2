import Graphs
import Testing

@testable import Operators

#if canImport(Glibc)
  import Glibc
#endif

/// `Documentation/operators.md` is made from the catalogue:
/// `UPDATE_GOLDEN=1 swift test -c release -Xswiftc -enable-testing --filter OperatorTableTests`.
@Suite struct OperatorTableTests {
  private static let path =
    #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    + "/Documentation/operators.md"

  private let operators: [any Operator.Type] =
    OperatorCatalog.all as [any Operator.Type] + OperatorCatalog.hosted as [any Operator.Type]

  private var text: String {
    var lines = [
      "# Operators", "",
      "Every operator that Apus reads, with the first version of its operator set that is read.",
      "This page is made from `OperatorCatalog`; a test keeps it so. Operators that a model",
      "defines as functions of its own are written out and need not be here.",
    ]
    let domains = Dictionary(grouping: operators) { $0.domain }
    for domain in domains.keys.sorted() where domain != "apus" {
      let operators = (domains[domain] ?? []).sorted { $0.name < $1.name }
      lines += ["", "## \(domain.isEmpty ? "ai.onnx" : domain)", ""]
      lines += ["\(operators.count) operators.", "", "| operator | from version |", "|---|---|"]
      lines += operators.map { "| `\($0.name)` | \($0.sinceVersion) |" }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  @Test func `the page of operators is up to date`() throws {
    if getenv("UPDATE_GOLDEN") != nil {
      let file = try #require(fopen(OperatorTableTests.path, "w"))
      fputs(text, file)
      fclose(file)
    }
    let file = try #require(fopen(OperatorTableTests.path, "r"), "run with UPDATE_GOLDEN=1")
    defer { fclose(file) }
    var page = ""
    var line = [CChar](repeating: 0, count: 1000)
    while fgets(&line, Int32(line.count), file) != nil {
      page += line.withUnsafeBufferPointer { buffer in
        buffer.baseAddress.map { String(cString: $0) } ?? ""
      }
    }
    #expect(page == text, "run this test with UPDATE_GOLDEN=1")
  }

  @Test func `no operator is listed twice`() {
    let keys = operators.map { "\($0.domain):\($0.name)" }
    #expect(Set(keys).count == keys.count)
    #expect(keys.count > 150)
  }
}
