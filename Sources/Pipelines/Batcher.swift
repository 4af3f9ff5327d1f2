// The way of frames from the queues of all streams to runs of the model, as a value without
// threads or time.
//
// A worker that is free starts a batch with what waits, one frame of each stream in turn. A batch
// that is full leaves at once. Where frames are missing, one worker at a time holds a batch open:
// it prepares the frames it has, comes back for more, and leaves at the deadline, which counts from
// the arrival of the batch's oldest frame. Others start only full batches meanwhile.
//
// A frame is outstanding from when it is taken until its results are written. A stream whose
// results are not written fast enough has too many outstanding and gets no turn: its sink holds up
// itself, and nobody else.

/// Shares the model between the streams.
struct Batcher<Element> {
  /// A frame on its way.
  struct Taken {
    let lane: Int
    /// The place in its stream's order, without gaps.
    let ticket: Int
    let arrival: Duration
    let element: Element
  }

  /// What a free worker does.
  enum Start {
    /// Run these frames; a batch that is not full is held open by this worker.
    case batch([Taken])
    case wait
    /// There will be no more frames.
    case finished
  }

  /// What a worker does that holds a batch open.
  enum Fill {
    case add([Taken])
    case wait(until: Duration)
    /// The batch is full or late: run it. It is not held open any more.
    case leave
  }

  private struct Waiting {
    let arrival: Duration
    let element: Element
  }

  private struct Lane {
    var queue: FrameQueue<Waiting>
    var isOpen = true
    var nextTicket = 0
    var outstanding = 0
    let limit: Int

    var isReady: Bool { !queue.isEmpty && outstanding < limit }
    var readyCount: Int { max(0, min(queue.count, limit - outstanding)) }
  }

  /// How the queue of a stream is.
  struct Depth: Equatable {
    var capacity: Int
    var count: Int
    var mean: Double
    var deepest: Int
    var dropCount: Int
  }

  let batchSize: Int
  let deadline: Duration
  private var lanes: [Lane] = []
  private var turn = 0
  /// Whether a worker holds a batch open.
  private(set) var isFilling = false

  init(batchSize: Int, deadline: Duration) {
    self.batchSize = max(1, batchSize)
    self.deadline = deadline
  }

  /// Adds a stream; returns its number.
  ///
  /// - Parameter limit: the most frames that are outstanding.
  mutating func addLane(
    _ policy: PipelineConfiguration.OverflowPolicy, capacity: Int, limit: Int
  ) -> Int {
    lanes.append(Lane(queue: FrameQueue(policy, capacity: capacity), limit: max(1, limit)))
    return lanes.count - 1
  }

  // MARK: Streams

  mutating func offer(
    _ element: Element, to lane: Int, at now: Duration
  ) -> FrameQueue<Element>.Offer {
    switch lanes[lane].queue.offer(Waiting(arrival: now, element: element)) {
    case .accepted: .accepted
    case .full: .full
    }
  }

  /// Says that no more frames of this stream will come.
  mutating func close(_ lane: Int) { lanes[lane].isOpen = false }

  /// Forgets the frames of a stream that wait; returns their number.
  mutating func discard(_ lane: Int) -> Int { lanes[lane].queue.removeAll() }

  /// Says that the results of one frame are written.
  mutating func release(_ lane: Int) {
    precondition(lanes[lane].outstanding > 0, "a frame was released that nobody took")
    lanes[lane].outstanding -= 1
  }

  /// Says whether all frames of a stream have gone through.
  func isDrained(_ lane: Int) -> Bool {
    !lanes[lane].isOpen && lanes[lane].queue.isEmpty && lanes[lane].outstanding == 0
  }

  func depth(of lane: Int) -> Depth {
    let queue = lanes[lane].queue
    return Depth(
      capacity: queue.capacity, count: queue.count, mean: queue.meanDepth, deepest: queue.deepest,
      dropCount: queue.dropCount)
  }

  // MARK: Workers

  /// The frames that could be taken now.
  var readyCount: Int { lanes.reduce(0) { $0 + $1.readyCount } }

  /// Whether a free worker would start a batch now.
  var canStart: Bool {
    let ready = readyCount
    return isFilling ? ready >= batchSize : ready > 0
  }

  private var hasEnded: Bool { lanes.allSatisfy { !$0.isOpen && $0.queue.isEmpty } }

  /// Gives work to a free worker.
  mutating func start() -> Start {
    guard canStart else { return hasEnded ? .finished : .wait }
    let taken = take(batchSize)
    if taken.count < batchSize { isFilling = true }
    return .batch(taken)
  }

  /// Goes on with the batch that is held open.
  ///
  /// - Parameters:
  ///   - count: the frames that it has.
  ///   - oldest: when its oldest frame arrived.
  mutating func fill(_ count: Int, oldest: Duration, at now: Duration) -> Fill {
    precondition(isFilling, "no batch is held open")
    if count < batchSize {
      let taken = take(batchSize - count)
      if !taken.isEmpty { return .add(taken) }
      let until = oldest + deadline
      if now < until, !hasEnded { return .wait(until: until) }
    }
    isFilling = false
    return .leave
  }

  /// Removes up to `limit` frames, one of each stream in turn.
  private mutating func take(_ limit: Int) -> [Taken] {
    var taken: [Taken] = []
    var passedOver = 0
    while taken.count < limit, passedOver < lanes.count {
      let lane = turn
      turn = (turn + 1) % lanes.count
      guard lanes[lane].isReady, let waiting = lanes[lane].queue.take() else {
        passedOver += 1
        continue
      }
      passedOver = 0
      taken.append(
        Taken(
          lane: lane, ticket: lanes[lane].nextTicket, arrival: waiting.arrival,
          element: waiting.element))
      lanes[lane].nextTicket += 1
      lanes[lane].outstanding += 1
    }
    return taken
  }
}
