import Testing

@testable import Pipelines

/// Drives a machine by hand.
private struct Driver {
  var machine: SourceMachine
  var now = Duration.zero

  init(_ change: (inout SourceMachine.Rules) -> Void = { _ in }) {
    var rules = SourceMachine.Rules()
    change(&rules)
    machine = SourceMachine(rules, seed: 7)
  }

  @discardableResult
  mutating func send(_ event: SourceMachine.Event, after pause: Duration = .zero)
    -> SourceMachine.Command
  {
    machine.begin(at: now)
    now += pause
    return machine.handle(event, at: now)
  }

  @discardableResult
  mutating func fault(_ kind: SourceMachine.Fault.Kind) -> SourceMachine.Command {
    send(.fault(.init(kind: kind, message: "it broke")))
  }

  /// Closes after a loss and waits until it connects again; returns the pause.
  mutating func retry() -> Duration? {
    guard case .wait(let until) = send(.closed) else { return nil }
    let pause = until - now
    #expect(machine.state == .waiting)
    now = until
    send(.waited)
    #expect(machine.state == .connecting)
    return pause
  }
}

@Suite struct `A source's life` {
  @Test func `a file plays and ends`() {
    var driver = Driver()
    #expect(driver.machine.state == .connecting)
    #expect(driver.send(.opened(isLive: false)) == .read)
    #expect(driver.machine.state == .playing)
    #expect(driver.send(.frame) == .read)
    #expect(driver.send(.end) == .finish)
    #expect(driver.machine.state == .ended)
    #expect(driver.machine.reconnects.isEmpty)
  }

  @Test func `a file that loops begins again until it is stopped`() {
    var driver = Driver { $0.loops = true }
    driver.send(.opened(isLive: false))
    for _ in 0..<3 {
      #expect(driver.send(.frame) == .read)
      #expect(driver.send(.end) == .rewind)
      #expect(driver.send(.rewound) == .read)
    }
    driver.machine.stop()
    #expect(driver.machine.state == .stopped && driver.machine.command == .finish)
  }

  @Test func `a file without frames does not loop for ever`() {
    var driver = Driver { $0.loops = true }
    driver.send(.opened(isLive: false))
    #expect(driver.send(.end) == .finish)
    #expect(driver.machine.state == .failed)
  }

  @Test func `a file that breaks has failed and is not opened again`() {
    for kind in SourceMachine.Fault.Kind.allCases {
      var missing = Driver { $0.reconnects = true }
      #expect(missing.fault(kind) == .finish)
      #expect(missing.machine.state == .failed)
      var broken = Driver { $0.reconnects = true }
      broken.send(.opened(isLive: false))
      broken.send(.frame)
      #expect(broken.fault(kind) == .finish)
      #expect(broken.machine.state == .failed)
    }
  }

  @Test func `a camera that nobody serves is tried for as long as the first connection may take`() {
    var driver = Driver {
      $0.isNetwork = true
      $0.connectTimeout = .seconds(4)
    }
    #expect(driver.machine.command == .open(within: .seconds(4)))
    var attempts = 0
    while driver.machine.state != .failed {
      #expect(driver.fault(.refused) == .close)
      #expect(driver.machine.state == .broken)
      _ = driver.retry()
      attempts += 1
      #expect(attempts < 20)
    }
    #expect(driver.now <= .seconds(4) && driver.now > .seconds(2.5))
    #expect(attempts > 3)
    #expect(driver.machine.reconnects == [.refused: attempts - 1])
    #expect(!driver.machine.wasReached)
  }

  @Test func `it fails at once where it must not connect again`() {
    var driver = Driver {
      $0.isNetwork = true
      $0.reconnects = false
    }
    driver.fault(.refused)
    #expect(driver.send(.closed) == .finish)
    #expect(driver.machine.state == .failed)
    var lost = Driver {
      $0.isNetwork = true
      $0.reconnects = false
    }
    lost.send(.opened(isLive: true))
    lost.send(.frame)
    #expect(lost.send(.end) == .close)
    #expect(lost.send(.closed) == .finish)
    #expect(lost.machine.state == .failed)
  }

