import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Computes discrete Fourier transforms: y[k] = Σ x[n]·e^(∓2πi·k·n / N), divided by N if inverse.
///
/// x: [..., axis, ..., 1 | 2], the last axis holding real and imaginary parts; cut or filled with
/// zeros to `length` N. y: the same with N positions along `axis`, and 2 parts. One-sided: forward
/// the positions 0...N/2 only; inverse from these to real numbers (1 part). With `step` > 0, x is
/// [batch, signal, 1 | 2] and y [batch, frames, positions, 2]: one transform for every N elements
/// from each multiple of `step` on, which are multiplied by `window` (N elements) if there is one.
///
/// float32, bfloat16 or float64, dense. Complex signals of 16 or 32 bits are computed in float32,
/// all others in float64: what symmetry makes zero in the spectrum of a real signal then is zero.
/// Mixed radices (Stockham's order): N·Σp steps for N = Πp, so that large prime factors are slow.
package struct FourierTransform: Instruction {
  package static let opcode = "fourier_transform"

  package var input = Operand.none
  package var window = Operand.none
  package var output = Operand.none
  package var axis = 0
  package var length = 1
  package var step = 0
  package var isInverse = false
  package var isOneSided = false
  private var types = (ElementType.float32, ElementType.float32, ElementType.float32)
  private var geometry = Geometry()
  /// The N-th roots of one, real and imaginary parts in turn; in the type that is computed in.
  private var roots = (single: [Float](), double: [Double]())
  private var factors: [Int] = []
  package private(set) var operationCount = 0

  /// What is transformed where, in complex elements.
  private struct Geometry: Sendable {
    var lineCount = 0
    var frameCount = 1
    var inner = 1
    /// Positions along the axis of x and of y, real numbers per element of x and of y.
    var given = 0
    var made = 0
    var parts = (1, 2)
  }

  /// The longest transform.
  package static let limit = 1 << 22

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("window", &window)
    visitor.output("y", &output)
    visitor.field("axis", &axis)
    visitor.field("length", &length)
    visitor.field("step", &step)
    visitor.field("is_inverse", &isInverse)
    visitor.field("is_one_sided", &isOneSided)
  }

  private var isDouble: Bool { types.0 == .float64 || geometry.parts.0 == 1 }

  /// The positions along the axis of the result.
  private var resultLength: Int { isOneSided && !isInverse ? length / 2 + 1 : length }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    let floats: Set<ElementType> = [.float32, .bfloat16, .float64]
    try preparation.require(
      floats.isSuperset(of: [x.type, y.type]), self, "\(x.type) into \(y.type)")
    try preparation.require(
      (1...Self.limit).contains(length) && axis >= 0 && axis < x.shape.rank - 1 && step >= 0
        && (1...2).contains(x.rowLength), self,
      "\(length) elements of axis \(axis) of \(x.shape), step \(step)")
    guard let space = AxisSpace(Shape(x.shape.dimensions.dropLast()), axis: axis) else { return }
    let parts = isOneSided && isInverse ? 1 : 2
    var wanted = x.shape
    wanted[axis] = resultLength
    wanted[x.shape.rank - 1] = parts
    geometry = Geometry(
      lineCount: space.lineCount, inner: space.inner, given: space.extent, made: resultLength,
      parts: (x.rowLength, parts))
    if step > 0 {
      try preparation.require(
        x.shape.rank == 3 && axis == 1 && y.shape.rank == 4 && !isInverse, self,
        "frames of \(x.shape) into \(y.shape)")
      geometry.frameCount = y.shape[1]
      // Frames may not begin beyond the signal: that also bounds the offsets.
      try preparation.require(
        geometry.frameCount == 0 || (geometry.frameCount - 1) <= space.extent / step, self,
        "\(geometry.frameCount) frames of a signal of \(space.extent)")
      wanted = [x.shape[0], geometry.frameCount, resultLength, parts]
    }
    try preparation.require(y.shape == wanted, self, "\(x.shape) becomes \(wanted), not \(y.shape)")
    var windowType = ElementType.float32
    if window.isPresent {
      windowType = preparation[window].type
      try preparation.require(
        step > 0 && floats.contains(windowType)
          && preparation[window].shape.elementCount == length, self,
        "a window of \(windowType) \(preparation[window].shape) for \(length) elements")
    }
    types = (x.type, windowType, y.type)
    makeTables()
    preparation.requestScratch(preparation.parts * 4 * length * MemoryLayout<Double>.size)
  }

  private mutating func makeTables() {
    factors = []
    var rest = length
    var factor = 2
    while rest > 1 {
      while rest % factor == 0 {
        factors.append(factor)
        rest /= factor
      }
      factor = factor * factor > rest ? max(rest, 2) : factor + 1
    }
    let turn = (isInverse ? 2 : -2) * Double.pi / Double(length)
    let exact = (0..<length).flatMap { [cos(turn * Double($0)), sin(turn * Double($0))] }
    roots = isDouble ? ([], exact) : (exact.map { Float($0) }, [])
    operationCount =
      8 * length * factors.reduce(1, +) * geometry.lineCount * max(geometry.frameCount, 1)
  }

  package func execute(_ context: borrowing ExecutionContext) {
    if isDouble {
      roots.double.withUnsafeBufferPointer { run(context, $0) }
    } else {
      roots.single.withUnsafeBufferPointer { run(context, $0) }
    }
  }

  private func run<T: BinaryFloatingPoint>(
    _ context: borrowing ExecutionContext, _ roots: UnsafeBufferPointer<T>
  ) {
    let x = NumericElements(context.pointer(input), types.0)
    let y = NumericElements(context.pointer(output), types.2)
    let weights = window.isPresent ? NumericElements(context.pointer(window), types.1) : nil
    let work = context.scratch.assumingMemoryBound(to: T.self) + context.part * 4 * length
    let scale = isInverse ? 1 / T(length) : 1
    for item in context.share(of: geometry.lineCount * geometry.frameCount) {
      let (line, frame) = item.quotientAndRemainder(dividingBy: geometry.frameCount)
      load(x, weights, line, from: frame * step, to: work)
      let result = transform(work, roots)
      let (outer, inner) = line.quotientAndRemainder(dividingBy: geometry.inner)
      let first = (outer * geometry.frameCount + frame) * geometry.made * geometry.inner + inner
      for k in 0..<geometry.made {
        let place = (first + k * geometry.inner) * geometry.parts.1
        for part in 0..<geometry.parts.1 {
          y.set(Double(result[2 * k + part] * scale), at: place + part)
        }
      }
    }
  }

  /// Writes the elements of one transform to `work`, complex.
  private func load<T: BinaryFloatingPoint>(
    _ x: NumericElements, _ weights: NumericElements?, _ line: Int, from start: Int,
    to work: UnsafeMutablePointer<T>
  ) {
    let (outer, inner) = line.quotientAndRemainder(dividingBy: geometry.inner)
    let isHermitian = isInverse && isOneSided
    let count = min(isHermitian ? length / 2 + 1 : length, max(geometry.given - start, 0))
    for i in 0..<2 * length { work[i] = 0 }
    for n in 0..<count {
      let place =
        ((outer * geometry.given + start + n) * geometry.inner + inner) * geometry.parts.0
      let weight = weights?.real(n) ?? 1
      work[2 * n] = T(x.real(place) * weight)
      work[2 * n + 1] = geometry.parts.0 == 2 ? T(x.real(place + 1) * weight) : 0
    }
    guard isHermitian else { return }
    // The second half mirrors the first; what mirrors itself is real.
    work[1] = 0
    if length % 2 == 0 { work[length + 1] = 0 }
    for n in 1..<max((length + 1) / 2, 1) {
      work[2 * (length - n)] = work[2 * n]
      work[2 * (length - n) + 1] = -work[2 * n + 1]
    }
  }

  /// Transforms the first half of `work`; returns where the result lies.
  private func transform<T: BinaryFloatingPoint>(
    _ work: UnsafeMutablePointer<T>, _ roots: UnsafeBufferPointer<T>
  ) -> UnsafeMutablePointer<T> {
    var source = work
    var target = work + 2 * length
    var stride = 1
    for factor in factors {
      let count = length / stride / factor
      for k in 0..<count {
        for j in 0..<factor {
          let turn = j * k * stride
          for q in 0..<stride {
            var (real, imaginary): (T, T) = (0, 0)
            var angle = 0
            for r in 0..<factor {
              let at = 2 * (q + stride * (k + count * r))
              let (c, s) = (roots[2 * angle], roots[2 * angle + 1])
              real += source[at] * c - source[at + 1] * s
              imaginary += source[at] * s + source[at + 1] * c
              angle += j * (length / factor)
              angle %= length
            }
            let (c, s) = (roots[2 * turn], roots[2 * turn + 1])
            let to = 2 * (q + stride * (factor * k + j))
            target[to] = real * c - imaginary * s
            target[to + 1] = real * s + imaginary * c
          }
        }
      }
      swap(&source, &target)
      stride *= factor
    }
    return source
  }
}
