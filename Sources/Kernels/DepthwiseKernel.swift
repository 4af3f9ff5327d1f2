package import CKernels

/// A depthwise convolution kernel; `depthwise.h` states what it computes.
///
/// Sendable because it points into a constant table.
package struct DepthwiseKernel: @unchecked Sendable, CustomStringConvertible {
  private let entry: UnsafePointer<apus_depthwise_kernel>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
  /// Whether it multiplies and adds with one rounding, and so gives bits of its own.
  package var isFused: Bool { entry.pointee.fused != 0 }
  package var description: String { String(cString: entry.pointee.name) }

  /// Every kernel of this build, best first.
  package static let all: [DepthwiseKernel] = {
    var count = 0
    let first = apus_depthwise_kernels(&count)
    return (0..<count).compactMap { index in
      first.map { DepthwiseKernel(entry: $0 + index) }
    }
  }()

  /// The best kernel among `isas`; the portable one where none is better.
  ///
  /// - Parameter exact: whether the bits must be those of every ISA.
  package static func best(exact: Bool, isas: Set<ISA>) -> DepthwiseKernel {
    let fitting = all.filter { !(exact && $0.isFused) }
    guard let best = fitting.first(where: { isas.contains($0.isa) }) ?? fitting.last else {
      preconditionFailure("the kernel table lacks its portable entry")
    }
    return best
  }

  @inline(__always)
  package func run(_ call: inout apus_depthwise) {
    entry.pointee.run(&call)
  }
}
