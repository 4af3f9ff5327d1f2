/// The extents of a tensor, outermost first. Rank 0 is a scalar.
public struct Shape: Sendable, Hashable {
  public var dimensions: [Int]

  public init(_ dimensions: [Int]) { self.dimensions = dimensions }

  public var rank: Int { dimensions.count }

  /// The number of elements: 1 for a scalar.
  ///
  /// Shapes that come from outside must have passed `checkedElementCount` before.
  public var elementCount: Int { dimensions.reduce(1, *) }

  /// The number of elements, or nil where an extent is negative or the product overflows.
  public var checkedElementCount: Int? {
    var count = 1
    for extent in dimensions {
      guard extent >= 0 else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow else { return nil }
      count = product
    }
    return count
  }

  public subscript(axis: Int) -> Int {
    get { dimensions[axis] }
    set { dimensions[axis] = newValue }
  }

  /// The steps, in elements, of a dense row-major tensor of this shape.
  public var denseStrides: [Int] {
    var strides = [Int](repeating: 1, count: rank)
    var step = 1
    for axis in stride(from: rank - 1, through: 0, by: -1) {
      strides[axis] = step
      step *= max(dimensions[axis], 1)
    }
    return strides
  }

  /// Returns the shape with its axes in the order `axes`: axis i of the result is `axes[i]`.
  public func permuted(_ axes: [Int]) -> Shape { Shape(axes.map { dimensions[$0] }) }

  /// Returns the common shape by ONNX's (numpy's) multidirectional broadcasting, or nil.
  public static func broadcast(_ a: Shape, _ b: Shape) -> Shape? {
    let rank = max(a.rank, b.rank)
    var result = [Int](repeating: 1, count: rank)
    for i in 0..<rank {
      let x = i < rank - a.rank ? 1 : a[i - (rank - a.rank)]
      let y = i < rank - b.rank ? 1 : b[i - (rank - b.rank)]
      guard x == y || x == 1 || y == 1 else { return nil }
      result[i] = x == 1 ? y : x
    }
    return Shape(result)
  }
}

extension Shape: ExpressibleByArrayLiteral {
  public init(arrayLiteral elements: Int...) { dimensions = elements }
}

extension Shape: CustomStringConvertible {
  /// As on the command line: `1x3x640x640`; `scalar` for rank 0.
  public var description: String {
    rank == 0 ? "scalar" : dimensions.map(String.init).joined(separator: "x")
  }
}

/// The order in which a tensor's elements lie in memory.
public enum Layout: UInt8, Sendable, Hashable, CaseIterable {
  /// As the source model declares it (for a picture usually [N, C, H, W]).
  case declared = 0
  /// The channel axis (declared axis 1) last: [N, H, W, C]. For ranks 3 to 5.
  case channelsLast = 1

  /// Returns the declared axes in memory order for a tensor of this rank.
  public func axes(rank: Int) -> [Int] {
    switch self {
    case .declared: Array(0..<rank)
    case .channelsLast: [0] + Array(2..<rank) + [1]
    }
  }

  /// Returns the shape as it lies in memory.
  public func physical(_ declared: Shape) -> Shape { declared.permuted(axes(rank: declared.rank)) }

  /// Returns where declared axis `axis` of a tensor of this rank lies in memory.
  public func position(ofAxis axis: Int, rank: Int) -> Int {
    axes(rank: rank).firstIndex(of: axis) ?? axis
  }
}
