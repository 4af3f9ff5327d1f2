internal import CKernels
import Tensors

/// The scales and zero points of an 8-bit tensor in the form that kernels read: arrays with 64
/// entries behind the last channel.
///
/// Sendable because nothing changes the arrays after `init`.
final class QuantizedScales: @unchecked Sendable {
  /// By channel, or one.
  let scales: UnsafePointer<Float>
  let zeroPoints: UnsafePointer<Int32>
  let isPerChannel: Bool

  /// Reads the quantisation of a uint8 tensor; channels are positions of the last physical axis.
  ///
  /// - Parameter inverted: whether the reciprocals of the scales are stored.
  init(
    _ instruction: any Instruction, _ spec: TensorSpec, inverted: Bool = false
  ) throws(InstructionError) {
    let opcode = type(of: instruction).opcode
    guard spec.type == .uint8, let quantization = spec.quantization else {
      throw InstructionError(opcode, "\(spec.name) (\(spec.type)) has no quantisation")
    }
    // Which axis lies last: the channel axis 1 where tensors of rank 3 and more say so.
    let rank = spec.shape.rank
    let last = spec.layout == .channelsLast && rank >= 3 ? 1 : rank - 1
    guard
      quantization.fits(.uint8, count: spec.rowLength),
      !quantization.isPerChannel || quantization.axis == last
    else {
      throw InstructionError(opcode, "\(spec.name) (\(spec.shape)) is quantised by \(quantization)")
    }
    isPerChannel = quantization.isPerChannel
    let count = quantization.scales.count
    let floats = UnsafeMutablePointer<Float>.allocate(capacity: count + 64)
    floats.initialize(repeating: 1, count: count + 64)
    let integers = UnsafeMutablePointer<Int32>.allocate(capacity: count + 64)
    integers.initialize(repeating: 0, count: count + 64)
    for channel in 0..<count {
      let scale = quantization.scales[channel]
      floats[channel] = inverted ? 1 / scale : scale
      integers[channel] = quantization.zeroPoints[channel]
    }
    scales = UnsafePointer(floats)
    zeroPoints = UnsafePointer(integers)
  }

  deinit {
    scales.deallocate()
    zeroPoints.deallocate()
  }

  /// The kernels' form, from `channel` on.
  func kernelForm(from channel: Int = 0) -> apus_quantized_scale {
    let first = isPerChannel ? channel : 0
    return apus_quantized_scale(
      scale: scales + first, zero: zeroPoints + first, channels: isPerChannel ? 1 : 0)
  }
}
