import Testing

@testable import Options

private enum Precision: String, CaseIterable { case fp32, bf16, int8 }

private let model = Argument("MODEL", help: "The model.")
private let json = Flag("json", help: "Prints JSON.")
private let threads = Option<Int>.integer("threads", in: 1...64, help: "Worker threads.")
private let precision = Option<Precision>.choice("precision", help: "How to compute.")
private let inputs = Option<String>.text("input", "FILE", help: "Inputs.").several()
private let outputs = Option<String>.text("o", "FILE", help: "Outputs.").repeated()
private let memory = Option<Int>.size("memory", help: "Most memory.")
private let budget = Option<Double>.seconds("time-budget", help: "Most time.")
private let shape = Option<ShapeSet>.shapes("shape", help: "Input shapes.").repeated()
private let score = Option<Double>.number("score", in: 0...1, help: "Least score.")
private let except = Option<[String]>.list("except", "NAME,…", help: "Left out.")

private let command = Command(
  "run", summary: "Runs a model.", discussion: "One paragraph.", arguments: [model],
  options: [
    json, threads, precision, inputs, outputs, memory, budget, shape, score, except,
  ],
  examples: ["apus run model.apus --input cat.jpg"])

@Suite struct `A command line` {
  private func failure(_ words: String...) -> String? {
    do throws(UsageError) {
      _ = try command.parse(words)
      return nil
    } catch { return error.message }
  }

  @Test func `is read in every form`() throws {
    let given = try command.parse([
      "--input", "a.png", "b.png", "--threads=4", "m.apus", "-o", "x.json", "-o=y.npz",
      "--precision", "bf16", "--json", "--memory", "1.5G", "--time-budget", "2m",
      "--shape", "x=1x3x8x8,/in:0=4", "--shape", "s=", "--score", ".5", "--except", "a,b",
    ])
    #expect(given[inputs] == ["a.png", "b.png"])
    #expect(given[model] == "m.apus")
    #expect(given[threads] == 4 && given[json] && given[precision] == .bf16)
    #expect(given[outputs] == ["x.json", "y.npz"])
    #expect(given[memory] == 3 << 29 && given[budget] == 120 && given[score] == 0.5)
    let shapes = given[shape].map(\.shapes)
    #expect(shapes[0].map(\.name) == ["x", "/in:0"])
    #expect(shapes[0].map(\.extents) == [[1, 3, 8, 8], [4]])
    #expect(shapes[1][0].extents == [])
    #expect(given[except] == ["a", "b"])
  }

  @Test func `may leave everything out that is optional`() throws {
    let given = try command.parse(["m.apus"])
    #expect(given[threads] == nil && !given[json] && given[inputs].isEmpty)
  }

  @Test func `ends its options with two dashes`() throws {
    #expect(try command.parse(["--", "--odd-name"])[model] == "--odd-name")
    #expect(try command.parse(["-"])[model] == "-")
  }

  @Test func `that is wrong is answered with what to write`() {
    #expect(failure("m", "--thread", "4") == "unknown option '--thread'. Did you mean '--threads'?")
    #expect(failure("m", "--treads=4") == "unknown option '--treads'. Did you mean '--threads'?")
    #expect(failure("m", "--zzz") == "unknown option '--zzz'.")
    #expect(failure("m", "--threads") == "--threads needs a value: --threads N")
    #expect(failure("m", "--threads", "--json") == "--threads needs a value: --threads N")
    #expect(failure("m", "--threads", "x") == "--threads: 'x' is not a whole number")
    #expect(failure("m", "--threads", "0") == "--threads: 0 is not between 1 and 64")
    #expect(failure("m", "--threads", "-3") == "--threads: -3 is not between 1 and 64")
    #expect(failure("m", "--threads", "1", "--threads", "2")?.contains("twice") == true)
    #expect(failure("m", "--json=1") == "--json takes no value")
    #expect(
      failure("m", "--precision", "bf61")
        == "--precision: 'bf61' is not one of fp32, bf16, int8. Did you mean 'bf16'?")
    #expect(failure("m", "n")?.hasPrefix("'n' is one word too many") == true)
    #expect(failure() == "MODEL missing; usage: apus run MODEL [options]")
    #expect(failure("m", "--memory", "12Q")?.contains("512M") == true)
    #expect(failure("m", "--memory", "99999999T") != nil)
    #expect(failure("m", "--shape", "x=1xx3")?.contains("NAME=1x3x640x640") == true)
    #expect(failure("m", "--shape", "x=1,x=2")?.contains("two shapes") == true)
    #expect(failure("m", "--shape", "1x2,3x4")?.contains("lacks a name") == true)
    #expect(failure("m", "--score", "nan") == "--score: 'nan' is not a number")
    #expect(failure("m", "--score", "2") == "--score: 2 is not between 0.0 and 1.0")
    #expect(failure("m", "--time-budget", "5y") != nil)
    #expect(failure("m", "--input", "") == "--input: the value is empty")
  }

  @Test func `describes itself`() {
    let text = command.help(width: 60)
    for part in ["usage: apus run MODEL [options]", "--threads N", "-o FILE", "--help", "cat.jpg"] {
      #expect(text.contains(part), "\(part)")
    }
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 60 })
    #expect(command.asksForHelp(["m", "--help"]) && !command.asksForHelp(["--", "--help"]))
  }
}

@Suite struct `Values with units` {
  @Test func `are read`() throws {
    #expect(try ValueText.size("1024") == 1024)
    #expect(try ValueText.size("2k") == 2048)
    #expect(try ValueText.size("3MiB") == 3 << 20)
    #expect(try ValueText.size("1GB") == 1 << 30)
    #expect(try ValueText.seconds("250ms") == 0.25)
    #expect(try ValueText.seconds("90") == 90)
    #expect(try ValueText.seconds("1h") == 3600)
  }
}

@Suite struct `A tool` {
  private enum Good: Verb {
    static let command = Command("good", summary: "Does good.", examples: ["apus good"])
    static func run(_ given: Given) throws -> ExitCode { .checkFailed }
  }

  private struct Bad: Error {}

  private enum Failing: Verb {
    static let command = Command("fails", summary: "Fails.", examples: ["apus fails"])
    static func run(_ given: Given) throws -> ExitCode { throw Bad() }
  }

  private let tool = Tool("apus", summary: "Test.", version: "0", verbs: [Good.self, Failing.self])
  {
    _ in ("failed", .badInput)
  }

  @Test func `ends with the code of what happened`() {
    #expect(tool.run([]) == .usage)
    #expect(tool.run(["goood"]) == .usage)
    #expect(tool.run(["good", "extra"]) == .usage)
    #expect(tool.run(["good"]) == .checkFailed)
    #expect(tool.run(["fails"]) == .badInput)
  }
}
