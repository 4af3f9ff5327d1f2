import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Philox4x32-10, a random number generator without state: four numbers of 32 bits from a counter
/// and a key, so that any thread can make any of them (Salmon, Moraes, Dror, Shaw: Parallel random
/// numbers: as easy as 1, 2, 3; SC 2011).
package struct Philox: Sendable {
  private let key: (UInt32, UInt32)

  package init(seed: UInt64) {
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
  }

  /// Four numbers; ten rounds of two multiplications.
  package func numbers(_ counter: SIMD4<UInt32>) -> SIMD4<UInt32> {
    var c = counter
    var (low, high) = key
    for _ in 0..<10 {
      let first = c[0].multipliedFullWidth(by: 0xD251_1F53)
      let second = c[2].multipliedFullWidth(by: 0xCD9E_8D57)
      c = SIMD4(second.high ^ c[1] ^ low, second.low, first.high ^ c[3] ^ high, first.low)
      low &+= 0x9E37_79B9
      high &+= 0xBB67_AE85
    }
    return c
  }

  /// The `index`-th pair of numbers in 0..<1, each of 53 bits.
  package func uniform(_ index: Int) -> (Double, Double) {
    let place = UInt64(truncatingIfNeeded: index)
    let bits = numbers(
      SIMD4(UInt32(truncatingIfNeeded: place), UInt32(truncatingIfNeeded: place >> 32), 0, 0))
    func fraction(_ low: UInt32, _ high: UInt32) -> Double {
      Double((UInt64(high) << 32 | UInt64(low)) >> 11) * 0x1p-53
    }
    return (fraction(bits[0], bits[1]), fraction(bits[2], bits[3]))
  }
}

/// Fills a tensor with random numbers; the same seed gives the same numbers, in any number of
/// threads.
///
/// y: float32, bfloat16 or float64. Uniform: in low ..< high; normal: of mean `first` and deviation
/// `second` (Box and Muller's transformation). Numbers come in pairs from `Philox`.
package struct RandomNumbers: Instruction {
  package static let opcode = "random_numbers"

  /// How the numbers are spread.
  package enum Distribution: UInt8, Sendable {
    /// Equally, from `first` to below `second`.
    case uniform = 0
    /// Around `first` with standard deviation `second`.
    case normal = 1
  }

  package var output = Operand.none
  package var distribution = Distribution.uniform
  package var seed = 0
  package var first: Float = 0
  package var second: Float = 1
  private var type = ElementType.float32
  private var count = 0

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.output("y", &output)
    visitor.field("distribution", &distribution)
    visitor.field("seed", &seed)
    visitor.field("first", &first)
    visitor.field("second", &second)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let y = preparation[output]
    type = y.type
    count = y.shape.elementCount
    try preparation.require(
      [.float32, .bfloat16, .float64].contains(y.type), self, "\(y.type) is not supported")
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let y = NumericElements(context.pointer(output), type)
    let generator = Philox(seed: UInt64(bitPattern: Int64(seed)))
    let (low, span) = (Double(first), Double(second))
    for index in context.share(of: count) {
      var (a, b) = generator.uniform(index / 2)
      if distribution == .normal {
        let radius = (-2 * Double.log(1 - a)).squareRoot()
        (a, b) = (radius * cos(2 * .pi * b), radius * sin(2 * .pi * b))
        y.set(low + span * (index % 2 == 0 ? a : b), at: index)
      } else {
        var share = index % 2 == 0 ? a : b
        // Fewer bits where more would be rounded up to 1.
        if type != .float64 { share = (share * 0x1p24).rounded(.down) * 0x1p-24 }
        y.set(low + (span - low) * share, at: index)
      }
    }
  }
}

/// Draws classes: each of y[b, s] is class c with probability proportional to exp(x[b, c]).
///
/// x: [batch, classes] float32, bfloat16 or float64; y: [batch, samples] int32 or int64. Numbers
/// come from `Philox` by position in y. A row without a class of positive probability gives class
/// 0.
package struct SampleClasses: Instruction {
  package static let opcode = "sample_classes"

  package var input = Operand.none
  package var output = Operand.none
  package var seed = 0
  private var types = (ElementType.float32, ElementType.int32)
  private var classes = 0
  private var samples = 0
  private var batch = 0

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
    visitor.field("seed", &seed)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    types = (x.type, y.type)
    try preparation.require(
      [.float32, .bfloat16, .float64].contains(x.type) && [.int32, .int64].contains(y.type)
        && x.shape.rank == 2 && y.shape.rank == 2 && x.shape[0] == y.shape[0], self,
      "\(x.type) \(x.shape) into \(y.type) \(y.shape)")
    (batch, classes, samples) = (x.shape[0], x.shape[1], y.shape[1])
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let x = NumericElements(context.pointer(input), types.0)
    let y = NumericElements(context.pointer(output), types.1)
    let generator = Philox(seed: UInt64(bitPattern: Int64(seed)))
    for row in context.share(of: batch) {
      var highest = -Double.infinity
      for c in 0..<classes { highest = max(highest, x.real(row * classes + c)) }
      @inline(__always) func share(_ c: Int) -> Double {
        Double.exp(x.real(row * classes + c) - highest)
      }
      var total = 0.0
      for c in 0..<classes { total += share(c) }
      for sample in 0..<samples {
        let place = row * samples + sample
        var rest = generator.uniform(place).0 * total
        var chosen = 0
        for c in 0..<classes {
          let own = share(c)
          if own > 0 { chosen = c }
          if rest < own { break }
          rest -= own
        }
        y.set(chosen, at: place)
      }
    }
  }
}
