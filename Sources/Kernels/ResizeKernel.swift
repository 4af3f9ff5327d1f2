internal import CKernels

/// The two halves of a separable interpolation, and the choice of pixels; `resize.h` states what
/// they compute.
///
/// Sendable because it points into a constant table.
package struct ResizeKernel: @unchecked Sendable, CustomStringConvertible {
  private let entry: UnsafePointer<apus_resize_kernel>

  package var isa: ISA { ISA(rawValue: UInt8(truncatingIfNeeded: entry.pointee.isa)) ?? .portable }
  package var description: String { String(cString: entry.pointee.name) }

  /// Every kernel of this build, best first.
  package static let all: [ResizeKernel] = {
    var count = 0
    let first = apus_resize_kernels(&count)
    return (0..<count).compactMap { index in first.map { ResizeKernel(entry: $0 + index) } }
  }()

  /// The best kernel among `isas`.
  package static func best(isas: Set<ISA>) -> ResizeKernel {
    guard let kernel = all.first(where: { isas.contains($0.isa) }) ?? all.last else {
      preconditionFailure("the kernel table lacks its portable entry")
    }
    return kernel
  }

  /// The element types of tensors; bytes are quantised. Raw values are those of `resize.h`.
  package enum Element: UInt32, Sendable {
    case float32 = 0
    case bfloat16 = 1
    case uint8 = 2
  }

  /// target[i] = Σ weights[t] · source[places[t] · row + i]
  @inline(__always)
  package func blendRows(
    _ source: UnsafeRawPointer, _ type: Element, _ places: UnsafePointer<Int32>,
    _ weights: UnsafePointer<Float>, taps: Int, row: Int, to target: UnsafeMutablePointer<Float>
  ) {
    entry.pointee.rows(source, type.rawValue, places, weights, taps, row, target)
  }

  /// target[k · inner + i] = Σ weights[k · taps + t] · source[places[k · taps + t] · inner + i]
  @inline(__always)
  package func blendPixels(
    _ source: UnsafePointer<Float>, _ places: UnsafePointer<Int32>,
    _ weights: UnsafePointer<Float>, taps: Int, count: Int, inner: Int,
    to target: UnsafeMutableRawPointer, _ type: Element
  ) {
    entry.pointee.pixels(source, places, weights, taps, count, inner, target, type.rawValue)
  }

  /// target[k · targetStep + i] = source[places[k] · sourceStep + i] for i < length, in bytes
  @inline(__always)
  package func pickPixels(
    _ source: UnsafePointer<UInt8>, step sourceStep: Int, _ places: UnsafePointer<Int32>,
    count: Int, length: Int, to target: UnsafeMutablePointer<UInt8>, step targetStep: Int
  ) {
    entry.pointee.pick(source, sourceStep, places, count, length, target, targetStep)
  }
}
