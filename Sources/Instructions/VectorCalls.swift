internal import CKernels
import Kernels
import Tensors

/// What the fast paths that call vector kernels share.
extension ElementType {
  /// The kernels' name for float32 or bfloat16.
  var kernelType: UInt32 { self == .bfloat16 ? APUS_BFLOAT16.rawValue : APUS_FLOAT32.rawValue }
}

extension Activation {
  /// The kernels' form.
  var kernelForm: apus_activation {
    apus_activation(function: UInt32(function.rawValue), alpha: alpha, beta: beta)
  }

  /// Says whether the vector kernels can apply it.
  var isVector: Bool { ElementwiseKernel.knows(function: function.rawValue) }

  /// Applies the function to `count` values in place, by the kernel where it knows the function.
  func apply(to values: UnsafeMutablePointer<Float>, count: Int, by kernel: ElementwiseKernel?) {
    guard let kernel, isVector else { return apply(to: values, count: count) }
    var call = apus_unary()
    call.x = UnsafeRawPointer(values)
    call.y = UnsafeMutableRawPointer(values)
    call.x_type = APUS_FLOAT32.rawValue
    call.y_type = APUS_FLOAT32.rawValue
    call.rows = 1
    call.count = count
    call.activation = kernelForm
    kernel.entry.pointee.unary(&call)
  }
}

extension Walk {
  /// Says whether the innermost loop visits elements that are adjacent, or one element again and
  /// again, for the operands that are only read (the first ones), and adjacent ones for the last.
  func suitsVectors(operands: Int) -> Bool {
    for lane in 0..<operands - 1 where steps[lane] != 0 && steps[lane] != 1 { return false }
    return steps[operands - 1] == 1 || count == 1
  }
}

extension Unary {
  func executeVectors(
    _ kernel: ElementwiseKernel, _ context: borrowing ExecutionContext
  ) {
    let x = context.pointer(input)
    let y = context.pointer(output)
    var call = apus_unary()
    call.x_type = inputType.kernelType
    call.y_type = outputType.kernelType
    call.x_row = walk.rowSteps[0]
    call.y_row = walk.rowSteps[1]
    call.activation = activation.kernelForm
    call.fused = isFused ? 1 : 0
    walk.run(context) { offsets, rows, count in
      call.x = UnsafeRawPointer(x + offsets[0] * inputType.byteCount)
      call.y = y + offsets[1] * outputType.byteCount
      call.rows = rows
      call.count = count
      kernel.entry.pointee.unary(&call)
    }
  }
}

extension Binary {
  /// Says whether the vector kernels know the function.
  var isVector: Bool {
    switch function {
    case .add, .subtract, .multiply, .divide, .minimum, .maximum, .prelu: activation.isVector
    default: false
    }
  }

  func executeVectors(
    _ kernel: ElementwiseKernel, _ context: borrowing ExecutionContext
  ) {
    let left = context.pointer(a)
    let right = context.pointer(b)
    let y = context.pointer(output)
    var call = apus_binary()
    call.a_type = aType.kernelType
    call.b_type = bType.kernelType
    call.y_type = outputType.kernelType
    call.a_row = walk.rowSteps[0]
    call.b_row = walk.rowSteps[1]
    call.y_row = walk.rowSteps[2]
    call.a_step = walk.steps[0] == 0 ? 0 : 1
    call.b_step = walk.steps[1] == 0 ? 0 : 1
    call.function = UInt32(function.rawValue)
    call.activation = activation.kernelForm
    walk.run(context) { offsets, rows, count in
      call.a = UnsafeRawPointer(left + offsets[0] * aType.byteCount)
      call.b = UnsafeRawPointer(right + offsets[1] * bType.byteCount)
      call.y = y + offsets[2] * outputType.byteCount
      call.rows = rows
      call.count = count
      kernel.entry.pointee.binary(&call)
    }
  }
}

extension ScaleShift {
  func executeVectors(
    _ kernel: ElementwiseKernel, _ context: borrowing ExecutionContext
  ) {
    let share = context.share(of: rows)
    guard !share.isEmpty, channels > 0 else { return }
    let x = context.pointer(input) + share.lowerBound * inputStride * inputType.byteCount
    let y = context.pointer(output) + share.lowerBound * outputStride * outputType.byteCount
    var call = apus_scale_shift()
    call.x = UnsafeRawPointer(x)
    call.y = y
    call.scale = UnsafeRawPointer(context.pointer(scale))
    call.bias = UnsafeRawPointer(context.pointer(bias))
    call.x_row = inputStride
    call.y_row = outputStride
    call.x_type = inputType.kernelType
    call.scale_type = scaleType.kernelType
    call.bias_type = biasType.kernelType
    call.y_type = outputType.kernelType
    call.rows = share.count
    call.count = channels
    call.activation = activation.kernelForm
    kernel.entry.pointee.scale_shift(&call)
  }
}

extension Reduce {
  /// How the vector kernels can do a reduction.
  enum VectorForm: Sendable {
    /// The reduced elements are adjacent.
    case rows
    /// The results are adjacent, and so are the elements for them.
    case columns
  }

  /// The form that fits, if one does.
  var vectorForm: VectorForm? {
    switch function {
    case .sum, .mean, .maximum, .minimum, .l1, .l2, .sumSquare: break
    default: return nil
    }
    guard reduced.count > 0, kept.count > 0, reduced.extents.count <= 1 else { return nil }
    if reduced.inner.step == 1 || reduced.count == 1 { return .rows }
    return kept.inner.step == 1 ? .columns : nil
  }

