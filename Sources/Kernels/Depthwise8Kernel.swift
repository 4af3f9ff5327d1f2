package import CKernels

/// An 8-bit depthwise convolution kernel; `depthwise8.h` states what it computes.
///
/// Sendable because it points into a constant table.
package struct Depthwise8Kernel: @unchecked Sendable, CustomStringConvertible {
  private let entry: UnsafePointer<apus_depthwise8_kernel>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
  package var description: String { String(cString: entry.pointee.name) }

  /// Every kernel of this build, best first.
  package static let all: [Depthwise8Kernel] = {
    var count = 0
    let first = apus_depthwise8_kernels(&count)
    return (0..<count).compactMap { index in
      first.map { Depthwise8Kernel(entry: $0 + index) }
    }
  }()

  /// The best kernel among `isas`; the portable one where none is better.
  package static func best(isas: Set<ISA>) -> Depthwise8Kernel {
    guard let best = all.first(where: { isas.contains($0.isa) }) ?? all.last else {
      preconditionFailure("the kernel table lacks its portable entry")
    }
    return best
  }

  @inline(__always)
  package func run(_ call: inout apus_depthwise8) {
    entry.pointee.run(&call)
  }
}
