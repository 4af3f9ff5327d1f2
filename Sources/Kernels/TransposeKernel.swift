internal import CKernels

/// A transposition kernel; `transpose.h` states what it computes.
///
/// Sendable because it points into a constant table.
package struct TransposeKernel: @unchecked Sendable, CustomStringConvertible {
  private let entry: UnsafePointer<apus_transpose_kernel>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
  /// The bytes of an element.
  package var elementSize: Int { Int(entry.pointee.size) }
  package var description: String { String(cString: entry.pointee.name) }

  /// Every kernel of this build, best first within an element size.
  package static let all: [TransposeKernel] = {
    var count = 0
    let first = apus_transpose_kernels(&count)
    return (0..<count).compactMap { index in
      first.map { TransposeKernel(entry: $0 + index) }
    }
  }()

  /// The best kernel among `isas` for elements of this size; nil for sizes that have none.
  package static func best(elementSize: Int, isas: Set<ISA>) -> TransposeKernel? {
    let fitting = all.filter { $0.elementSize == elementSize }
    return fitting.first { isas.contains($0.isa) } ?? fitting.last
  }

  /// target[j · targetStride + i] = source[i · sourceStride + j]
  @inline(__always)
  package func run(
    _ source: UnsafeRawPointer, stride sourceStride: Int, to target: UnsafeMutableRawPointer,
    stride targetStride: Int, rows: Int, columns: Int
  ) {
    var call = apus_transpose(
      src: source, src_stride: sourceStride, dst: target, dst_stride: targetStride, rows: rows,
      columns: columns)
    entry.pointee.run(&call)
  }
}
