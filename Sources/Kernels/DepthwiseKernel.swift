package import CKernels

/// A depthwise convolution kernel; `depthwise.h` states what it computes.
///
/// Sendable because it points into a constant table.
package struct DepthwiseKernel: @unchecked Sendable, CustomStringConvertible {
  private let entry: UnsafePointer<apus_depthwise_kernel>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
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
  package static func best(isas: Set<ISA>) -> DepthwiseKernel {
    guard let best = all.first(where: { isas.contains($0.isa) }) ?? all.last else {
      preconditionFailure("the kernel table lacks its portable entry")
    }
    return best
  }

  @inline(__always)
  package func run(_ call: inout apus_depthwise) {
    entry.pointee.run(&call)
  }
}
