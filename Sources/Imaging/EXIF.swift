// The orientation in a JPEG's EXIF block.
//
//   FF D8 · FF E1 length "Exif" 0 0 · TIFF: "II" or "MM", 42, offset of directory 0
//   directory: count, then 12 bytes per entry: tag, type, count, value

/// Reads what pictures say about themselves.
package enum EXIF {
  /// How a stored picture must be turned to stand upright: the values of EXIF tag 0x0112.
  package enum Orientation: Int, Sendable, CaseIterable {
    case upright = 1
    case mirrored = 2
    case halfTurn = 3
    case flipped = 4
    /// Rows and columns exchanged.
    case transposed = 5
    /// To be turned 90 degrees clockwise.
    case clockwise = 6
    /// Rows and columns exchanged along the other diagonal.
    case transversed = 7
    /// To be turned 90 degrees counter-clockwise.
    case counterclockwise = 8
  }

  /// Returns the orientation that a JPEG file declares; upright where it says nothing sensible.
  package static func orientation(ofJPEG bytes: UnsafeRawBufferPointer) -> Orientation {
    var position = 2
    while position + 4 <= bytes.count, bytes[position] == 0xFF {
      let marker = bytes[position + 1]
      if marker == 0xFF {
        position += 1
        continue
      }
      if marker == 0x01 || (0xD0...0xD8).contains(marker) {
        position += 2
        continue
      }
      guard marker != 0xDA, marker != 0xD9 else { break }
      let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
      let end = position + 2 + length
      guard length >= 2, end <= bytes.count else { break }
      let body = UnsafeRawBufferPointer(rebasing: bytes[(position + 4)..<end])
      if marker == 0xE1, body.count >= 14, body.prefix(6).elementsEqual([69, 120, 105, 102, 0, 0]) {
        return orientation(ofTIFF: UnsafeRawBufferPointer(rebasing: body[6...])) ?? .upright
      }
      position = end
    }
    return .upright
  }

  private static func orientation(ofTIFF bytes: UnsafeRawBufferPointer) -> Orientation? {
    guard bytes.count >= 8 else { return nil }
    let isBigEndian: Bool
    switch (bytes[0], bytes[1]) {
    case (0x4D, 0x4D): isBigEndian = true
    case (0x49, 0x49): isBigEndian = false
    default: return nil
    }
    func number(at offset: Int, byteCount: Int) -> Int? {
      guard offset >= 0, offset <= bytes.count - byteCount else { return nil }
      return (0..<byteCount).reduce(0) { value, i in
        value << 8 | Int(bytes[offset + (isBigEndian ? i : byteCount - 1 - i)])
      }
    }
    guard number(at: 2, byteCount: 2) == 42, let directory = number(at: 4, byteCount: 4),
      let count = number(at: directory, byteCount: 2)
    else { return nil }
    for entry in 0..<count {
      let offset = directory + 2 + entry * 12
      guard let tag = number(at: offset, byteCount: 2) else { return nil }
      if tag == 0x0112 {
        return number(at: offset + 8, byteCount: 2).flatMap(Orientation.init(rawValue:))
      }
    }
    return nil
  }
}

extension Frame {
  /// Returns the picture turned upright: itself where it already is. Packed formats only.
  package func oriented(_ orientation: EXIF.Orientation) throws(ImagingError) -> Frame {
    guard orientation != .upright else { return self }
    let isTurned = orientation.rawValue >= 5
    let result = try Frame(
      format, width: isTurned ? height : width, height: isTurned ? width : height, matrix: matrix,
      range: range, timeMs: timeMs)
    let step = format.planeExtent(0, width: 1, height: 1).rowBytes
    let (lastX, lastY) = (width - 1, height - 1)
    withPlane(0) { source, sourceStride in
      result.withMutablePlane(0) { target, targetStride in
        for y in 0..<result.height {
          for x in 0..<result.width {
            let (fromX, fromY) =
              switch orientation {
              case .upright: (x, y)
              case .mirrored: (lastX - x, y)
              case .halfTurn: (lastX - x, lastY - y)
              case .flipped: (x, lastY - y)
              case .transposed: (y, x)
              case .clockwise: (y, lastY - x)
              case .transversed: (lastX - y, lastY - x)
              case .counterclockwise: (lastX - y, x)
              }
            let from = fromY * sourceStride + fromX * step
            let to = y * targetStride + x * step
            for c in 0..<step { target[to + c] = source[from + c] }
          }
        }
      }
    }
    return result
  }
}

extension Frame {
  /// Returns the frame turned by 0, 90, 180 or 270 degrees; itself where there is nothing to turn.
  func turned(
    clockwise degrees: Int, in pool: FramePool? = nil
  ) throws(ImagingError) -> Frame {
    let orientation: EXIF.Orientation
    switch degrees {
    case 90: orientation = .clockwise
    case 180: orientation = .halfTurn
    case 270: orientation = .counterclockwise
    default: return self
    }
    if format.planeCount == 1 { return try oriented(orientation) }
    let planar = try format.isYUV ? converted(to: .i420) : self
    let isTurned = degrees != 180
    let size = isTurned ? (width: height, height: width) : (width: width, height: height)
    let result: Frame
    if let pool {
      result = try pool.frame(
        planar.format, width: size.width, height: size.height, matrix: matrix, range: range,
        timeMs: timeMs)
    } else {
      result = try Frame(
        planar.format, width: size.width, height: size.height, matrix: matrix, range: range,
        timeMs: timeMs)
    }
    for index in 0..<3 {
      let from = planar.planes[index]
      let extent = planar.format.planeExtent(index, width: width, height: height)
      let plane = try Frame(
        borrowing: [(UnsafeRawPointer(from.base), from.stride)], .gray8, width: extent.rowBytes,
        height: extent.rows, owner: planar
      ).oriented(orientation)
      let to = result.planes[index]
      for row in 0..<plane.height {
        (to.base + row * to.stride).copyMemory(
          from: plane.planes[0].base + row * plane.planes[0].stride, byteCount: plane.width)
      }
    }
    return result
  }
}
