internal import CKernels
import Kernels
import Tensors

/// What the pools share: checks, and calls of the vector kernels.
extension Preparation {
  /// Limits that keep every position of the window far from overflow.
  func checkPoolWindow(
    _ instruction: any Instruction, kernel: [Int], strides: [Int], dilations: [Int],
    padsBegin: [Int], padsEnd: [Int], inputExtents: [Int], outputExtents: [Int]
  ) throws(InstructionError) {
    let count = inputExtents.count
    let limit = 1 << 24
    try require(
      [kernel, strides, dilations, padsBegin, padsEnd].allSatisfy { $0.count == count }
        && (kernel + strides + dilations).allSatisfy { (1...limit).contains($0) }
        && (padsBegin + padsEnd).allSatisfy { (0...limit).contains($0) }
        && (inputExtents + outputExtents).allSatisfy { $0 < 1 << 32 }
        && kernel.reduce(1.0, { $0 * Double($1) }) < 1e9, instruction,
      "kernel \(kernel), strides \(strides), dilations \(dilations), pads \(padsBegin) "
        + "and \(padsEnd) for \(count) spatial axes")
  }
}

extension apus_pool {
  /// A window over one or two spatial axes (lists outermost first) in a call that lacks its
  /// pointers, types, strides of pixels and row.
  init(
    kernel: [Int], strides: [Int], dilations: [Int], padsBegin: [Int], padsEnd: [Int],
    inputExtents: [Int], outputExtents: [Int], channels: Int, countsPadding: Bool
  ) {
    self.init()
    let last = kernel.count - 1
    let isFlat = last == 0
    height = isFlat ? 1 : inputExtents[0]
    width = inputExtents[last]
    self.channels = channels
    output_width = outputExtents[last]
    kernel_h = isFlat ? 1 : kernel[0]
    kernel_w = kernel[last]
    stride_h = isFlat ? 1 : strides[0]
    stride_w = strides[last]
    dilation_h = isFlat ? 1 : dilations[0]
    dilation_w = dilations[last]
    pad_top = isFlat ? 0 : padsBegin[0]
    pad_left = padsBegin[last]
    pad_bottom = isFlat ? 0 : padsEnd[0]
    pad_right = padsEnd[last]
    counts_padding = countsPadding ? 1 : 0
  }
}

extension Pool {
  /// Says whether the vector kernels can do it: one or two spatial axes, maximum or average.
  var isVector: Bool {
    let suits = inputType.isComputedInFloat32 || inputType == .uint8  // a maximum, for bytes
    return suits && kernel.count <= 2 && function != .norm && !places.isPresent && channels > 0
  }

  func executeVectors(_ vectors: PoolKernel, _ context: borrowing ExecutionContext) {
    let x = context.pointer(input)
    let y = context.pointer(output)
    var call = apus_pool(
      kernel: kernel, strides: strides, dilations: dilations, padsBegin: padsBegin,
      padsEnd: padsEnd, inputExtents: inputExtents, outputExtents: outputExtents,
      channels: channels, countsPadding: countsPadding)
    call.x_pixel = inputStride
    call.y_pixel = outputStride
    call.x_type = inputType.kernelType
    call.y_type = outputType.kernelType
    call.function = UInt32(function.rawValue)
    let run = inputType == .uint8 ? vectors.entry.pointee.maximum_bytes : vectors.entry.pointee.row
    let height = kernel.count == 1 ? 1 : outputExtents[0]
    let inputPixels = call.height * call.width
    for row in context.share(of: batch * height) {
      let image = row / height
      call.row = row % height
      call.x = UnsafeRawPointer(x + image * inputPixels * inputStride * inputType.byteCount)
      call.y = y + row * call.output_width * outputStride * outputType.byteCount
      run?(&call)
    }
  }
}
