import Testing

@testable import Pipelines

@Suite struct `A queue of frames` {
  /// Offers 0..<5 to a queue for 3; returns what is left and what was accepted.
  private func overflow(
    _ policy: PipelineConfiguration.OverflowPolicy
  ) -> (left: [Int], accepted: Int, dropped: Int) {
    var queue = FrameQueue<Int>(policy, capacity: 3)
    var accepted = 0
    for number in 0..<5 where queue.offer(number) == .accepted { accepted += 1 }
    #expect(queue.deepest == 3)
    let dropped = queue.dropCount
    var left: [Int] = []
    while let number = queue.take() { left.append(number) }
    return (left, accepted, dropped)
  }

  @Test func `does with too many what its policy says`() {
    #expect(overflow(.block) == ([0, 1, 2], 3, 0))
    #expect(overflow(.dropOldest) == ([2, 3, 4], 5, 2))
    #expect(overflow(.dropNewest) == ([0, 1, 2], 5, 2))
    #expect(overflow(.latest) == ([3, 4], 5, 3))
  }

  @Test func `of one frame works with every policy`() {
    for policy in PipelineConfiguration.OverflowPolicy.allCases {
      var queue = FrameQueue<Int>(policy, capacity: 0)
      #expect(queue.capacity == 1)
      #expect(queue.offer(1) == .accepted)
      #expect(queue.offer(2) == (policy == .block ? .full : .accepted))
      let expected = policy == .dropOldest || policy == .latest ? 2 : 1
      #expect(queue.take() == expected && queue.take() == nil)
    }
  }

  @Test func `knows how deep it was`() {
    var queue = FrameQueue<Int>(.block, capacity: 4)
    #expect(queue.meanDepth == 0)
    for number in 0..<4 { _ = queue.offer(number) }
    #expect(queue.meanDepth == 1.5)
    #expect(queue.offer(9) == .full)
    #expect(queue.meanDepth == 1.5, "a frame that was not taken does not count")
    #expect(queue.deepest == 4)
    #expect(queue.removeAll() == 4 && queue.isEmpty)
  }

  @Test func `loses nothing that it does not count`() {
    for seed in 0..<200 {
      var random = Numbers(seed: UInt64(seed))
      let policy = PipelineConfiguration.OverflowPolicy.allCases[random.next(4)]
      var queue = FrameQueue<Int>(policy, capacity: 1 + random.next(5))
      var (accepted, taken, last) = (0, 0, -1)
      for number in 0..<200 {
        if random.next(3) > 0 {
          if queue.offer(number) == .accepted { accepted += 1 }
        } else if let first = queue.take() {
          #expect(first > last, "in order")
          last = first
          taken += 1
        }
        #expect(queue.count <= queue.capacity)
        #expect(accepted == taken + queue.count + queue.dropCount)
      }
    }
  }
}

@Suite struct `A batcher` {
  private func batcher(
    streams: Int, batch: Int, capacity: Int = 8, limit: Int = 100
  ) -> Batcher<Int> {
    var batcher = Batcher<Int>(batchSize: batch, deadline: .milliseconds(20))
    for _ in 0..<streams { _ = batcher.addLane(.block, capacity: capacity, limit: limit) }
    return batcher
  }

  private func frames(_ start: Batcher<Int>.Start) -> [Int]? {
    if case .batch(let taken) = start { taken.map(\.element) } else { nil }
  }

  @Test func `gives single frames in turn`() {
    var batcher = batcher(streams: 3, batch: 1)
    for number in 0..<3 {
      for lane in [0, 2] {
        #expect(batcher.offer(10 * lane + number, to: lane, at: .zero) == .accepted)
      }
    }
    var order: [Int] = []
    while let frames = frames(batcher.start()) { order += frames }
    #expect(order == [0, 20, 1, 21, 2, 22])
    #expect(!batcher.isFilling, "batches of one are always full")
  }

  @Test func `shares a batch between streams, evenly`() {
    var batcher = batcher(streams: 3, batch: 4)
    for number in 0..<8 { _ = batcher.offer(number, to: 0, at: .zero) }
    for number in 100..<102 { _ = batcher.offer(number, to: 1, at: .zero) }
    _ = batcher.offer(200, to: 2, at: .zero)
    #expect(frames(batcher.start()) == [0, 100, 200, 1])
    #expect(frames(batcher.start()) == [101, 2, 3, 4])
    #expect(!batcher.isFilling)
  }

  @Test func `a batch that is not full leaves at its deadline`() {
    var batcher = batcher(streams: 2, batch: 4)
    _ = batcher.offer(1, to: 0, at: .milliseconds(5))
    #expect(frames(batcher.start()) == [1])
    #expect(batcher.isFilling)
    guard
      case .wait(let until) = batcher.fill(1, oldest: .milliseconds(5), at: .milliseconds(6))
    else {
      Issue.record("does not wait")
      return
    }
    #expect(until == .milliseconds(25))
    _ = batcher.offer(2, to: 1, at: .milliseconds(10))
    guard case .add(let more) = batcher.fill(1, oldest: .milliseconds(5), at: .milliseconds(10))
    else {
      Issue.record("takes no more")
      return
    }
    #expect(more.map(\.element) == [2])
    guard case .leave = batcher.fill(2, oldest: .milliseconds(5), at: .milliseconds(25)) else {
      Issue.record("does not leave")
      return
    }
    #expect(!batcher.isFilling)
  }

