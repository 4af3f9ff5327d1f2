import Testing

@testable import Texts

@Suite struct `Number text` {
  @Test func `has the digits that were asked for`() {
    #expect(NumberText.fixed(2.5, decimals: 2) == "2.50")
    #expect(NumberText.fixed(-0.125, decimals: 0) == "-0")
    #expect(NumberText.fixed(1e20, decimals: 1) == "100000000000000000000.0")
    #expect(NumberText.fixed(.nan, decimals: 3) == "nan")
    #expect(NumberText.significant(0.0123456, digits: 3) == "0.0123")
    #expect(NumberText.significant(-.infinity, digits: 3) == "-inf")
    #expect(NumberText.grouped(-1_234_567) == "-1,234,567")
    #expect(NumberText.grouped(999) == "999")
  }

  @Test func `has fitting units`() {
    #expect(NumberText.bytes(1023) == "1023 B")
    #expect(NumberText.bytes(1536) == "1.5 KiB")
    #expect(NumberText.bytes((1 << 30) - 1) == "1.0 GiB")
    #expect(NumberText.seconds(0.00125) == "1.25 ms")
    #expect(NumberText.seconds(83e-9) == "83 ns")
    #expect(NumberText.seconds(12.34) == "12.3 s")
    #expect(NumberText.seconds(200) == "3 min 20 s")
    #expect(NumberText.seconds(7320) == "2 h 2 min")
  }
}

@Suite struct `A suggestion` {
  private static let words = ["threads", "thread-names", "input", "output", "isa", "precision"]

  @Test(arguments: [
    ("thread", "threads"), ("inptu", "input"), ("Input", "input"), ("presision", "precision"),
    ("iso", "isa"), ("prec", "precision"), ("thread_names", "thread-names"),
  ])
  func `is the nearest word`(word: String, expected: String) {
    #expect(Suggestion.nearest(word, in: Self.words) == expected)
  }

  @Test(arguments: ["", "zebra", "xy", "completely"])
  func `is absent where nothing is near`(word: String) {
    #expect(Suggestion.nearest(word, in: Self.words) == nil)
  }

  @Test func `counts insertions, deletions, replacements and swaps`() {
    func distance(_ a: String, _ b: String) -> Int {
      Suggestion.editDistance(Array(a.unicodeScalars), Array(b.unicodeScalars))
    }
    #expect(distance("kitten", "sitting") == 3)
    #expect(distance("ab", "ba") == 1)
    #expect(distance("", "abc") == 3)
    #expect(distance("ca", "abc") == 3)
  }
}

@Suite struct `A text table` {
  @Test func `aligns columns by what they take on a terminal`() {
    var table = TextTable([(heading: "name", alignment: .left), (heading: "ms", alignment: .right)])
    table.add(["猫", "1.5"])
    table.add(["cafe\u{301}", "12.25"])
    table.add(["x"])
    #expect(table.text == "name     ms\n猫      1.5\ncafe\u{301}  12.25\nx\n")
  }

  @Test func `cuts text to fit`() {
    #expect(TextWidth.truncated("abcdef", to: 4) == "abc…")
    #expect(TextWidth.truncated("abcd", to: 4) == "abcd")
    #expect(TextWidth.truncated("猫猫猫", to: 4) == "猫…")
  }
}
