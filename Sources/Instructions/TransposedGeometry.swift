import Tensors

/// Where the phases of a transposed convolution lie: each is a convolution with stride 1 over the
/// input, whose output pixels are spread over y.
struct TransposedGeometry: Sendable {
  struct Phase: Sendable {
    /// The first output pixel.
    var y: Int
    var x: Int
    var lines: Int
    var width: Int
    /// Lines and pixels from the first tap of all phases to those of this phase.
    var taps: [(line: Int, pixel: Int)]
  }

  let phases: [Phase]
  /// The lines of the finest phase.
  let lines: Int
  /// Input lines around an output line of a phase: from `firstTap` on, `tapSpan` of them.
  let firstTap: Int
  let tapSpan: Int
  /// The pixels of a staged input line, of which the first is pixel `-padLeft` of the input.
  let stagedWidth: Int
  let padLeft: Int
  /// Whether every output pixel sees the input pixel at its own place, and that is there.
  let staysInside: Bool

  init(
    input: TensorSpec, output: TensorSpec, phases: [TransposedPhase], strides: [Int],
    pads: [Int], dilations: [Int]
  ) {
    /// The first output coordinate with a remainder.
    func first(_ remainder: Int, _ axis: Int) -> Int {
      let difference = (remainder - pads[axis]) % strides[axis]
      return difference < 0 ? difference + strides[axis] : difference
    }
    /// The input coordinate that a tap shows to the first output coordinate.
    func tap(_ k: Int, _ remainder: Int, _ axis: Int) -> Int {
      (first(remainder, axis) + pads[axis] - k * dilations[axis]) / strides[axis]
    }
    let tapsY = phases.flatMap { phase in phase.taps.map { tap($0.ky, phase.remainderY, 0) } }
    let tapsX = phases.flatMap { phase in phase.taps.map { tap($0.kx, phase.remainderX, 1) } }
    let (low, high) = (tapsY.min() ?? 0, tapsY.max() ?? 0)
    let (left, right) = (tapsX.min() ?? 0, tapsX.max() ?? 0)
    let (outputHeight, outputWidth) = (output.shape[1], output.shape[2])
    let phaseWidth = (outputWidth + strides[1] - 1) / strides[1]
    (firstTap, tapSpan) = (low, high - low + 1)
    lines = (outputHeight + strides[0] - 1) / strides[0]
    stagedWidth = phaseWidth + right - left
    padLeft = -left
    staysInside =
      (low, high, left, right) == (0, 0, 0, 0) && lines <= input.shape[1]
      && phaseWidth <= input.shape[2]
    self.phases = phases.map { phase in
      let (y, x) = (first(phase.remainderY, 0), first(phase.remainderX, 1))
      return Phase(
        y: y, x: x, lines: max(0, (outputHeight - y + strides[0] - 1) / strides[0]),
        width: max(0, (outputWidth - x + strides[1] - 1) / strides[1]),
        taps: phase.taps.map {
          (tap($0.ky, phase.remainderY, 0) - low, tap($0.kx, phase.remainderX, 1) - left)
        })
    }
  }
}
