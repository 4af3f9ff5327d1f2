// The life of one source as a value, without threads, time or input: what happens comes in as
// events with the time since the start, what to do next goes out as a command.
//
//   connecting ─opened─▶ playing ─end─▶ ended            (files; or rewound, where they loop)
//       │  ▲                │ │ └─silence─▶ silent ─┐
//       │  │                │ └─fault, end of live──┴─▶ broken ─closed─▶ waiting ─┐
//       │  └────────────────┼─────────────────────────────────────────────────────┘
//       └─not reached─▶ failed ◀─ whatever is lost and not connected again
//
// One thread owns the source: it does what the last command says, reports how that went, and gets
// the next command. Another one looks at the clock and calls `check`, which says when the first
// one hangs in a call that has to be interrupted.

/// Decides what happens to one source.
struct SourceMachine: Sendable {
  /// What the source is and may do.
  struct Rules: Sendable {
    /// Reached through a network: connecting can take several attempts.
    var isNetwork = false
    var loops = false
    /// Nil: connects again only once it has been reached.
    var reconnects: Bool?
    var connectTimeout = Duration.seconds(10)
    var silence = Duration.seconds(5)
    /// How long an attempt may take once the first connection is not bounded any more.
    var attemptTimeout = Duration.seconds(10)
    /// How long a source must have played for pauses to begin small again.
    var settling = Duration.seconds(10)
    /// The longest pause while the first connection is bounded.
    var longestFirstPause = Duration.seconds(1)
  }

  /// A fault of a call.
  struct Fault: Sendable, Equatable {
    enum Kind: Sendable, Equatable, CaseIterable {
      case refused, timedOut, interrupted, broken
      /// Trying again cannot help.
      case permanent
    }
    var kind: Kind
    var message: String
  }

  enum Event: Sendable, Equatable {
    case opened(isLive: Bool)
    case frame
    case end
    case rewound
    case closed
    /// Waited as long as the command said, or less.
    case waited
    case fault(Fault)
  }

  /// What the source's thread does next.
  enum Command: Sendable, Equatable {
    /// Open the source within this time.
    case open(within: Duration)
    case read
    /// Begin a file again.
    case rewind
    case close
    case wait(until: Duration)
    /// Close what is open; nothing more will come.
    case finish
  }

  let rules: Rules
  private(set) var state = SourceState.connecting
  private(set) var command: Command
  /// How often it was opened again, by reason.
  private(set) var reconnects: [SourceLoss: Int] = [:]
  /// Whether it has ever been reached.
  private(set) var wasReached = false
  private(set) var isLive: Bool
  private var pauses: RetryDelay
  private let start: Duration
  /// When the call began that the command asked for; nil while none is going on.
  private var callBegan: Duration?
  private var playingSince: Duration
  private var loss = SourceLoss.broken
  private var framesOfPass = 0

  init(_ rules: Rules, seed: UInt64, at now: Duration = .zero) {
    self.rules = rules
    pauses = RetryDelay(seed: seed)
    isLive = rules.isNetwork
    (start, playingSince) = (now, now)
    command = .open(within: rules.connectTimeout)
  }

  /// The end of the time for the first connection; nil: there is none.
  private var deadline: Duration? {
    wasReached || rules.reconnects == true || !rules.isNetwork
      ? nil : start + rules.connectTimeout
  }

  /// Takes in how the last command went; returns the next one.
  mutating func handle(_ event: Event, at now: Duration) -> Command {
    callBegan = nil
    guard !state.isFinal else { return command }
    switch (command, event) {
    case (.open, .opened(let isLive)):
      self.isLive = isLive
      wasReached = true
      framesOfPass = 0
      playingSince = now
      play()
    case (.read, .frame):
      framesOfPass += 1
      if now - playingSince >= rules.settling { pauses.reset() }
      play()
    case (.read, .end): end()
    case (.rewind, .rewound):
      framesOfPass = 0
      play()
    case (.close, .closed): closed(at: now)
    case (.wait(let until), .waited):
      if now >= until { connect(at: now) }
    case (.open, .fault(let fault)), (.read, .fault(let fault)), (.rewind, .fault(let fault)):
      take(fault)
    default: break
    }
    return command
  }

  /// Says whether the call that is going on has to be interrupted; notices silence.
  mutating func check(at now: Duration) -> Bool {
    guard let callBegan else { return false }
    switch command {
    case .open(let limit):
      // The opening keeps to its limit by itself; this is for one that does not.
      return rules.isNetwork && now - callBegan > limit + .seconds(1)
    case .read where isLive || rules.isNetwork:
      guard now - callBegan >= rules.silence else { return false }
      state = .silent
      return true
    default: return false
    }
  }

  /// Says that the call which the command asks for begins now.
  mutating func begin(at now: Duration) { callBegan = now }

  /// Ends the source from outside, in whatever state it is.
  ///
  /// - Parameter hasFailed: because of a fault elsewhere in its stream.
  mutating func stop(hasFailed: Bool = false) {
    guard !state.isFinal else { return }
    finish(hasFailed ? .failed : .stopped)
  }

  // MARK: Steps

  private mutating func play() {
    state = .playing
    command = .read
  }

  private mutating func connect(at now: Duration) {
    reconnects[loss, default: 0] += 1
    state = .connecting
    command = .open(
      within: deadline.map { max($0 - now, .milliseconds(1)) } ?? rules.attemptTimeout)
  }

  private mutating func end() {
    if isLive {
      lose(.ended)
    } else if rules.loops {
      // A pass without frames would go on for ever.
      if framesOfPass > 0 { command = .rewind } else { finish(.failed) }
    } else {
      finish(.ended)
    }
  }

  private mutating func take(_ fault: Fault) {
    guard fault.kind != .permanent else { return finish(.failed) }
    let isOpening = if case .open = command { true } else { false }
    guard isOpening ? rules.isNetwork : isLive else { return finish(.failed) }
    switch fault.kind {
    case .refused: lose(isOpening ? .refused : .broken)
    case .timedOut: lose(isOpening ? .timedOut : .silent)
    case .interrupted: lose(isOpening ? .timedOut : .silent)
    case .broken, .permanent: lose(.broken)
    }
  }

  private mutating func lose(_ loss: SourceLoss) {
    self.loss = loss
    state = .broken
    command = .close
  }

  private mutating func closed(at now: Duration) {
    guard rules.reconnects ?? true else { return finish(.failed) }
    var pause = pauses.pause()
    if let deadline {
      pause = min(pause, rules.longestFirstPause)
      guard now + pause < deadline else { return finish(.failed) }
    }
    state = .waiting
    command = .wait(until: now + pause)
  }

  private mutating func finish(_ final: SourceState) {
    state = final
    command = .finish
  }
}
