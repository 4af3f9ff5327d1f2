package import CKernels

/// A matrix product kernel for 8-bit factors; `gemm8.h` states what it computes.
///
/// Sendable because it points into a constant table.
package struct Gemm8Kernel: @unchecked Sendable, CustomStringConvertible {
  private let entry: UnsafePointer<apus_gemm8_kernel>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
  package var description: String { String(cString: entry.pointee.name) }

  /// Every kernel of this build, best first.
  package static let all: [Gemm8Kernel] = {
    var count = 0
    let first = apus_gemm8_kernels(&count)
    return (0..<count).compactMap { index in
      first.map { Gemm8Kernel(entry: $0 + index) }
    }
  }()

  /// The best kernel among `isas`; the portable one where none is better.
  package static func best(isas: Set<ISA>) -> Gemm8Kernel {
    guard let best = all.first(where: { isas.contains($0.isa) }) ?? all.last else {
      preconditionFailure("the kernel table lacks its portable entry")
    }
    return best
  }

  @inline(__always)
  package func run(_ call: inout apus_gemm8) {
    entry.pointee.run(&call)
  }
}