  func executeVectors(
    _ kernel: ReduceKernel, _ form: VectorForm, _ context: borrowing ExecutionContext
  ) {
    let x = context.pointer(input)
    let y = context.pointer(output)
    var call = apus_reduce()
    call.x_type = inputType.kernelType
    call.y_type = outputType.kernelType
    call.function = UInt32(function.rawValue)
    let inner = kept.inner
    let blocks = kept.rowCount
    // Few long runs of results are split inside the runs, many short ones between them.
    let splitsRuns = blocks < 2 * context.parts
    let runs = splitsRuns ? 0..<blocks : context.share(of: blocks)
    let part = splitsRuns ? context.share(of: inner.count, grain: 16) : 0..<inner.count
    guard !part.isEmpty else { return }
    for block in runs {
      let start = kept.offset(ofRow: block) + part.lowerBound * inner.step
      call.x = UnsafeRawPointer(x + start * inputType.byteCount)
      call.y = y + (block * inner.count + part.lowerBound) * outputType.byteCount
      switch form {
      case .rows:
        call.row = inner.step
        call.rows = part.count
        call.count = reduced.count
        kernel.entry.pointee.rows(&call)
      case .columns:
        call.row = reduced.inner.step
        call.rows = reduced.count
        call.count = part.count
        kernel.entry.pointee.columns(&call)
      }
    }
  }
}

extension ArgReduce {
  func executeVectors(_ kernel: ReduceKernel, _ context: borrowing ExecutionContext) {
    let x = context.pointer(input)
    let y = context.pointer(output, as: Int64.self)
    var call = apus_arg_reduce()
    call.x_type = type.kernelType
    call.least = findsLeast ? 1 : 0
    call.last = selectsLast ? 1 : 0
    call.count = extent
    let share = context.share(of: kept.count)
    let inner = kept.inner
    call.row = inner.step
    // Runs of results whose rows lie evenly apart.
    var index = share.lowerBound
    while index < share.upperBound {
      let length = min(inner.count - index % inner.count, share.upperBound - index)
      call.x = UnsafeRawPointer(x + kept.offset(of: index) * type.byteCount)
      call.y = y + index
      call.rows = length
      kernel.entry.pointee.arg_rows(&call)
      index += length
    }
  }
}

extension Softmax {
  func executeVectors(_ kernel: SoftmaxKernel, _ context: borrowing ExecutionContext) {
    let x = context.pointer(input)
    let y = context.pointer(output)
    var call = apus_softmax()
    call.x_type = inputType.kernelType
    call.y_type = outputType.kernelType
    call.logarithmic = isLogarithmic ? 1 : 0
    call.fused = isFused ? 1 : 0
    if outputType == .uint8 {
      call.y_type = APUS_SOFTMAX_BYTES.rawValue
      (call.y_inverse, call.y_zero) = (byteInverse, byteZero)
    }
    if space.inner == 1 {
      let share = context.share(of: space.outer)
      guard !share.isEmpty else { return }
      let start = share.lowerBound * space.extent
      call.x = UnsafeRawPointer(x + start * inputType.byteCount)
      call.y = y + start * outputType.byteCount
      call.row = space.extent
      call.rows = share.count
      call.count = space.extent
      kernel.entry.pointee.rows(&call)
      return
    }
    let splitsBlocks = space.outer < 2 * context.parts
    let blocks = splitsBlocks ? 0..<space.outer : context.share(of: space.outer)
    let part = splitsBlocks ? context.share(of: space.inner, grain: 16) : 0..<space.inner
    guard !part.isEmpty else { return }
    call.row = space.inner
    call.rows = space.extent
    call.count = part.count
    for block in blocks {
      let start = block * space.extent * space.inner + part.lowerBound
      call.x = UnsafeRawPointer(x + start * inputType.byteCount)
      call.y = y + start * outputType.byteCount
      kernel.entry.pointee.columns(&call)
    }
  }
}

extension Normalize {
  func executeVectors(_ kernel: NormalizeKernel, _ context: borrowing ExecutionContext) {
    let x = context.pointer(input)
    let y = context.pointer(output)
    let parameters = rowLength / run
    var call = apus_normalize()
    call.x_type = inputType.kernelType
    call.y_type = outputType.kernelType
    call.scale_type = scaleType.kernelType
    call.bias_type = biasType.kernelType
    call.count = rowLength
    call.run = run
    call.epsilon = epsilon
    if outputType == .uint8 {
      call.y_type = APUS_NORMALIZE_BYTES.rawValue
      (call.y_inverse, call.y_zero) = (byteInverse, byteZero)
    }
    call.root_mean_square = isRootMeanSquare ? 1 : 0
    let scales = scale.isPresent ? UnsafeRawPointer(context.pointer(scale)) : nil
    let biases = bias.isPresent ? UnsafeRawPointer(context.pointer(bias)) : nil
    let share = context.share(of: rows)
    // Rows with the same parameters whose results nobody wants are one call.
    let isJoined =
      run == 1 && period == 1 && !mean.isPresent && !inverseDeviation.isPresent
    call.rows = isJoined ? share.count : 1
    for row in isJoined ? share.prefix(1) : share {
      let first = row % period * parameters
      call.x = UnsafeRawPointer(x + row * rowLength * inputType.byteCount)
      call.y = y + row * rowLength * outputType.byteCount
      call.scale = scales.map { $0 + first * scaleType.byteCount }
      call.bias = biases.map { $0 + first * biasType.byteCount }
      kernel.entry.pointee.rows(&call)
      if mean.isPresent { FloatElements(context.pointer(mean), meanType)[row] = call.mean }
      if inverseDeviation.isPresent {
        FloatElements(context.pointer(inverseDeviation), deviationType)[row] =
          call.inverse_deviation
      }
    }
  }
}
