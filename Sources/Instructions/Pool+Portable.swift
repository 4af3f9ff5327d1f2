import Tensors

/// The portable execution of `Pool`: one output position after the other.
extension Pool {
  func run<S: Element, T: Element>(_ context: borrowing ExecutionContext, _: S.Type, _: T.Type)
  where S.Value: Real, T.Value == S.Value {
    switch function {
    case .maximum: maximum(context, S.self, T.self)
    case .average:
      fold(context, S.self, T.self) {
        $0 + $1
      } finish: { sum, count in
        sum / S.Value(count)
      }
    case .norm:
      let p = S.Value(Float(exponent))
      switch exponent {
      case 1:
        fold(context, S.self, T.self) {
          $0 + $1.magnitude
        } finish: { sum, _ in
          sum
        }
      case 2:
        fold(context, S.self, T.self) {
          $0 + $1 * $1
        } finish: { sum, _ in
          sum.squareRoot()
        }
      default:
        fold(context, S.self, T.self) {
          $0 + S.Value.pow($1.magnitude, p)
        } finish: { sum, _ in
          S.Value.pow(sum, 1 / p)
        }
      }
    }
  }

  private func fold<S: Element, T: Element>(
    _ context: borrowing ExecutionContext, _: S.Type, _: T.Type,
    _ body: (S.Value, S.Value) -> S.Value, finish: (S.Value, Int) -> S.Value
  ) where S.Value: Real, T.Value == S.Value {
    let x = context.pointer(input, as: S.self)
    let y = context.pointer(output, as: T.self)
    let area = outputExtents.reduce(1, *)
    for row in context.share(of: batch * area) {
      let window = Placement(self, position: row % area)
      let base = row / area * inputExtents.reduce(1, *)
      let count = countsPadding ? window.paddedCount : window.count
      for c in 0..<channels {
        var result: S.Value = 0
        for k in 0..<window.count {
          result = body(result, x[(base + window.row(k)) * inputStride + c].value)
        }
        y[row * outputStride + c] = T(rounding: window.count == 0 ? 0 : finish(result, count))
      }
    }
  }

  func maximum<S: Element, T: Element>(
    _ context: borrowing ExecutionContext, _: S.Type, _: T.Type
  ) where T.Value == S.Value {
    let x = context.pointer(input, as: S.self)
    let y = context.pointer(output, as: T.self)
    let z = places.isPresent ? context.pointer(places, as: Int64.self) : nil
    let area = outputExtents.reduce(1, *)
    let inputArea = inputExtents.reduce(1, *)
    for row in context.share(of: batch * area) {
      let window = Placement(self, position: row % area)
      let image = row / area
      for c in 0..<channels {
        var best = S.Value.lowest
        var place = 0
        for k in 0..<window.count {
          let source = window.row(k)
          let value = x[(image * inputArea + source) * inputStride + c].value
          if k == 0 || value > best {
            best = value
            place = source
          }
        }
        y[row * outputStride + c] = T(rounding: best)
        if let z {
          let start = (image * channels + c) * inputArea
          z[row * placesStride + c] = Int64(start + (ordersColumns ? reversed(place) : place))
        }
      }
    }
  }

  /// A spatial position counted with the first axis fastest.
  private func reversed(_ place: Int) -> Int {
    var rest = place
    var result = 0
    for axis in inputExtents.indices.reversed() {
      result = result + rest % inputExtents[axis] * inputExtents[..<axis].reduce(1, *)
      rest /= inputExtents[axis]
    }
    return result
  }

  /// Where one output position's window lies in the input, cut to it; up to three axes.
  private struct Placement {
    /// By axis: the first input position, how many positions, and the rows from one to the next.
    private var first = SIMD4<Int>.zero
    private var extents = SIMD4<Int>(repeating: 1)
    private var steps = SIMD4<Int>.zero
    /// The positions inside the input.
    private(set) var count = 1
    /// The positions inside the input and its padding.
    private(set) var paddedCount = 1

    init(_ pool: borrowing Pool, position: Int) {
      var rest = position
      var pitch = 1
      for axis in stride(from: pool.kernel.count - 1, through: 0, by: -1) {
        let output = pool.outputExtents[axis]
        let extent = pool.inputExtents[axis]
        let dilation = pool.dilations[axis]
        let start = rest % output * pool.strides[axis] - pool.padsBegin[axis]
        rest /= output
        // Ceilings of divisions whose numerators may be negative.
        let low = start >= 0 ? 0 : (-start + dilation - 1) / dilation
        let inside = extent - start
        let high = min(pool.kernel[axis], inside <= 0 ? 0 : (inside + dilation - 1) / dilation)
        let padded = inside + pool.padsEnd[axis]
        let reach = min(pool.kernel[axis], padded <= 0 ? 0 : (padded + dilation - 1) / dilation)
        first[axis] = start + low * dilation
        extents[axis] = max(high - low, 0)
        steps[axis] = pitch
        first[axis] *= pitch
        steps[axis] *= dilation
        pitch *= extent
        count *= extents[axis]
        paddedCount *= max(reach, 1)
      }
    }

    /// The row of the input that the window's position k (inside the input) covers.
    @inline(__always)
    func row(_ k: Int) -> Int {
      let z = k % extents[2]
      let rest = k / extents[2]
      let y = rest % extents[1]
      let x = rest / extents[1]
      return first.wrappedSum() &+ x * steps[0] + y * steps[1] + z * steps[2]
    }
  }
}
