/// Puts the results of one stream back into order where several workers finish out of order.
///
/// Every frame gets a ticket when a worker takes it, without gaps; one whose work failed still has
/// to arrive, as nil.
struct Sequencer<Element> {
  private var early: [Int: Element?] = [:]
  /// The ticket that goes next.
  private(set) var next = 0
  /// Tickets that arrived without a result.
  private(set) var gapCount = 0

  /// The results that wait for an earlier one.
  var waitingCount: Int { early.count }

  /// Takes a result, or nil for one that there will never be; returns what can go now, in order.
  ///
  /// A ticket that has gone or waits already changes nothing.
  mutating func insert(_ element: Element?, ticket: Int) -> [Element] {
    guard ticket >= next, early[ticket] == nil else { return [] }
    guard ticket == next else {
      early[ticket] = .some(element)
      return []
    }
    var ready: [Element] = []
    var current: Element?? = .some(element)
    while case .some(let arrived) = current {
      if let arrived { ready.append(arrived) } else { gapCount += 1 }
      next += 1
      current = early.removeValue(forKey: next)
    }
    return ready
  }
}
