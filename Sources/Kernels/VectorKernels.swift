package import CKernels

/// A kernel of one of the families below: an entry of a C table.
package protocol TableEntry {
  var name: UnsafePointer<CChar>! { get }
  var isa: UInt32 { get }
}

extension apus_elementwise_kernel: TableEntry {}
extension apus_reduce_kernel: TableEntry {}
extension apus_softmax_kernel: TableEntry {}
extension apus_normalize_kernel: TableEntry {}
extension apus_pool_kernel: TableEntry {}
extension apus_quantized_elements_kernel: TableEntry {}
extension apus_gate8_kernel: TableEntry {}

/// The kernels of a family for one ISA. Families whose portable execution is written in Swift have
/// none for that.
///
/// Sendable because it points into a constant table.
package struct VectorKernel<Entry: TableEntry>: @unchecked Sendable, CustomStringConvertible {
  package let entry: UnsafePointer<Entry>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
  package var description: String { String(cString: entry.pointee.name) }

  private static func table(
    _ first: UnsafePointer<Entry>?, _ count: Int
  ) -> [VectorKernel<Entry>] {
    guard let first else { return [] }
    return (0..<count).map { VectorKernel(entry: first + $0) }
  }

  /// The best kernel among `isas`; nil where only the portable execution remains.
  package static func best(
    of all: [VectorKernel<Entry>], isas: Set<ISA>
  ) -> VectorKernel<Entry>? {
    all.first { isas.contains($0.isa) }
  }

  fileprivate init(entry: UnsafePointer<Entry>) { self.entry = entry }

  fileprivate static func read(
    _ tableOf: (UnsafeMutablePointer<Int>?) -> UnsafePointer<Entry>?
  ) -> [VectorKernel<Entry>] {
    var count = 0
    let first = tableOf(&count)
    return table(first, count)
  }
}

package typealias ElementwiseKernel = VectorKernel<apus_elementwise_kernel>
package typealias ReduceKernel = VectorKernel<apus_reduce_kernel>
package typealias SoftmaxKernel = VectorKernel<apus_softmax_kernel>
package typealias NormalizeKernel = VectorKernel<apus_normalize_kernel>
package typealias PoolKernel = VectorKernel<apus_pool_kernel>
package typealias QuantizedElementsKernel = VectorKernel<apus_quantized_elements_kernel>
package typealias GateKernel = VectorKernel<apus_gate8_kernel>

extension VectorKernel where Entry == apus_elementwise_kernel {
  /// Every kernel of this build, best first.
  package static let all = read(apus_elementwise_kernels)

  /// Says whether the kernels know a function of one float.
  package static func knows(function: UInt8) -> Bool {
    apus_function_is_vector(UInt32(function)) != 0
  }
}

extension VectorKernel where Entry == apus_reduce_kernel {
  /// Every kernel of this build, best first.
  package static let all = read(apus_reduce_kernels)
}

extension VectorKernel where Entry == apus_softmax_kernel {
  /// Every kernel of this build, best first.
  package static let all = read(apus_softmax_kernels)
}

extension VectorKernel where Entry == apus_normalize_kernel {
  /// Every kernel of this build, best first.
  package static let all = read(apus_normalize_kernels)
}

extension VectorKernel where Entry == apus_pool_kernel {
  /// Every kernel of this build, best first.
  package static let all = read(apus_pool_kernels)
}

extension VectorKernel where Entry == apus_quantized_elements_kernel {
  /// Every kernel of this build, best first.
  package static let all = read(apus_quantized_elements_kernels)

  /// The best kernel among `isas`; the portable one where none is better.
  package static func best(isas: Set<ISA>) -> QuantizedElementsKernel {
    guard let kernel = best(of: all, isas: isas) ?? all.last else {
      preconditionFailure("the kernel table lacks its portable entry")
    }
    return kernel
  }
}

extension VectorKernel where Entry == apus_gate8_kernel {
  /// Every kernel of this build, best first.
  package static let all = read(apus_gate8_kernels)

  /// The best kernel among `isas`; the portable one where none is better.
  package static func best(isas: Set<ISA>) -> GateKernel {
    guard let kernel = best(of: all, isas: isas) ?? all.last else {
      preconditionFailure("the kernel table lacks its portable entry")
    }
    return kernel
  }
}
