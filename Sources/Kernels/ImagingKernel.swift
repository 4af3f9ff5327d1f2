package import CKernels

/// The kernels of the image path for one ISA; `imaging.h` states what they compute. All give the
/// same bits.
///
/// Sendable because it points into a constant table.
package struct ImagingKernel: @unchecked Sendable, CustomStringConvertible {
  package let entry: UnsafePointer<apus_imaging_kernel>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
  package var description: String { String(cString: entry.pointee.name) }

  /// Every kernel of this build whose extra flag this processor has, best first.
  package static let all: [ImagingKernel] = {
    var count = 0
    let first = apus_imaging_kernels(&count)
    return (0..<count).compactMap { index in
      guard let entry = first.map({ $0 + index }) else { return nil }
      if let flag = entry.pointee.flag, apus_cpu_has(flag) == 0 { return nil }
      return ImagingKernel(entry: entry)
    }
  }()

  /// The best kernel among `isas`; the portable one where none is better.
  package static func best(isas: Set<ISA>) -> ImagingKernel {
    guard let best = all.first(where: { isas.contains($0.isa) }) ?? all.last else {
      preconditionFailure("the kernel table lacks its portable entry")
    }
    return best
  }
}
