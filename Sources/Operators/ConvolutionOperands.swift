import Graphs
import Instructions
import Tensors

/// Checks x and w of a convolution for rank and element type.
///
/// - Parameter takesIntegers: int32 is allowed, too, as in the convolutions that integer ones are
///   written out in.
func convolutionOperands(
  _ inputs: [ValueInfo?], takesIntegers: Bool = false
) throws(GraphError) -> (x: ValueInfo, w: ValueInfo) {
  guard inputs.count >= 2, let x = inputs[0], let w = inputs[1] else {
    throw GraphError("inputs x and w are required")
  }
  guard (3...5).contains(x.shape.rank), w.shape.rank == x.shape.rank else {
    throw GraphError("x is \(x.shape) and w is \(w.shape); both must have the same rank, 3 to 5")
  }
  guard x.type.isFloat || takesIntegers && x.type == .int32, x.type == w.type else {
    throw GraphError("x is \(x.type) and w is \(w.type); both must be the same float type")
  }
  return (x, w)
}

/// Checks that the optional bias (input 2) is a vector of `channels` elements.
func checkBias(_ inputs: [ValueInfo?], channels: Int) throws(GraphError) {
  guard inputs.count > 2, let bias = inputs[2] else { return }
  guard bias.shape == [channels] else {
    throw GraphError("the bias is \(bias.shape), but there are \(channels) output channels")
  }
}

extension Lowering {
  /// The bias at this input position as a float32 vector; absent if the input is.
  func biasOperand(_ index: Int) throws(GraphError) -> Operand {
    info(index) == nil ? .none : try operand(index, .declared, type: .float32)
  }

  /// Says whether the bias at this input position is known at compile time, or absent.
  func isBiasKnown(_ index: Int) -> Bool { info(index).map { $0.constant != nil } ?? true }

  /// The type of the constant factor beside an operand: bfloat16 beside bfloat16.
  func factorType(of operand: Operand) -> ElementType {
    self[operand].type == .bfloat16 ? .bfloat16 : .float32
  }

  /// A channels-last tensor as a picture [N, H, W, C]: one of rank 3 gets H = 1.
  func flattenedToPicture(_ operand: Operand) -> Operand {
    let shape = self[operand].shape
    guard shape.rank == 3 else { return operand }
    return reshaped(operand, [shape[0], 1, shape[1], shape[2]], layout: .channelsLast)
  }
}

/// A window over two spatial axes; one-dimensional ones get a first axis of extent 1.
struct PictureWindow {
  var kernel: [Int]
  var strides: [Int]
  var dilations: [Int]
  /// Top, left, bottom, right.
  var pads: [Int]

  init(_ window: Window.Resolved) {
    let flat = window.kernel.count == 1
    kernel = flat ? [1] + window.kernel : window.kernel
    strides = flat ? [1] + window.strides : window.strides
    dilations = flat ? [1] + window.dilations : window.dilations
    let begin = flat ? [0] + window.padsBegin : window.padsBegin
    let end = flat ? [0] + window.padsEnd : window.padsEnd
    pads = begin + end
  }
}
