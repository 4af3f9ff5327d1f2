import Graphs
import Instructions
import Tensors

/// Said where weights or kernels that must be known at compile time are not.
let weightsMustBeConstant =
  "the weights are computed at run time; they must be constants: export the model with its "
  + "weights folded in"

/// Checks x and w of a convolution for rank and element type.
func convolutionOperands(_ inputs: [ValueInfo?]) throws(GraphError) -> (x: ValueInfo, w: ValueInfo)
{
  guard inputs.count >= 2, let x = inputs[0], let w = inputs[1] else {
    throw GraphError("inputs x and w are required")
  }
  guard (3...5).contains(x.shape.rank), w.shape.rank == x.shape.rank else {
    throw GraphError("x is \(x.shape) and w is \(w.shape); both must have the same rank, 3 to 5")
  }
  guard x.type.isFloat, x.type == w.type else {
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
  /// The constant bias at this input position as a float32 vector; absent if the input is.
  func biasOperand(_ index: Int) throws(GraphError) -> Operand {
    guard let info = info(index) else { return .none }
    guard info.constant != nil else {
      throw GraphError("the bias is computed at run time; it must be a constant")
    }
    return try operand(index, .declared, type: .float32)
  }

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
