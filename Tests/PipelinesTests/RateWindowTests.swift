import Testing

@testable import Pipelines

@Suite struct `Parts of a run` {
  @Test func `have the rates between marks`() {
    var windows = RateWindows()
    windows.note(frames: 5, at: 0.25)
    #expect(windows.rates.isEmpty)
    windows.note(frames: 30, at: 0.5)
    windows.note(frames: 40, at: 1)
    #expect(windows.rates == [100, 20])
  }

  @Test func `are joined where there are many`() {
    var windows = RateWindows()
    for mark in 1...100_000 { windows.note(frames: mark * 3, at: Double(mark) * 0.25) }
    #expect((RateWindows.limit / 4...RateWindows.limit).contains(windows.rates.count))
    #expect(windows.rates.allSatisfy { abs($0 - 12) < 1e-9 })
  }
}
