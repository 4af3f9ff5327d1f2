public import ModelFile

#if canImport(Glibc)
  import Glibc
#endif

/// The matrix between RGB and the luma and chroma of a frame.
public enum ColorMatrix: Int32, Sendable, Hashable {
  case bt601 = 1
  case bt709 = 2
  case bt2020 = 3
}

/// The range of luma and chroma samples: 16...235 and 16...240, or 0...255.
public enum ColorRange: Int32, Sendable, Hashable {
  case limited = 1
  case full = 2
}

/// One picture in memory: planes of 8-bit samples, with the tags that say what they mean.
///
/// The planes either belong to the frame or are borrowed from an owner that the frame keeps alive,
/// such as a decoder's buffer: making a frame of a decoded picture copies nothing.
///
/// Sendable because the samples are written only through `withMutablePlane`, which callers use
/// before they share the frame.
public final class Frame: @unchecked Sendable {
  /// The largest side of a picture in pixels.
  public static let maximumSide = 65535
  /// The most pixels of a picture.
  public static let maximumPixels = 1 << 27

  /// One plane: where it begins and the bytes from row to row.
  struct Plane {
    let base: UnsafeMutableRawPointer
    let stride: Int
  }

  public let format: PixelFormat
  /// In pixels.
  public let width: Int
  /// In pixels.
  public let height: Int
  /// Untagged frames are BT.601.
  public let matrix: ColorMatrix
  /// Untagged frames are limited.
  public let range: ColorRange
  /// The presentation time in milliseconds from the start of its stream; nil for pictures.
  public let timeMs: Double?
  let planes: [Plane]
  private let memory: UnsafeMutableRawPointer?
  private let owner: AnyObject?

  /// Says whether the samples belong to the frame, so that they can be written.
  public let isWritable: Bool

  /// The size in pixels.
  public var size: Preprocessing.Size { Preprocessing.Size(width: width, height: height) }

  /// Makes a frame whose samples are zero.
  ///
  /// - Throws: `limit` where a side or the number of pixels is 0 or too large.
  public init(
    _ format: PixelFormat, width: Int, height: Int, matrix: ColorMatrix = .bt601,
    range: ColorRange = .limited, timeMs: Double? = nil
  ) throws(ImagingError) {
    try Frame.check(width: width, height: height)
    let (offsets, total) = Frame.offsets(format, width: width, height: height)
    guard let memory = aligned_alloc(64, total + 64) else {
      throw ImagingError(.memory, "no memory for a picture of \(width)x\(height): \(total) bytes")
    }
    memset(memory, 0, total + 64)
    self.format = format
    self.width = width
    self.height = height
    self.matrix = matrix
    self.range = range
    self.timeMs = timeMs
    self.memory = memory
    owner = nil
    isWritable = true
    planes = offsets.map { Plane(base: memory + $0.offset, stride: $0.stride) }
  }

  /// Makes a frame in a slot of `pool`, whose samples are not set.
  ///
  /// - Throws: `memory` where the pool has no room; `limit` for an impossible size.
  init(
    _ format: PixelFormat, width: Int, height: Int, matrix: ColorMatrix, range: ColorRange,
    timeMs: Double?, in pool: FramePool
  ) throws(ImagingError) {
    try Frame.check(width: width, height: height)
    let (offsets, total) = Frame.offsets(format, width: width, height: height)
    let slot = try pool.slot(total + 64)
    self.format = format
    self.width = width
    self.height = height
    self.matrix = matrix
    self.range = range
    self.timeMs = timeMs
    memory = nil
    owner = slot
    isWritable = true
    planes = offsets.map { Plane(base: slot.base + $0.offset, stride: $0.stride) }
  }

  /// Where planes lie one after the other, with rows at whole cache lines, and their bytes.
  private static func offsets(
    _ format: PixelFormat, width: Int, height: Int
  ) -> (planes: [(offset: Int, stride: Int)], total: Int) {
    var offsets: [(offset: Int, stride: Int)] = []
    var total = 0
    for plane in 0..<format.planeCount {
      let extent = format.planeExtent(plane, width: width, height: height)
      let stride = (extent.rowBytes + 63) / 64 * 64
      offsets.append((total, stride))
      total += stride * extent.rows
    }
    return (offsets, total)
  }

