/// Holds the frames of one stream that wait, at most so many, and counts what its policy drops.
struct FrameQueue<Element> {
  /// What became of an offered element.
  enum Offer: Equatable {
    case accepted
    /// It was not taken: the queue is full and its policy is to wait.
    case full
  }

  let policy: PipelineConfiguration.OverflowPolicy
  let capacity: Int
  private var waiting: [Element] = []
  /// Elements that were dropped because the queue was full.
  private(set) var dropCount = 0
  private var offerCount = 0
  private var depthSum = 0
  /// The most elements that waited at once.
  private(set) var deepest = 0

  /// Makes an empty queue.
  ///
  /// - Parameter capacity: at least 1; less counts as 1.
  init(_ policy: PipelineConfiguration.OverflowPolicy, capacity: Int) {
    self.policy = policy
    self.capacity = max(1, capacity)
  }

  var count: Int { waiting.count }
  var isEmpty: Bool { waiting.isEmpty }
  var isFull: Bool { waiting.count >= capacity }
  var first: Element? { waiting.first }

  /// How many elements waited, on average, when another one came.
  var meanDepth: Double { offerCount == 0 ? 0 : Double(depthSum) / Double(offerCount) }

  /// Adds an element, or does with it what the policy says.
  mutating func offer(_ element: Element) -> Offer {
    if isFull, policy == .block { return .full }
    offerCount += 1
    depthSum += waiting.count
    if isFull {
      switch policy {
      case .block: return .full
      case .dropOldest:
        waiting.removeFirst()
        dropCount += 1
      case .dropNewest:
        dropCount += 1
        return .accepted
      case .latest: dropCount += removeAll()
      }
    }
    waiting.append(element)
    deepest = max(deepest, waiting.count)
    return .accepted
  }

  /// Removes the element that waits longest.
  mutating func take() -> Element? { waiting.isEmpty ? nil : waiting.removeFirst() }

  /// Removes all elements; returns their number.
  mutating func removeAll() -> Int {
    defer { waiting.removeAll(keepingCapacity: true) }
    return waiting.count
  }
}
