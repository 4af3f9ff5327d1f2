internal import CKernels

/// The products of a recurrent layer; `recurrent.h` states what it computes.
///
/// Sendable because it points into a constant table.
package struct RecurrentKernel: @unchecked Sendable, CustomStringConvertible {
  private let entry: UnsafePointer<apus_recurrent_kernel>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
  package var description: String { String(cString: entry.pointee.name) }

  /// Every kernel of this build, best first.
  package static let all: [RecurrentKernel] = {
    var count = 0
    let first = apus_recurrent_kernels(&count)
    return (0..<count).compactMap { index in
      first.map { RecurrentKernel(entry: $0 + index) }
    }
  }()

  /// The best kernel among `isas`.
  package static func best(isas: Set<ISA>) -> RecurrentKernel {
    guard let kernel = all.first(where: { isas.contains($0.isa) }) ?? all.last else {
      preconditionFailure("the kernel table lacks its portable entry")
    }
    return kernel
  }

  /// y[j] += Σ x[k] · matrix[k · stride + j]
  @inline(__always)
  package func accumulate(
    _ x: UnsafePointer<Float>, _ matrix: UnsafePointer<Float>, stride: Int,
    into y: UnsafeMutablePointer<Float>, rows: Int, columns: Int
  ) {
    entry.pointee.run(x, matrix, stride, y, rows, columns)
  }
}
