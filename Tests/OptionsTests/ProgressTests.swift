import Testing

@testable import Options

@Suite struct `Progress` {
  @Test func `is silent when it is quick`() {
    var state = ProgressState(title: "Working", total: 10, isTerminal: true)
    #expect(state.advance(by: 9, note: "", elapsed: 0.4, columns: 80) == nil)
    #expect(state.finish(elapsed: 0.45) == "")
  }

  @Test func `draws a bar with the remaining time on a terminal`() throws {
    var state = ProgressState(title: "Working", total: 4, isTerminal: true)
    let shown = state.advance(by: 1, note: "conv", elapsed: 10, columns: 80)
    let text = try #require(shown)
    #expect(text.hasPrefix("\rWorking ███████░"))
    #expect(text.contains("25 % (1 of 4), 30 s left  conv"))
    #expect(state.advance(by: 1, note: "", elapsed: 10.05, columns: 80) == nil)
    #expect(state.advance(by: 1, note: "", elapsed: 10.2, columns: 80) != nil)
    #expect(state.finish(elapsed: 11) == "\r\u{1B}[K")
  }

  @Test func `never passes the width of the terminal`() throws {
    var state = ProgressState(title: "Working", total: 1000, isTerminal: true)
    for columns in [1, 10, 40, 79, 200] {
      let note = String(repeating: "layer ", count: 40)
      let shown = state.advance(by: 1, note: note, elapsed: Double(columns), columns: columns)
      let text = try #require(shown).dropFirst().dropLast(3)
      #expect(text.count <= max(columns - 1, 1), "\(columns)")
    }
  }

  @Test func `prints plain lines now and then elsewhere`() {
    var state = ProgressState(title: "Working", total: 100, isTerminal: false)
    #expect(state.advance(by: 1, note: "", elapsed: 5, columns: 0) == nil)
    let line = state.advance(by: 49, note: "", elapsed: 12, columns: 0)
    #expect(line == "Working: 50 % (50 of 100), 12 s left\n")
    #expect(state.advance(by: 1, note: "", elapsed: 15, columns: 0) == nil)
    #expect(state.finish(elapsed: 20) == "Working: done in 20 s\n")
    #expect(state.finish(elapsed: 21) == "")
  }

  @Test func `counts where the total is unknown`() {
    var state = ProgressState(title: "Reading", total: 0, isTerminal: false)
    let line = state.advance(by: 1234, note: "", elapsed: 12, columns: 0)
    #expect(line == "Reading: 1,234\n")
  }
}
