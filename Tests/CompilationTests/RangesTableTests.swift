import Testing

@testable import Compilation

@Suite struct RangesTableTests {
  private func message(_ lines: String...) -> String {
    do throws(CompileError) {
      let ranges = try Ranges(
        parsing: lines.joined(separator: "\n"), path: "ranges.txt")
      return "\(ranges.values.count) values"
    } catch {
      return error.description
    }
  }

  private let first = "# apus ranges 1"

  @Test func `a table reads back as it was written`() throws {
    var ranges = Ranges(values: [:], method: "kl", sampleCount: 200, isOnData: false)
    let numbers: [Float] = [
      0, 1, -1, 0.1, 1 / 3, 1e-20, 16_777_215, .greatestFiniteMagnitude, .leastNonzeroMagnitude,
    ]
    let names = [
      "images", "/model.0/conv/Conv_output_0", "a name", "say \"x\"", "back\\slash", "#1", "tab\t",
      "method:", "zwölf", "line\nbreak", "\u{2028}", "", "infinite", "channels", "a#b",
      "#\u{355}mark", "\u{600}:",
    ]
    for (index, name) in names.enumerated() {
      let high = numbers[index % numbers.count]
      ranges.values[name] = ValueRange(
        low: -high, high: abs(high),
        channels: index % 3 == 0
          ? numbers.map { ValueRange.Channel(low: -abs($0), high: abs($0)) } : nil)
      if high < 0 { ranges.values[name]?.low = high }
    }
    ranges.order = names + ["mask"]
    ranges.infinite = ["mask"]
    let read = try Ranges(parsing: ranges.text)
    #expect(read.values == ranges.values)
    #expect(read.infinite == ["mask"])
    #expect(read.order == names + ["mask"])
    #expect(read.method == "kl")
    #expect(read.sampleCount == 200)
    #expect(!read.isOnData)
    #expect(read.text == ranges.text)
    #expect(ranges.text.contains("NOT CALIBRATED ON DATA"))
  }

