import Tensors

/// Bytes in order, from a file or from a compressed member of one.
protocol ByteSource: ~Copyable {
  var place: ArchivePlace { get }
  /// Fills `buffer`; returns fewer bytes only at the end.
  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int
}

extension ByteSource where Self: ~Copyable {
  /// Reads exactly `count` bytes, which the caller has bounded.
  fileprivate mutating func take(_ count: Int, _ what: String) throws(ArchiveError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let got = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(ArchiveError) in
      try read(into: UnsafeMutableRawBufferPointer(buffer))
    }
    guard got == count else {
      throw place.error("ends inside its \(what); the file is cut off: copy or save it again")
    }
    return bytes
  }

  /// Reads the header of an `.npy` array; returns it with the bytes that it took.
  mutating func readHeader() throws(ArchiveError) -> (NpyHeader, byteCount: Int) {
    let start = try take(8, "first bytes")
    guard start.starts(with: NpyHeader.magic) else {
      throw place.error("is no .npy array; save it with numpy.save or numpy.savez")
    }
    let version = start[6]
    guard (1...3).contains(version) else {
      throw place.error("is of .npy version \(version).\(start[7]); known are 1 to 3")
    }
    let lengthBytes = try take(version == 1 ? 2 : 4, "header")
    let length = lengthBytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= NpyHeader.longestText else {
      throw place.error("claims a header of \(length) bytes; the file is damaged: save it again")
    }
    let header = try NpyHeader(parsing: take(length, "header"), place)
    return (header, start.count + lengthBytes.count + length)
  }

  /// Reads one `.npy` array that fills the source.
  ///
  /// `byteCount` is the size of the whole source, which the caller has verified as possible; the
  /// header's claim must agree with it before anything is allocated.
  mutating func readTensor(byteCount: Int, limit: Int) throws(ArchiveError) -> TensorBuffer {
    let (header, headerByteCount) = try readHeader()
    let available = byteCount - headerByteCount
    guard let count = header.shape.checkedElementCount,
      let needed = header.type.byteCount(of: count)
    else { throw place.error("claims the absurd shape \(header.shape); save it again") }
    guard needed == available else {
      throw place.error(
        "the header promises \(header.type) \(header.shape), \(needed) bytes, but "
          + "\(max(available, 0)) follow; the file is damaged: save it again")
    }
    guard needed <= limit else {
      throw place.error(
        "takes \(needed) bytes, more than the \(limit) that are accepted here; split it")
    }
    let tensor = try readElements(header, byteCount: needed)
    if header.type == .bool { try checkBooleans(tensor) }
    return tensor
  }

  private mutating func readElements(
    _ header: NpyHeader, byteCount: Int
  ) throws(ArchiveError) -> TensorBuffer {
    let stored = TensorBuffer(zeros: header.type, header.shape)
    try stored.withMutableBytes { (buffer) throws(ArchiveError) in
      let got = try read(into: buffer)
      guard got == byteCount else {
        throw place.error(
          "ends after \(got) of \(byteCount) bytes; the file is cut off: copy or save it again")
      }
      if header.isBigEndian { reverseBytes(of: buffer, header.type) }
    }
    // One more read finds the end, where the checksum is verified, or bytes too many.
    var extra: UInt8 = 0
    let more = try withUnsafeMutableBytes(of: &extra) { (buffer) throws(ArchiveError) in
      try read(into: buffer)
    }
    guard more == 0 else { throw place.error("goes on after its end; save it again") }
    guard header.isFortranOrder, header.shape.rank > 1 else { return stored }
    return rowMajor(stored)
  }

  private func checkBooleans(_ tensor: TensorBuffer) throws(ArchiveError) {
    let wrong = tensor.withBytes { $0.firstIndex { $0 > 1 } }
    if let wrong {
      throw place.error(
        "element \(wrong) of a bool array is neither 0 nor 1; save it with astype(bool)")
    }
  }
}

// MARK: Byte and axis order

/// Reverses the bytes of every number; complex numbers are two numbers.
private func reverseBytes(of buffer: UnsafeMutableRawBufferPointer, _ type: ElementType) {
  func swap<T: FixedWidthInteger>(_ integer: T.Type) {
    let numbers = buffer.bindMemory(to: T.self)
    for index in numbers.indices { numbers[index] = numbers[index].byteSwapped }
  }
  switch type {
  case .complex64: swap(UInt32.self)
  case .complex128: swap(UInt64.self)
  default:
    switch type.byteCount {
    case 2: swap(UInt16.self)
    case 4: swap(UInt32.self)
    case 8: swap(UInt64.self)
    default: break
    }
  }
}

/// Returns a copy in row-major order of elements that were stored first axis fastest.
private func rowMajor(_ stored: TensorBuffer) -> TensorBuffer {
  let result = TensorBuffer(zeros: stored.type, stored.shape)
  func copy<T: BitwiseCopyable>(as element: T.Type) {
    stored.withBytes { source in
      result.withMutableBytes { target in
        copyTransposed(
          source.bindMemory(to: T.self), target.bindMemory(to: T.self), stored.shape.dimensions)
      }
    }
  }
  switch stored.type.byteCount {
  case 1: copy(as: UInt8.self)
  case 2: copy(as: UInt16.self)
  case 4: copy(as: UInt32.self)
  case 8: copy(as: UInt64.self)
  default: copy(as: SIMD2<UInt64>.self)
  }
  return result
}

/// Walks the target in row-major order, the source by its column-major steps.
private func copyTransposed<T: BitwiseCopyable>(
  _ source: UnsafeBufferPointer<T>, _ target: UnsafeMutableBufferPointer<T>, _ extents: [Int]
) {
  guard !target.isEmpty, let innermost = extents.last else { return }
  var steps: [Int] = []
  var step = 1
  for extent in extents {
    steps.append(step)
    step *= extent
  }
  let innerStep = steps[extents.count - 1]
  var position = [Int](repeating: 0, count: extents.count)
  var offset = 0
  for row in 0..<(target.count / innermost) {
    for index in 0..<innermost {
      target[row * innermost + index] = source[offset + index * innerStep]
    }
    var axis = extents.count - 2
    while axis >= 0 {
      position[axis] += 1
      offset += steps[axis]
      if position[axis] < extents[axis] { break }
      offset -= steps[axis] * extents[axis]
      position[axis] = 0
      axis -= 1
    }
  }
}