  @Test func `a batch leaves at once when nothing more can come`() {
    var batcher = batcher(streams: 2, batch: 4)
    _ = batcher.offer(1, to: 0, at: .zero)
    _ = batcher.start()
    batcher.close(0)
    guard case .wait = batcher.fill(1, oldest: .zero, at: .zero) else {
      Issue.record("another stream could deliver")
      return
    }
    batcher.close(1)
    guard case .leave = batcher.fill(1, oldest: .zero, at: .zero) else {
      Issue.record("waits for nobody")
      return
    }
    guard case .finished = batcher.start() else {
      Issue.record("not finished")
      return
    }
  }

  @Test func `while a batch is held open others start only full ones`() {
    var batcher = batcher(streams: 1, batch: 2)
    _ = batcher.offer(1, to: 0, at: .zero)
    #expect(frames(batcher.start()) == [1])
    _ = batcher.offer(2, to: 0, at: .zero)
    #expect(!batcher.canStart)
    #expect(frames(batcher.start()) == nil)
    _ = batcher.offer(3, to: 0, at: .zero)
    #expect(frames(batcher.start()) == [2, 3])
  }

  @Test func `a stream whose results are not written gets no turn`() {
    var batcher = batcher(streams: 2, batch: 1, limit: 2)
    for number in 0..<4 { _ = batcher.offer(number, to: 0, at: .zero) }
    #expect(frames(batcher.start()) == [0])
    #expect(frames(batcher.start()) == [1])
    #expect(frames(batcher.start()) == nil)
    _ = batcher.offer(100, to: 1, at: .zero)
    #expect(frames(batcher.start()) == [100], "others go on")
    batcher.release(0)
    #expect(frames(batcher.start()) == [2])
    #expect(frames(batcher.start()) == nil)
  }

  @Test func `a stream is drained when the last result is written`() {
    var batcher = batcher(streams: 1, batch: 1)
    _ = batcher.offer(1, to: 0, at: .zero)
    batcher.close(0)
    #expect(!batcher.isDrained(0))
    _ = batcher.start()
    #expect(!batcher.isDrained(0))
    batcher.release(0)
    #expect(batcher.isDrained(0))
  }

  @Test func `random traffic keeps every stream's order and loses nothing`() {
    for seed in 0..<200 {
      var random = Numbers(seed: UInt64(seed))
      let (streams, size) = (1 + random.next(4), 1 + random.next(4))
      var batcher = batcher(streams: streams, batch: size, capacity: 3, limit: 6)
      var offered = [Int](repeating: 0, count: streams)
      var tickets = [Int](repeating: 0, count: streams)
      var outstanding: [Int] = []
      var held: Int?
      func take(_ frames: [Batcher<Int>.Taken]) {
        for frame in frames {
          #expect(frame.ticket == tickets[frame.lane] && frame.element == frame.ticket)
          tickets[frame.lane] += 1
          outstanding.append(frame.lane)
        }
      }
      for step in 0..<400 {
        let now = Duration.milliseconds(step)
        switch random.next(4) {
        case 0, 1:
          let lane = random.next(streams)
          if batcher.offer(offered[lane], to: lane, at: now) == .accepted { offered[lane] += 1 }
        case 2:
          if let count = held {
            switch batcher.fill(count, oldest: now - .milliseconds(random.next(40)), at: now) {
            case .add(let frames):
              #expect(!frames.isEmpty && count + frames.count <= size)
              take(frames)
              held = count + frames.count
            case .wait: break
            case .leave: held = nil
            }
          } else if case .batch(let frames) = batcher.start() {
            #expect(!frames.isEmpty && frames.count <= size)
            take(frames)
            held = frames.count < size ? frames.count : nil
          }
        default:
          if !outstanding.isEmpty {
            batcher.release(outstanding.remove(at: random.next(outstanding.count)))
          }
        }
        #expect(batcher.isFilling == (held != nil))
        for lane in 0..<streams {
          #expect(offered[lane] == tickets[lane] + batcher.depth(of: lane).count)
          #expect(outstanding.filter { $0 == lane }.count <= 6)
        }
      }
    }
  }
}

@Suite struct `A sequencer` {
  @Test func `restores every order`() {
    for seed in 0..<200 {
      var random = Numbers(seed: UInt64(seed))
      var tickets = Array(0..<30)
      for index in tickets.indices.reversed() {
        tickets.swapAt(index, random.next(index + 1))
      }
      let gaps = Set((0..<5).map { _ in random.next(30) })
      var sequencer = Sequencer<Int>()
      var out: [Int] = []
      for ticket in tickets {
        out += sequencer.insert(gaps.contains(ticket) ? nil : ticket, ticket: ticket)
      }
      #expect(out == (0..<30).filter { !gaps.contains($0) })
      #expect(sequencer.gapCount == gaps.count && sequencer.waitingCount == 0)
      #expect(sequencer.next == 30)
    }
  }

  @Test func `gives nothing before its turn, and nothing twice`() {
    var sequencer = Sequencer<String>()
    #expect(sequencer.insert("b", ticket: 1) == [])
    #expect(sequencer.waitingCount == 1)
    #expect(sequencer.insert("c", ticket: 1) == [])
    #expect(sequencer.insert("a", ticket: 0) == ["a", "b"])
    #expect(sequencer.insert("a", ticket: 0) == [])
    #expect(sequencer.insert(nil, ticket: 2) == [])
    #expect(sequencer.insert("d", ticket: 3) == ["d"])
  }
}
