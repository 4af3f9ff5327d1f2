import Testing

@testable import Texts

@Suite struct `JSON` {
  private func failure(_ text: String) -> JSONError? {
    do throws(JSONError) {
      _ = try JSONNode(parsing: text)
      return nil
    } catch { return error }
  }

  @Test func `is read with every kind of value`() throws {
    let node = try JSONNode(
      parsing: #" {"a":[1,-2.5e3,true,false,null],"é":"\u00e9\ud83d\ude00\n\/","n":{}} "#)
    let elements = try #require(node["a"]?.elements)
    #expect(elements[0].integer == 1 && elements[1].number == -2500)
    #expect(elements[2].bool == true && elements[3].bool == false && elements[4].isNull)
    #expect(node["é"]?.string == "é😀\n/")
    #expect(node["n"]?.fields?.isEmpty == true)
    #expect(node.fields?.map(\.key) == ["a", "é", "n"])
    let half = try JSONNode(parsing: "1.5")
    #expect(elements[1].integer == -2500 && half.integer == nil)
  }

  @Test(arguments: [
    ("", 1, 1), ("{", 1, 2), ("[1,]", 1, 4), ("{\"a\":1,}", 1, 8), ("{\"a\" 1}", 1, 6),
    ("[01]", 1, 4), ("[1.]", 1, 4), ("[+1]", 1, 2), ("nul", 1, 1), ("\"a", 1, 1),
    ("\"\\x\"", 1, 3), ("\"\\ud800\"", 1, 8), ("1 2", 1, 3), ("[1e999]", 1, 7),
    ("{\n  \"ä\": tru\n}", 2, 8), ("{\"a\":1,\n\"a\":2}", 2, 1), ("'a'", 1, 1), ("\"\t\"", 1, 2),
    ("[1,\n 2\n 3]", 3, 2), ("// x\n1", 1, 1), ("[NaN]", 1, 2),
  ])
  func `that is wrong is refused where it is wrong`(text: String, line: Int, column: Int) {
    let error = failure(text)
    #expect(error?.position == TextPosition(line: line, column: column), "\(text): \(error as Any)")
  }

  @Test func `is limited in depth and size`() {
    let deep = String(repeating: "[", count: 65) + String(repeating: "]", count: 65)
    #expect(failure(deep)?.message.contains("64") == true)
    #expect(failure(String(deep.dropFirst().dropLast())) == nil)
    #expect(throws: JSONError.self) { try JSONNode(parsing: Array("[1,2]".utf8), byteLimit: 4) }
    #expect(throws: JSONError.self) { try JSONNode(parsing: [0x22, 0xFF, 0x22]) }
  }

  @Test func `leaves out what nobody needs, but checks it`() throws {
    let bytes = Array("{\"a\":{\"b\":[1,2]},\"c\":{\"a\":3}}".utf8)
    let node = try JSONNode(parsing: bytes, skipping: ["a"])
    #expect(node["a"]?.isNull == true && node["c"]?["a"]?.isNull == true)
    #expect(throws: JSONError.self) {
      try JSONNode(parsing: Array("{\"a\":[1,]}".utf8), skipping: ["a"])
    }
  }

  @Test func `names an unknown key, its place and the nearest known one`() throws {
    let node = try JSONNode(parsing: "{\n  \"model\": 1,\n  \"sourcs\": 2\n}")
    let error = #expect(throws: JSONError.self) {
      try node.requireKeys(["model", "sources", "sinks"])
    }
    #expect(error?.position == TextPosition(line: 3, column: 3))
    #expect(error?.message.hasSuffix("Did you mean 'sources'?") == true)
    #expect(throws: Never.self) { try node.requireKeys(["model", "sourcs"]) }
  }

  @Test func `is written so that it reads back`() throws {
    for isIndented in [false, true] {
      var json = JSONWriter(isIndented: isIndented)
      json.object {
        $0.field("text", "a\"\\\n\u{1}é")
        $0.field("number", 0.1)
        $0.field("float", Float(0.1))
        $0.field("nothing", nil)
        $0.field("nan", Double.nan)
        $0.field("box", [1.5, 2])
        $0.array("list") {
          for index in 0..<3 { $0.element(index) }
          $0.object { $0.field("yes", true) }
        }
        $0.object("empty") { _ in }
      }
      let node = try JSONNode(parsing: json.text)
      #expect(node["text"]?.string == "a\"\\\n\u{1}é")
      #expect(node["number"]?.number == 0.1 && node["nothing"]?.isNull == true)
      #expect(node["nan"]?.isNull == true)
      #expect(node["box"]?.elements?.compactMap(\.number) == [1.5, 2])
      #expect(node["list"]?.elements?.last?["yes"]?.bool == true)
      #expect(json.text.contains("\n") == isIndented)
    }
    var line = JSONWriter()
    line.object {
      $0.field("a", 1)
      $0.field("b", "x")
    }
    #expect(line.text == #"{"a":1,"b":"x"}"#)
  }
}