  /// Makes a frame that borrows planes, which `owner` keeps valid and unchanged.
  ///
  /// Programmer error (precondition): a stride smaller than a row, or the wrong number of planes.
  /// - Throws: `limit` where a side or the number of pixels is 0 or too large.
  public init(
    borrowing planes: [(base: UnsafeRawPointer, stride: Int)], _ format: PixelFormat, width: Int,
    height: Int, matrix: ColorMatrix = .bt601, range: ColorRange = .limited,
    timeMs: Double? = nil, owner: AnyObject
  ) throws(ImagingError) {
    try Frame.check(width: width, height: height)
    precondition(planes.count == format.planeCount, "\(planes.count) planes for \(format)")
    for (index, plane) in planes.enumerated() {
      let extent = format.planeExtent(index, width: width, height: height)
      precondition(plane.stride >= extent.rowBytes, "stride \(plane.stride) for \(format) \(width)")
    }
    self.format = format
    self.width = width
    self.height = height
    self.matrix = matrix
    self.range = range
    self.timeMs = timeMs
    memory = nil
    self.owner = owner
    isWritable = false
    self.planes = planes.map {
      Plane(base: UnsafeMutableRawPointer(mutating: $0.base), stride: $0.stride)
    }
  }

  /// Makes a frame by copying dense samples: every plane row after row without padding.
  ///
  /// - Throws: `corrupt` where the count of bytes differs; prints both counts.
  public convenience init(
    copying bytes: [UInt8], _ format: PixelFormat, width: Int, height: Int,
    matrix: ColorMatrix = .bt601, range: ColorRange = .limited, timeMs: Double? = nil
  ) throws(ImagingError) {
    try Frame.check(width: width, height: height)
    var needed = 0
    for plane in 0..<format.planeCount {
      let extent = format.planeExtent(plane, width: width, height: height)
      needed += extent.rowBytes * extent.rows
    }
    guard needed == bytes.count else {
      throw ImagingError(
        .corrupt,
        "a \(format) picture of \(width)x\(height) is \(needed) bytes, but there are \(bytes.count)"
      )
    }
    try self.init(
      format, width: width, height: height, matrix: matrix, range: range, timeMs: timeMs)
    var offset = 0
    for plane in 0..<format.planeCount {
      let extent = format.planeExtent(plane, width: width, height: height)
      withMutablePlane(plane) { target, stride in
        for row in 0..<extent.rows {
          for x in 0..<extent.rowBytes { target[row * stride + x] = bytes[offset + x] }
          offset += extent.rowBytes
        }
      }
    }
  }

  deinit { free(memory) }

  private static func check(width: Int, height: Int) throws(ImagingError) {
    guard width > 0, height > 0, width <= maximumSide, height <= maximumSide,
      width * height <= maximumPixels
    else {
      throw ImagingError(
        .limit,
        "a picture of \(width)x\(height) pixels is outside the limits: sides from 1 to "
          + "\(maximumSide), \(maximumPixels) pixels in all")
    }
  }

  /// The samples of a plane and the bytes from row to row; valid inside `body` only.
  public func withPlane<R, E: Error>(
    _ index: Int, _ body: (UnsafeBufferPointer<UInt8>, _ stride: Int) throws(E) -> R
  ) throws(E) -> R {
    let plane = planes[index]
    return try body(
      UnsafeBufferPointer(
        start: UnsafePointer(plane.base.assumingMemoryBound(to: UInt8.self)),
        count: byteCount(ofPlane: index)), plane.stride)
  }

  /// The samples of a plane for writing; valid inside `body` only, and only before the frame is
  /// shared.
  ///
  /// Programmer error (precondition): the frame borrows its planes.
  public func withMutablePlane<R, E: Error>(
    _ index: Int, _ body: (UnsafeMutableBufferPointer<UInt8>, _ stride: Int) throws(E) -> R
  ) throws(E) -> R {
    precondition(isWritable, "a borrowed frame cannot be written")
    let plane = planes[index]
    return try body(
      UnsafeMutableBufferPointer(
        start: plane.base.assumingMemoryBound(to: UInt8.self), count: byteCount(ofPlane: index)),
      plane.stride)
  }

  /// The bytes of a plane from its first sample to its last.
  private func byteCount(ofPlane index: Int) -> Int {
    let extent = format.planeExtent(index, width: width, height: height)
    return planes[index].stride * (extent.rows - 1) + extent.rowBytes
  }

  /// Returns a copy that can be written, with the same samples and tags.
  public func copy() throws(ImagingError) -> Frame {
    let result = try Frame(
      format, width: width, height: height, matrix: matrix, range: range, timeMs: timeMs)
    for index in 0..<format.planeCount {
      let extent = format.planeExtent(index, width: width, height: height)
      for row in 0..<extent.rows {
        (result.planes[index].base + row * result.planes[index].stride).copyMemory(
          from: planes[index].base + row * planes[index].stride, byteCount: extent.rowBytes)
      }
    }
    return result
  }

  /// Returns the samples without padding between rows, plane after plane.
  public func denseBytes() -> [UInt8] {
    var bytes: [UInt8] = []
    for index in 0..<format.planeCount {
      let extent = format.planeExtent(index, width: width, height: height)
      withPlane(index) { samples, stride in
        for row in 0..<extent.rows {
          bytes.append(contentsOf: samples[(row * stride)..<(row * stride + extent.rowBytes)])
        }
      }
    }
    return bytes
  }
}
