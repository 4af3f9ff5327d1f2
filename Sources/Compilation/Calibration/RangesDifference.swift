/// What differs between two ranges tables.
package struct RangesDifference: Sendable {
  /// A value of both tables whose range differs.
  package struct Moved: Sendable {
    package let name: String
    package let before: ValueRange
    package let after: ValueRange
    /// The larger of the ends' movements, as a share of the wider of the two ranges.
    package let share: Double
  }

  /// Values of the first table only, in its order.
  package let removed: [String]
  /// Values of the second table only, in its order.
  package let added: [String]
  /// The most moved first; those that moved equally in the order of the first table.
  package let moved: [Moved]
  /// The values of both whose ranges are the same.
  package let equalCount: Int

  package init(_ before: Ranges, _ after: Ranges) {
    let (first, second) = (before.listedNames, after.listedNames)
    let (firstSet, secondSet) = (Set(first), Set(second))
    removed = first.filter { !secondSet.contains($0) }
    added = second.filter { !firstSet.contains($0) }
    var moved: [Moved] = []
    var equal = 0
    for name in first where secondSet.contains(name) {
      let (old, new) = (before.values[name], after.values[name])
      guard old?.low != new?.low || old?.high != new?.high else {
        equal += 1
        continue
      }
      // A range that became infinite, or was, has moved without bounds.
      let everything = ValueRange(low: -.infinity, high: .infinity)
      guard let old, let new else {
        moved.append(
          Moved(
            name: name, before: old ?? everything, after: new ?? everything, share: .infinity))
        continue
      }
      moved.append(
        Moved(
          name: name, before: old, after: new, share: RangesDifference.share(old, new)))
    }
    self.moved = moved.enumerated()
      .sorted { ($1.element.share, $0.offset) < ($0.element.share, $1.offset) }.map(\.element)
    equalCount = equal
  }

  private static func share(_ old: ValueRange, _ new: ValueRange) -> Double {
    let movement = max(
      abs(Double(old.low) - Double(new.low)), abs(Double(old.high) - Double(new.high)))
    let width = max(Double(old.high) - Double(old.low), Double(new.high) - Double(new.low))
    return width > 0 ? movement / width : .infinity
  }
}