  @Test func `with reconnect it is tried for ever, at growing pauses`() {
    var driver = Driver {
      $0.isNetwork = true
      $0.reconnects = true
    }
    var pauses: [Double] = []
    for _ in 0..<12 {
      driver.fault(.timedOut)
      guard let pause = driver.retry() else {
        Issue.record("gave up")
        return
      }
      pauses.append(pause / .seconds(1))
      #expect(driver.machine.command == .open(within: .seconds(10)))
    }
    for (index, pause) in pauses.enumerated() {
      let middle = min(0.5 * Double(1 << index), 30)
      #expect(pause >= 0.79 * middle && pause <= 1.21 * middle, "pause \(index): \(pause) s")
    }
    #expect(Set(pauses).count == pauses.count, "pauses are spread")
    #expect(driver.machine.reconnects == [.timedOut: 12])
  }

  @Test func `a lost camera comes back, and reasons are counted`() {
    var driver = Driver { $0.isNetwork = true }
    driver.send(.opened(isLive: true))
    driver.send(.frame)
    #expect(driver.send(.end) == .close)
    #expect(driver.retry() != nil)
    // Long after the first connection's time.
    driver.now += .seconds(100)
    driver.fault(.refused)
    #expect(driver.retry() != nil)
    driver.send(.opened(isLive: true))
    driver.fault(.broken)
    #expect(driver.retry() != nil)
    driver.send(.opened(isLive: true))
    driver.fault(.timedOut)
    #expect(driver.retry() != nil)
    #expect(
      driver.machine.reconnects == [.ended: 1, .refused: 1, .broken: 1, .silent: 1])
  }

  @Test func `pauses begin small again once it has played for a while`() {
    var driver = Driver { $0.isNetwork = true }
    driver.send(.opened(isLive: true))
    var pauses: [Double] = []
    for _ in 0..<5 {
      driver.send(.frame)
      driver.fault(.broken)
      pauses.append((driver.retry() ?? .zero) / .seconds(1))
      driver.send(.opened(isLive: true))
    }
    #expect(pauses[4] > 6, "it never settled: \(pauses)")
    driver.now += .seconds(11)
    driver.send(.frame)
    driver.fault(.broken)
    #expect((driver.retry() ?? .zero) < .seconds(0.7))
  }

  @Test func `silence is noticed while it reads, and only then`() {
    var driver = Driver { $0.isNetwork = true }
    driver.send(.opened(isLive: true))
    driver.send(.frame)
    // The frame is being handed on: a full queue is not the camera's silence.
    #expect(driver.machine.check(at: driver.now + .seconds(60)) == false)
    driver.machine.begin(at: driver.now)
    #expect(driver.machine.check(at: driver.now + .seconds(4.9)) == false)
    #expect(driver.machine.state == .playing)
    #expect(driver.machine.check(at: driver.now + .seconds(5)) == true)
    #expect(driver.machine.state == .silent)
    #expect(driver.fault(.interrupted) == .close)
    #expect(driver.retry() != nil)
    #expect(driver.machine.reconnects == [.silent: 1])
  }

  @Test func `a frame at the last moment ends the silence`() {
    var driver = Driver { $0.isNetwork = true }
    driver.send(.opened(isLive: true))
    driver.machine.begin(at: driver.now)
    #expect(driver.machine.check(at: driver.now + .seconds(6)) == true)
    #expect(driver.machine.handle(.frame, at: driver.now + .seconds(6)) == .read)
    #expect(driver.machine.state == .playing)
  }

  @Test func `files are never taken for silent`() {
    var driver = Driver()
    driver.machine.begin(at: .zero)
    #expect(driver.machine.check(at: .seconds(1000)) == false)
    driver.send(.opened(isLive: false))
    driver.machine.begin(at: .zero)
    #expect(driver.machine.check(at: .seconds(1000)) == false)
  }

  @Test func `an opening that does not keep to its limit is interrupted`() {
    var driver = Driver { $0.isNetwork = true }
    driver.machine.begin(at: .zero)
    #expect(driver.machine.check(at: .seconds(10)) == false)
    #expect(driver.machine.check(at: .seconds(11.1)) == true)
    driver.now = .seconds(11.1)
    driver.fault(.interrupted)
    driver.send(.closed)
    #expect(driver.machine.state == .failed)
  }

  @Test func `a video behind an address ends like a file`() {
    var driver = Driver { $0.isNetwork = true }
    driver.send(.opened(isLive: false))
    driver.send(.frame)
    #expect(driver.send(.end) == .finish)
    #expect(driver.machine.state == .ended)
  }

  @Test func `waiting ends no earlier than the command says`() {
    var driver = Driver { $0.isNetwork = true }
    driver.send(.opened(isLive: true))
    driver.fault(.broken)
    guard case .wait(let until) = driver.send(.closed) else {
      Issue.record("does not wait")
      return
    }
    #expect(driver.machine.handle(.waited, at: until - .milliseconds(1)) == .wait(until: until))
    #expect(driver.machine.handle(.waited, at: until) == .open(within: .seconds(10)))
  }

  /// What holds after every event, in every state.
  private func check(_ machine: SourceMachine, before: SourceMachine) {
    if before.state.isFinal {
      #expect(machine.state == before.state && machine.command == .finish)
    }
    #expect(machine.state.isFinal == (machine.command == .finish))
    switch machine.state {
    case .connecting: if case .open = machine.command {} else { Issue.record("connecting") }
    case .playing: #expect(machine.command == .read || machine.command == .rewind)
    case .silent: #expect(machine.command == .read)
    case .broken: #expect(machine.command == .close)
    case .waiting: if case .wait = machine.command {} else { Issue.record("waiting") }
    case .ended, .failed, .stopped: break
    }
    let (count, earlier) = (
      machine.reconnects.values.reduce(0, +), before.reconnects.values.reduce(0, +)
    )
    #expect(count == earlier || count == earlier + 1)
    #expect((count > earlier) == (before.state == .waiting && machine.state == .connecting))
    #expect(machine.wasReached || !before.wasReached)
  }

  @Test func `random walks through all events keep what always holds`() {
    let events: [SourceMachine.Event] =
      [.opened(isLive: true), .opened(isLive: false), .frame, .end, .rewound, .closed, .waited]
      + SourceMachine.Fault.Kind.allCases.map { .fault(.init(kind: $0, message: "")) }
    var seen: Set<SourceState> = []
    for seed in 0..<2000 {
      var random = Numbers(seed: UInt64(seed))
      var driver = Driver {
        $0.isNetwork = random.next(2) == 0
        $0.loops = random.next(2) == 0
        $0.reconnects = [nil, true, false][random.next(3)]
      }
      for _ in 0..<60 {
        let before = driver.machine
        seen.insert(before.state)
        if random.next(4) == 0 {
          driver.machine.begin(at: driver.now)
          let hangs = driver.machine.check(at: driver.now + .seconds(random.next(20)))
          #expect(!(hangs && before.state.isFinal))
          check(driver.machine, before: before)
        } else if random.next(100) == 0 {
          driver.machine.stop(hasFailed: random.next(2) == 0)
          check(driver.machine, before: before)
        } else {
          driver.now += .milliseconds(random.next(3000))
          _ = driver.machine.handle(events[random.next(events.count)], at: driver.now)
          check(driver.machine, before: before)
        }
      }
      seen.insert(driver.machine.state)
    }
    #expect(seen == Set(SourceState.allCases))
  }
}

/// Seeded numbers for random walks (SplitMix64).
struct Numbers {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

  /// A number from 0 to `limit` - 1.
  mutating func next(_ limit: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((bits ^ (bits >> 31)) % UInt64(limit))
  }
}
