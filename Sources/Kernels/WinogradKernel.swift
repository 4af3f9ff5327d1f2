package import CKernels

/// The Winograd transforms of an ISA; `winograd.h` states what they compute.
///
/// Sendable because it points into a constant table.
package struct WinogradKernel: @unchecked Sendable, CustomStringConvertible {
  private let entry: UnsafePointer<apus_winograd_kernel>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
  package var description: String { String(cString: entry.pointee.name) }

  /// Every kernel of this build, best first.
  package static let all: [WinogradKernel] = {
    var count = 0
    let first = apus_winograd_kernels(&count)
    return (0..<count).compactMap { index in
      first.map { WinogradKernel(entry: $0 + index) }
    }
  }()

  /// The best kernel among `isas`; the portable one where none is better.
  package static func best(isas: Set<ISA>) -> WinogradKernel {
    guard let best = all.first(where: { isas.contains($0.isa) }) ?? all.last else {
      preconditionFailure("the kernel table lacks its portable entry")
    }
    return best
  }

  @inline(__always)
  package func transform(_ input: inout apus_winograd_input) { entry.pointee.input(&input) }

  @inline(__always)
  package func finish(_ output: inout apus_winograd_output) { entry.pointee.output(&output) }

  package func transform(_ weights: inout apus_winograd_weights) {
    entry.pointee.weights(&weights)
  }
}
