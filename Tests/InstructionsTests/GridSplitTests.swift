import Testing

@testable import Instructions

@Suite struct GridSplitTests {
  @Test func `takes the least of the largest shares, by rows where they are equal`() {
    let even = GridSplit(rows: 64, columns: 8, parts: 2)
    #expect((even.rowParts, even.columnParts) == (2, 1))
    let odd = GridSplit(rows: 7, columns: 8, parts: 2)
    #expect((odd.rowParts, odd.columnParts) == (1, 2))
  }

  @Test func `prefers rows to a slightly better split of columns`() {
    #expect(GridSplit(rows: 197, columns: 12, parts: 2).columnParts == 2)
    #expect(GridSplit(rows: 197, columns: 12, parts: 2, prefersRows: true).columnParts == 1)
    #expect(GridSplit(rows: 7, columns: 8, parts: 2, prefersRows: true).columnParts == 2)
  }

  @Test func `shares cover the grid once`() {
    for (rows, columns, parts) in [(197, 12, 2), (7, 8, 2), (3, 5, 4), (1, 1, 3), (9, 2, 4)] {
      for prefersRows in [false, true] {
        let split = GridSplit(
          rows: rows, columns: columns, parts: parts, prefersRows: prefersRows)
        var visits = [Int](repeating: 0, count: rows * columns)
        for part in 0..<parts {
          let share = split.share(of: part)
          for row in share.rows {
            for column in share.columns { visits[row * columns + column] += 1 }
          }
        }
        #expect(visits.allSatisfy { $0 == 1 }, "\(rows) × \(columns) for \(parts)")
      }
    }
  }
}
