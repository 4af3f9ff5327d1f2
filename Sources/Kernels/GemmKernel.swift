package import CKernels

/// A matrix product kernel; `gemm.h` states what it computes.
///
/// Sendable because it points into a constant table.
package struct GemmKernel: @unchecked Sendable, CustomStringConvertible {
  private let entry: UnsafePointer<apus_gemm_kernel>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
  /// The type of both factors: float32, or bfloat16.
  package var isBFloat16: Bool { entry.pointee.input == APUS_BFLOAT16.rawValue }
  /// Whether it multiplies and adds with one rounding, and so gives bits of its own.
  package var isFused: Bool { entry.pointee.fused != 0 }
  package var description: String { String(cString: entry.pointee.name) }

  /// Every kernel of this build, best first within an input type.
  package static let all: [GemmKernel] = {
    var count = 0
    let first = apus_gemm_kernels(&count)
    return (0..<count).compactMap { index in
      first.map { GemmKernel(entry: $0 + index) }
    }
  }()

  /// The best kernel among `isas`; the portable one where none is better.
  ///
  /// - Parameter exact: whether the bits must be those of every ISA; not with bfloat16.
  package static func best(bfloat16: Bool, exact: Bool, isas: Set<ISA>) -> GemmKernel {
    let fitting = all.filter { $0.isBFloat16 == bfloat16 && !(exact && !bfloat16 && $0.isFused) }
    let best = fitting.first { isas.contains($0.isa) } ?? fitting.last
    guard let best else { preconditionFailure("the kernel table lacks its portable entry") }
    return best
  }

  @inline(__always)
  package func run(_ call: inout apus_gemm) {
    entry.pointee.run(&call)
  }
}

/// Rounds float32 elements to bfloat16.
package struct BFloat16Rounding: Sendable {
  private let isa: ISA

  package init(isas: Set<ISA>) {
    isa = [.avx512bf16, .avx2].first { isas.contains($0) } ?? .portable
  }

  @inline(__always)
  package func callAsFunction(
    _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<UInt16>, count: Int
  ) {
    #if arch(x86_64)
      if isa == .avx512bf16 { return apus_round_bfloat16_avx512bf16(source, target, count) }
      if isa == .avx2 { return apus_round_bfloat16_avx2(source, target, count) }
    #endif
    apus_round_bfloat16_portable(source, target, count)
  }
}
