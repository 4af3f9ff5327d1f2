internal import CKernels
import Kernels
import Tensors

/// How a float32 tensor and a uint8 tensor of the same elements lie: row by row alike, or the
/// float32 ones as planes ([N, C, ...]) and the bytes as pixels ([N, ..., C]).
struct QuantizedLayout: Sendable {
  private var isTransposed = false
  // Alike.
  private var rows = 0
  private var rowLength = 0
  private var realRow = 0
  private var byteRow = 0
  // Planes and pixels.
  private var images = 0
  private var lines = 0
  private var lineLength = 0
  private var channels = 0
  private var realLine = 0
  private var plane = 0

  /// The pixels of a piece of work, and the elements of one.
  private static let pixelGrain = 1024
  private static let elementGrain = 256

  init() {}

  init(
    _ instruction: any Instruction, reals: TensorSpec, bytes: TensorSpec, isPerChannel: Bool
  ) throws(InstructionError) {
    let rank = reals.shape.rank
    // Made only where it is thrown: text about enumerations costs more than all else here.
    func error() -> InstructionError {
      InstructionError(
        type(of: instruction).opcode,
        "\(reals.type) \(reals.shape) (\(reals.layout)), "
          + "\(bytes.type) \(bytes.shape) (\(bytes.layout))")
    }
    guard reals.type == .float32 && bytes.type == .uint8 && rank == bytes.shape.rank else {
      throw error()
    }
    realRow = reals.rowStride
    byteRow = bytes.rowStride
    if rank < 3 || reals.layout == bytes.layout {
      guard reals.shape == bytes.shape else { throw error() }
      rows = reals.rowCount
      rowLength = reals.rowLength
      if reals.isDense && bytes.isDense && !isPerChannel {
        rowLength = reals.shape.elementCount
        rows = 1
      }
      return
    }
    guard
      reals.layout == .declared, rank <= 5, bytes.layout.physical(reals.shape) == bytes.shape
    else { throw error() }
    isTransposed = true
    images = reals.shape[0]
    channels = reals.shape[1]
    lineLength = reals.rowLength
    lines = reals.shape.dimensions[2..<rank - 1].reduce(1, *)
    realLine = reals.rowStride
    plane = lines * realLine
    if realLine == lineLength {
      lineLength *= lines
      realLine = lineLength
      lines = 1
    }
  }

  func quantize(
    _ kernel: QuantizedElementsKernel, _ reals: UnsafeMutablePointer<Float>,
    _ bytes: UnsafeMutablePointer<UInt8>, _ scales: QuantizedScales,
    _ context: borrowing ExecutionContext
  ) {
    if isTransposed {
      eachPiece(reals, bytes, scales, context) { call in
        kernel.entry.pointee.quantize_planes(&call)
      }
      return
    }
    eachBlock(scales, context) { row, column, call in
      call.x = UnsafeRawPointer(reals + row * realRow + column)
      call.y = UnsafeMutableRawPointer(bytes + row * byteRow + column)
      call.x_row = realRow
      call.y_row = byteRow
      kernel.entry.pointee.quantize(&call)
    }
  }

  func dequantize(
    _ kernel: QuantizedElementsKernel, _ bytes: UnsafeMutablePointer<UInt8>,
    _ reals: UnsafeMutablePointer<Float>, _ scales: QuantizedScales,
    _ context: borrowing ExecutionContext
  ) {
    if isTransposed {
      eachPiece(reals, bytes, scales, context) { call in
        kernel.entry.pointee.dequantize_planes(&call)
      }
      return
    }
    eachBlock(scales, context) { row, column, call in
      call.x = UnsafeRawPointer(bytes + row * byteRow + column)
      call.y = UnsafeMutableRawPointer(reals + row * realRow + column)
      call.x_row = byteRow
      call.y_row = realRow
      kernel.entry.pointee.dequantize(&call)
    }
  }

  /// Calls `body` with this part's rows (or columns of the only row) that lie alike.
  @inline(__always)
  private func eachBlock(
    _ scales: QuantizedScales, _ context: borrowing ExecutionContext,
    _ body: (_ row: Int, _ column: Int, _ call: inout apus_quantize) -> Void
  ) {
    var call = apus_quantize()
    var row = 0
    var column = 0
    if rows == 1 {
      let share = context.share(of: rowLength, grain: QuantizedLayout.elementGrain)
      column = share.lowerBound
      call.rows = 1
      call.count = share.count
    } else {
      let share = context.share(of: rows)
      row = share.lowerBound
      call.rows = share.count
      call.count = rowLength
    }
    guard call.rows > 0 && call.count > 0 else { return }
    call.scale = scales.kernelForm(from: column)
    body(row, column, &call)
  }

  /// Calls `body` with this part's pieces of planes and pixels.
  @inline(__always)
  private func eachPiece(
    _ reals: UnsafeMutablePointer<Float>, _ bytes: UnsafeMutablePointer<UInt8>,
    _ scales: QuantizedScales, _ context: borrowing ExecutionContext,
    _ body: (inout apus_quantize_planes) -> Void
  ) {
    let grain = QuantizedLayout.pixelGrain
    let perLine = (lineLength + grain - 1) / grain
    guard channels > 0 && perLine > 0 else { return }
    var call = apus_quantize_planes()
    call.plane = plane
    call.pixel = byteRow
    call.channels = channels
    call.scale = scales.kernelForm()
    for piece in context.share(of: images * lines * perLine) {
      let first = piece % perLine * grain
      let line = piece / perLine % lines
      let image = piece / perLine / lines
      call.reals = reals + image * channels * plane + line * realLine + first
      call.bytes = bytes + ((image * lines + line) * lineLength + first) * byteRow
      call.pixels = min(grain, lineLength - first)
      body(&call)
    }
  }
}