  @Test func `is written so that people can read it`() {
    var ranges = Ranges(values: [:], method: "minmax", sampleCount: 3)
    ranges.values = [
      "b": ValueRange(low: 0, high: 6), "z z": ValueRange(low: -1.5, high: 2),
      "a": ValueRange(
        low: 0, high: 1, channels: [.init(low: 0, high: 1), .init(low: 0, high: 0.5)]),
    ]
    ranges.order = ["b", "a"]
    #expect(
      ranges.text == """
        # apus ranges 1
        # One value per line: NAME LOW HIGH, then its channels if they are known.
        # A value marked infinite has no range and stays float.
        method: minmax
        samples: 3
        b 0 6
        a 0 1 channels 0:1 0:0.5
        "z z" -1.5 2

        """)
  }

  @Test func `may have comments, blank lines, spaces and Windows line ends`() throws {
    let text = "# apus ranges 1\r\n\r\n  # why\r\nx   -1\t2 # narrower\r\n\"y\" 0 0\r\n"
    let ranges = try Ranges(parsing: text)
    #expect(ranges.values["x"] == ValueRange(low: -1, high: 2))
    #expect(ranges.values["y"] == ValueRange(low: 0, high: 0))
    #expect(ranges.sampleCount == 0)
    #expect(ranges.isOnData)
  }

  @Test func `a wrong first line is named`() {
    #expect(
      message("x 0 1")
        == "ranges.txt, line 1: a ranges table begins with '# apus ranges 1', but this line is "
        + "'x 0 1'")
    #expect(
      message("# apus ranges 2", "x 0 1")
        == "ranges.txt, line 1: the table has version '2'; this apus reads version 1: make the "
        + "table again with apus calibrate")
    #expect(
      message("")
        == "ranges.txt, line 1: a ranges table begins with '# apus ranges 1', but this line is ''")
  }

  @Test func `a number that is none is named`() {
    #expect(message(first, "x 0 1,5") == "ranges.txt, line 2: \"x\": '1,5' is not a number")
    #expect(message(first, "", "x 0x1 2") == "ranges.txt, line 3: \"x\": '0x1' is not a number")
    #expect(message(first, "x nan 1") == "ranges.txt, line 2: \"x\": 'nan' is no finite number")
    #expect(message(first, "x 0 inf") == "ranges.txt, line 2: \"x\": 'inf' is no finite number")
    #expect(
      message(first, "x 0 1e39")
        == "ranges.txt, line 2: \"x\": 1e39 is too large; float32 ends at 3.4028235e+38")
  }

  @Test func `a line without two numbers is named`() {
    let end = "needs two numbers, its lowest and its highest: NAME LOW HIGH"
    #expect(message(first, "x") == "ranges.txt, line 2: \"x\" \(end)")
    #expect(message(first, "x 1") == "ranges.txt, line 2: \"x\" \(end)")
    #expect(message(first, "x 1 # 2") == "ranges.txt, line 2: \"x\" \(end)")
  }

  @Test func `an impossible range is named`() {
    #expect(
      message(first, "x 2 1")
        == "ranges.txt, line 2: \"x\": the lowest number 2 is above the highest 1; exchange them "
        + "or correct one")
    #expect(
      message(first, "x 0 1 channels 0:1 1:0.5")
        == "ranges.txt, line 2: channel 1 of \"x\": the lowest number 1 is above the highest 0.5; "
        + "exchange them or correct one")
  }

  @Test func `a value that is listed twice is named with both lines`() {
    #expect(
      message(first, "x 0 1", "y 0 1", "\"x\" 0 2")
        == "ranges.txt, line 4: \"x\" is listed twice, first in ranges.txt, line 2; keep one of "
        + "the lines")
  }

  @Test func `words that do not belong there are named`() {
    #expect(
      message(first, "x 0 1 2")
        == "ranges.txt, line 2: \"x\": '2' is not expected here; a line is NAME LOW HIGH, or NAME "
        + "LOW HIGH channels LOW:HIGH …")
    #expect(
      message(first, "x infinite 1")
        == "ranges.txt, line 2: '1' is not expected at the end of the line")
    #expect(
      message(first, "x 0 1 channels")
        == "ranges.txt, line 2: \"x\": no channel follows the word channels")
    #expect(
      message(first, "x 0 1 channels 0:1 2")
        == "ranges.txt, line 2: channel 1 of \"x\": '2' is not LOW:HIGH")
    #expect(
      message(first, "x 0 1 channels 0:one")
        == "ranges.txt, line 2: channel 0 of \"x\": 'one' is not a number")
  }

  @Test func `wrong quotes are named`() {
    #expect(message(first, "\"x 0 1") == "ranges.txt, line 2: a quote is not closed")
    #expect(
      message(first, "\"x\"0 1") == "ranges.txt, line 2: a space is missing behind \"x\"")
    #expect(
      message(first, "x\"y 0 1")
        == "ranges.txt, line 2: 'x' is followed by a quote; a name with quotes in it stands in "
        + "quotes, with \\\" for each")
    #expect(
      message(first, "\"x\\q\" 0 1")
        == "ranges.txt, line 2: '\\q' is unknown in quotes; known are \\\" \\\\ \\n \\t \\u{…}")
    #expect(
      message(first, "\"x\\u{d800}\" 0 1")
        == "ranges.txt, line 2: \\u needs a character's number in braces, as in \\u{e4}")
  }

  @Test func `wrong settings are named`() {
    #expect(
      message(first, "methd: kl")
        == "ranges.txt, line 2: methd: is no setting; settings are method, samples and data. Did "
        + "you mean 'method'?")
    #expect(message(first, "method:") == "ranges.txt, line 2: method: has no value")
    #expect(
      message(first, "method: kl", "method: kl")
        == "ranges.txt, line 3: method: is given twice; keep one of the lines")
    #expect(
      message(first, "method: kl mse")
        == "ranges.txt, line 2: 'mse' is not expected at the end of the line")
    #expect(
      message(first, "samples: -1")
        == "ranges.txt, line 2: samples: '-1' is not a number of samples")
    #expect(
      message(first, "data: good") == "ranges.txt, line 2: data: 'good' is neither random nor real")
    #expect(
      message(first, "x 0 1", "method: kl")
        == "ranges.txt, line 3: method: stands behind a value; settings come before the first value"
    )
    #expect(message(first, ": 1") == "ranges.txt, line 2: a setting without a name")
  }

  @Test func `is checked against the model`() throws {
    let values: [(name: String, channelCount: Int?)] = [
      ("images", 3), ("logits", nil), ("mask", nil),
    ]
    func message(_ lines: String...) throws -> String {
      let ranges = try Ranges(
        parsing: ([first] + lines).joined(separator: "\n"), path: "ranges.txt")
      do throws(CompileError) {
        try ranges.validate(against: values)
        return "right"
      } catch {
        return error.description
      }
    }
    #expect(try message("images 0 1", "logits 0 0", "mask infinite") == "right")
    #expect(try message("images 0 1 channels 0:1 0:1 0:1", "logits 0 1", "mask 0 1") == "right")
    #expect(
      try message("images 0 1", "logit 0 1", "mask 0 1")
        == "ranges.txt, line 3: the model has no value \"logit\" that takes a range. Did you mean "
        + "'logits'?")
    #expect(
      try message("images 0 1 channels 0:1", "logits 0 1", "mask 0 1")
        == "ranges.txt, line 2: \"images\" has 3 channels in the model, but the table lists 1")
    #expect(
      try message("images 0 1", "logits 0 1 channels 0:1", "mask 0 1")
        == "ranges.txt, line 3: \"logits\" has no channels in the model, but the table lists 1; "
        + "remove them")
    #expect(
      try message("images 0 1")
        == "the table lacks 2 of the model's 3 values: \"logits\", \"mask\"; add a line NAME LOW "
        + "HIGH for each, or make the table again with apus calibrate")
  }

  @Test func `two tables are compared, the most moved first`() throws {
    let a = try Ranges(parsing: "\(first)\na 0 1\nb 0 10\nc 0 1\nd 0 1\ngone 0 1")
    let b = try Ranges(parsing: "\(first)\na 0 1\nb 0 11\nc 0 2\nd infinite\nnew 0 1")
    let difference = RangesDifference(a, b)
    #expect(difference.removed == ["gone"])
    #expect(difference.added == ["new"])
    #expect(difference.equalCount == 1)
    #expect(difference.moved.map(\.name) == ["d", "c", "b"])
    #expect(difference.moved[1].share == 0.5)
  }
}
