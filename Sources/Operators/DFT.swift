import Graphs
import Instructions
import Tensors

/// Transforms a signal to frequencies or back: the discrete Fourier transform along one axis.
///
/// input: [..., signal, ..., 1 | 2] float, the last axis real and imaginary parts; dft_length: a
/// constant scalar (default: the axis' extent; for the one-sided inverse twice that less two);
/// axis: attribute (default 1) before version 20, then a constant scalar input (default -2).
/// output: 2 parts, dft_length positions; `onesided`: forward dft_length / 2 + 1 positions, inverse
/// 1 part. ONNX versions 17 and 20.
package struct DFT: LoweredOperator {
  package static let name = "DFT"
  package static let sinceVersion = 17

  package var axis: Int?
  package var isInverse: Bool
  package var isOneSided: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    axis = node.version < 20 ? try node.int("axis", default: 1) : nil
    isInverse = try node.bool("inverse", default: false)
    isOneSided = try node.bool("onesided", default: false)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "input")
    let (axis, length) = try resolved(inputs)
    var shape = x.shape
    shape[axis] = isOneSided && !isInverse ? length / 2 + 1 : length
    shape[shape.rank - 1] = isOneSided && isInverse ? 1 : 2
    return [ValueInfo(type: x.type, shape: try Shape(checking: shape.dimensions))]
  }

  private func resolved(_ inputs: [ValueInfo?]) throws(GraphError) -> (axis: Int, length: Int) {
    let x = try inputs.required(0, "input")
    guard x.type.isFloat, x.shape.rank >= 2, let parts = x.shape.dimensions.last, 1...2 ~= parts
    else { throw GraphError("\(x.type) \(x.shape) is no signal: its last axis must be 1 or 2") }
    if isOneSided && !isInverse && parts == 2 {
      throw GraphError("onesided is for real signals, but \(x.shape) is complex")
    }
    let given = try inputs.scalar(2, "axis")
    let axis = try normalized(axis: self.axis ?? given ?? -2, rank: x.shape.rank)
    guard axis < x.shape.rank - 1 else {
      throw GraphError("axis \(axis) of \(x.shape) holds the real and imaginary parts")
    }
    let extent = x.shape[axis]
    let natural = isInverse && isOneSided ? 2 * (extent - 1) : extent
    let length = try inputs.scalar(1, "dft_length") ?? natural
    guard (1...FourierTransform.limit).contains(length) else {
      throw GraphError(
        "the transform has length \(length); it must be 1 to \(FourierTransform.limit)")
    }
    return (axis, length)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var transform = FourierTransform()
    (transform.axis, transform.length) = try resolved(lowering.inputInfos)
    transform.isInverse = isInverse
    transform.isOneSided = isOneSided
    transform.input = try lowering.operand(0)
    transform.output = try lowering.result(0)
    lowering.emit(transform)
  }
}

/// Transforms pieces of a signal to frequencies: the short-time Fourier transform.
///
/// signal: [batch, length, 1 | 2] float; frame_step: constant scalar; window: [frame] or absent;
/// frame_length: constant scalar (default: the window's length, else the signal's); output: [batch,
/// frames, frequencies, 2], frames = (length - frame) / step + 1, frequencies = frame / 2 + 1 with
/// `onesided` (1), else frame. ONNX version 17.
package struct STFT: LoweredOperator {
  package static let name = "STFT"
  package static let sinceVersion = 17

  package var isOneSided: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    isOneSided = try node.bool("onesided", default: true)
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "signal")
    let (step, frame) = try resolved(inputs)
    let frames = (x.shape[1] - frame) / step + 1
    let shape = [x.shape[0], frames, isOneSided ? frame / 2 + 1 : frame, 2]
    return [ValueInfo(type: x.type, shape: try Shape(checking: shape))]
  }

  private func resolved(_ inputs: [ValueInfo?]) throws(GraphError) -> (step: Int, frame: Int) {
    let x = try inputs.required(0, "signal")
    guard x.type.isFloat, x.shape.rank == 3, 1...2 ~= x.shape[2] else {
      throw GraphError("\(x.type) \(x.shape) is no signal [batch, length, 1 or 2]")
    }
    if isOneSided && x.shape[2] == 2 {
      throw GraphError("onesided is for real signals, but \(x.shape) is complex")
    }
    let window = inputs.optional(2)?.shape
    guard let step = try inputs.scalar(1, "frame_step"), step > 0 else {
      throw GraphError("frame_step must be a positive number")
    }
    let frame =
      try inputs.scalar(3, "frame_length") ?? window?.elementCount ?? x.shape[1]
    guard (1...FourierTransform.limit).contains(frame), frame <= x.shape[1] else {
      throw GraphError(
        "frames of \(frame) elements of a signal of \(x.shape[1]): they must be 1 to that, at most "
          + "\(FourierTransform.limit)")
    }
    if let window, window != [frame] {
      throw GraphError("a window of shape \(window) for frames of \(frame)")
    }
    return (step, frame)
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var transform = FourierTransform()
    (transform.step, transform.length) = try resolved(lowering.inputInfos)
    transform.axis = 1
    transform.isOneSided = isOneSided
    transform.input = try lowering.operand(0)
    if lowering.info(2) != nil { transform.window = try lowering.operand(2) }
    transform.output = try lowering.result(0)
    lowering.emit(transform)
  }
}

extension [ValueInfo?] {
  /// The one integer of an input that decides shapes; nil where the input is absent.
  func scalar(_ index: Int, _ name: String) throws(GraphError) -> Int? {
    guard let values = try constantIntegers(index, name) else { return nil }
    guard values.count == 1 else {
      throw GraphError("input \(index) (\(name)) has \(values.count) elements, but must have one")
    }
    return values[0]
  }
}
