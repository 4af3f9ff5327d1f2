extension TensorBuffer {
  /// Returns the elements in another element type, or nil where no conversion exists. Floats
  /// become integers by truncation.
  public func converted(to type: ElementType) -> TensorBuffer? {
    if type == self.type { return self }
    if let integers = integers(), type.isInteger {
      return TensorBuffer.integers(integers, type, shape)
    }
    if type.isPacked || type.bitCount == 8 && !type.isInteger && type != .bool {
      return small(type)
    }
    guard let floats = floats() else { return nil }
    switch type {
    case .float32: return TensorBuffer(shape, floats)
    case .bfloat16: return TensorBuffer(.bfloat16, shape, floats.map { BFloat16($0) })
    case .float16: return TensorBuffer(.float16, shape, floats.map { Float16($0) })
    case .float64: return TensorBuffer(.float64, shape, floats.map { Double($0) })
    default: return TensorBuffer.integers(floats.map { Int(saturating: $0) }, type, shape)
    }
  }

  private static func integers(_ values: [Int], _ type: ElementType, _ shape: Shape)
    -> TensorBuffer?
  {
    switch type {
    case .int8: TensorBuffer(type, shape, values.map { Int8(truncatingIfNeeded: $0) })
    case .uint8: TensorBuffer(type, shape, values.map { UInt8(truncatingIfNeeded: $0) })
    case .int16: TensorBuffer(type, shape, values.map { Int16(truncatingIfNeeded: $0) })
    case .uint16: TensorBuffer(type, shape, values.map { UInt16(truncatingIfNeeded: $0) })
    case .int32: TensorBuffer(type, shape, values.map { Int32(truncatingIfNeeded: $0) })
    case .uint32: TensorBuffer(type, shape, values.map { UInt32(truncatingIfNeeded: $0) })
    case .int64: TensorBuffer(type, shape, values.map { Int64($0) })
    case .uint64: TensorBuffer(type, shape, values.map { UInt64(bitPattern: Int64($0)) })
    case .bool: TensorBuffer(type, shape, values.map { UInt8($0 != 0 ? 1 : 0) })
    default: nil
    }
  }

  /// The elements in a type of at most 8 bits that arithmetic does not know.
  private func small(_ type: ElementType) -> TensorBuffer? {
    guard NumericElements.supports(self.type) else { return nil }
    let result = TensorBuffer(zeros: type, shape)
    withBytes { source in
      result.withMutableBytes { target in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        let input = NumericElements(UnsafeMutableRawPointer(mutating: from), self.type)
        let output = NumericElements(to, type)
        for index in 0..<elementCount { output.set(input.real(index), at: index) }
      }
    }
    return result
  }

  /// Returns the tensor with its axes in the order `axes`: axis i of the result is `axes[i]`.
  /// Element types of at least 8 bits.
  public func transposed(_ axes: [Int]) -> TensorBuffer {
    precondition(axes.sorted() == Array(0..<shape.rank), "\(axes) is no order of the axes")
    if axes == Array(0..<shape.rank) { return self }
    let result = TensorBuffer(zeros: type, shape.permuted(axes))
    let strides = shape.denseStrides
    let steps = axes.map { strides[$0] }
    let size = type.byteCount
    let extents = result.shape.dimensions
    let count = elementCount
    withBytes { source in
      result.withMutableBytes { target in
        var index = [Int](repeating: 0, count: extents.count)
        var from = 0
        for to in 0..<count {
          for byte in 0..<size { target[to * size + byte] = source[from * size + byte] }
          var axis = extents.count - 1
          while axis >= 0 {
            index[axis] += 1
            from += steps[axis]
            if index[axis] < extents[axis] { break }
            from -= steps[axis] * extents[axis]
            index[axis] = 0
            axis -= 1
          }
        }
      }
    }
    return result
  }
}

extension Int {
  /// Truncates towards zero; values outside the range saturate, NaN becomes 0.
  package init(saturating value: Float) {
    if value.isNaN {
      self = 0
    } else if value >= 0x1p63 {
      self = .max
    } else if value <= -0x1p63 {
      self = .min
    } else {
      self = Int(value)
    }
  }
}
