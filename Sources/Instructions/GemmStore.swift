internal import CKernels
import Kernels
import Tensors

/// The store of a matrix product: what happens to its sums, and where they go.
///
/// Rows are numbered as in y: consecutive positions of all axes but the last.
struct GemmStore: Sendable {
  var bias: Operand
  var residual: Operand
  var y: Operand
  var activation: Activation
  var residualLast: Bool
  private let yLayout: Layout
  private let residualLayout: Layout

  /// The type and row stride of a tensor.
  struct Layout: Sendable {
    var isBFloat16: Bool
    var rowStride: Int

    init(_ spec: TensorSpec) {
      isBFloat16 = spec.type == .bfloat16
      rowStride = spec.rowStride
    }

    @inline(__always)
    func byteOffset(row: Int, column: Int) -> Int {
      (row * rowStride + column) * (isBFloat16 ? 2 : 4)
    }
    var type: UInt32 { isBFloat16 ? APUS_BFLOAT16.rawValue : APUS_FLOAT32.rawValue }
  }

  init(
    bias: Operand, residual: Operand, y: Operand, activation: Activation, residualLast: Bool,
    _ preparation: borrowing Preparation
  ) {
    self.bias = bias
    self.residual = residual
    self.y = y
    self.activation = activation
    self.residualLast = residualLast
    yLayout = Layout(preparation[y])
    residualLayout = Layout(preparation[residual.isPresent ? residual : y])
  }

  /// A call that lacks only its factors: the grid has `pixelStep` rows of y from one pixel to the
  /// next, and `lineStep` from one line to the next.
  func makeCall(width: Int, pixelStep: Int, lineStep: Int) -> apus_gemm {
    var call = apus_gemm()
    call.width = width
    call.scale = 1
    call.y_pixel = pixelStep * yLayout.rowStride
    call.y_line = lineStep * yLayout.rowStride
    call.y_type = yLayout.type
    call.residual_pixel = pixelStep * residualLayout.rowStride
    call.residual_line = lineStep * residualLayout.rowStride
    call.residual_type = residualLayout.type
    call.residual_last = residualLast ? 1 : 0
    call.activation = function
    return call
  }

  /// Points a call at a row and column of y, and at what belongs to them.
  @inline(__always)
  func place(
    _ call: inout apus_gemm, row: Int, column: Int, _ context: borrowing ExecutionContext
  ) {
    call.y = context.pointer(y) + yLayout.byteOffset(row: row, column: column)
    call.bias = bias.isPresent ? UnsafePointer(context.pointer(bias, as: Float.self) + column) : nil
    call.residual =
      residual.isPresent
      ? UnsafeRawPointer(
        context.pointer(residual) + residualLayout.byteOffset(row: row, column: column)) : nil
  }

  /// Points a call at the bias of a column where columns of y and of bias are not the same.
  @inline(__always)
  func placeBias(_ call: inout apus_gemm, column: Int, _ context: borrowing ExecutionContext) {
    guard bias.isPresent else { return }
    call.bias = UnsafePointer(context.pointer(bias, as: Float.self) + column)
  }

  /// A depthwise call that lacks its pointers, channels and lines.
  func makeDepthwiseCall(window: ConvolutionWindow, input: Layout) -> apus_depthwise {
    var call = apus_depthwise()
    call.x_type = input.type
    call.x_pixel = input.rowStride
    call.height = window.height
    call.width = window.width
    call.kernel_height = window.kernelHeight
    call.kernel_width = window.kernelWidth
    call.stride_y = window.strideY
    call.stride_x = window.strideX
    call.pad_top = window.padTop
    call.pad_left = window.padLeft
    call.dilation_y = window.dilationY
    call.dilation_x = window.dilationX
    call.weight_step = window.channels
    call.y_type = yLayout.type
    call.y_pixel = yLayout.rowStride
    call.y_width = window.outputWidth
    call.residual_type = residualLayout.type
    call.residual_pixel = residualLayout.rowStride
    call.residual_last = residualLast ? 1 : 0
    call.activation = function
    return call
  }

  /// Points a depthwise call at a row and channel of y, and at what belongs to them.
  @inline(__always)
  func place(
    _ call: inout apus_depthwise, row: Int, column: Int, _ context: borrowing ExecutionContext
  ) {
    call.y = context.pointer(y) + yLayout.byteOffset(row: row, column: column)
    call.bias = bias.isPresent ? UnsafePointer(context.pointer(bias, as: Float.self) + column) : nil
    call.residual =
      residual.isPresent
      ? UnsafeRawPointer(
        context.pointer(residual) + residualLayout.byteOffset(row: row, column: column)) : nil
  }

  private var function: apus_activation {
    apus_activation(
      function: UInt32(activation.function.rawValue), alpha: activation.alpha,
      beta: activation.beta)
  }
}
