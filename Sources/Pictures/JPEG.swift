// JPEG in and out through libturbojpeg, with the pixels that OpenCV's imread gives: accurate DCT,
// fancy upsampling, EXIF orientation applied.
internal import CTurboJPEG
public import Imaging

/// Reads and writes JPEG pictures.
public enum JPEG {
  /// More pixels per byte than any Huffman code can express: the header lies or the rest is lost.
  private static let maximumPixelsPerByte = 1024

  /// Says whether the bytes begin as a JPEG file does.
  public static func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF
  }

  /// Decodes a picture as `rgb24`, or `gray8` where it has no colour, turned upright.
  ///
  /// - Throws: `ImagingError`: corrupt, cut off, too large.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(ImagingError) -> Frame {
    try openLibrary()
    guard let handle = apus_tjInitDecompress() else {
      throw ImagingError(.memory, "libturbojpeg cannot be started: \(lastMessage(nil))")
    }
    defer { apus_tjDestroy(handle) }
    let source = bytes.bindMemory(to: UInt8.self)
    var width: Int32 = 0
    var height: Int32 = 0
    var subsampling: Int32 = 0
    var space: Int32 = 0
    let status = apus_tjDecompressHeader3(
      handle, source.baseAddress, UInt(bytes.count), &width, &height, &subsampling, &space)
    guard status == 0 || (width > 0 && height > 0 && apus_tjGetErrorCode(handle) == warning) else {
      throw ImagingError(
        .corrupt,
        "the JPEG header cannot be read (\(bytes.count) bytes in all): \(lastMessage(handle))")
    }
    let pixels = Int(width) * Int(height)
    guard pixels / maximumPixelsPerByte <= bytes.count else {
      throw ImagingError(
        .corrupt,
        "the JPEG header claims \(width)x\(height) pixels, but only \(bytes.count) bytes follow; "
          + "the file is cut off or its header is damaged")
    }
    let upright = EXIF.orientation(ofJPEG: bytes)
    let isFourColour = space == Int32(TJCS_CMYK.rawValue) || space == Int32(TJCS_YCCK.rawValue)
    let isGray = space == Int32(TJCS_GRAY.rawValue)
    let frame = try Frame(
      isFourColour ? .rgba : isGray ? .gray8 : .rgb24, width: Int(width), height: Int(height),
      range: .full)
    let format = isFourColour ? TJPF_CMYK : isGray ? TJPF_GRAY : TJPF_RGB
    let result = frame.withMutablePlane(0) { target, stride in
      apus_tjDecompress2(
        handle, source.baseAddress, UInt(bytes.count), target.baseAddress, width, Int32(stride),
        height, Int32(format.rawValue), Int32(TJFLAG_ACCURATEDCT))
    }
    if result != 0 {
      let message = lastMessage(handle)
      // Bytes between the picture's data and the next marker are common in files of the field and
      // harm nothing.
      guard apus_tjGetErrorCode(handle) == warning, message.contains("extraneous bytes") else {
        throw ImagingError(
          .corrupt,
          "the JPEG data of \(width)x\(height) pixels is damaged or cut off after "
            + "\(bytes.count) bytes: \(message)")
      }
    }
    return try (isFourColour ? rgb(fromInvertedCMYK: frame) : frame).oriented(upright)
  }

  /// Encodes a picture.
  ///
  /// - Parameter quality: 1...100.
  /// - Throws: `ImagingError` where memory runs out.
  public static func encode(_ frame: Frame, quality: Int = 92) throws(ImagingError) -> [UInt8] {
    let format: TJPF
    let packed: Frame
    switch frame.format {
    case .rgb24: (format, packed) = (TJPF_RGB, frame)
    case .bgr24: (format, packed) = (TJPF_BGR, frame)
    case .rgba: (format, packed) = (TJPF_RGBX, frame)
    case .gray8: (format, packed) = (TJPF_GRAY, frame)
    case .nv12, .nv21, .i420, .rgbPlanar, .bgrPlanar:
      (format, packed) = (TJPF_RGB, try frame.converted(to: .rgb24))
    }
    try openLibrary()
    guard let handle = apus_tjInitCompress() else {
      throw ImagingError(.memory, "libturbojpeg cannot be started: \(lastMessage(nil))")
    }
    defer { apus_tjDestroy(handle) }
    var output: UnsafeMutablePointer<UInt8>?
    var count: UInt = 0
    defer { apus_tjFree(output) }
    let subsampling = frame.format == .gray8 ? TJSAMP_GRAY : TJSAMP_420
    let status = packed.withPlane(0) { samples, stride in
      apus_tjCompress2(
        handle, samples.baseAddress, Int32(packed.width), Int32(stride), Int32(packed.height),
        Int32(format.rawValue), &output, &count, Int32(subsampling.rawValue),
        Int32(min(max(quality, 1), 100)), Int32(TJFLAG_ACCURATEDCT))
    }
    guard status == 0, let output else {
      throw ImagingError(
        .internal, "a JPEG of \(frame.width)x\(frame.height) failed: \(lastMessage(handle))")
    }
    return Array(UnsafeBufferPointer(start: output, count: Int(count)))
  }

  private static func openLibrary() throws(ImagingError) {
    guard apus_jpeg_open() != 0 else {
      throw ImagingError(
        .mediaLibrary,
        "JPEG pictures need libturbojpeg.so.0, which cannot be opened (apt install libturbojpeg0)")
    }
  }

  private static let warning = Int32(TJERR_WARNING.rawValue)

  private static func lastMessage(_ handle: tjhandle?) -> String {
    apus_tjGetErrorStr2(handle).map { String(cString: $0) } ?? "unknown error"
  }

  /// Turns the CMYK that JPEG files carry (Adobe's, inverted) into RGB as OpenCV does.
  private static func rgb(fromInvertedCMYK frame: Frame) throws(ImagingError) -> Frame {
    let result = try Frame(.rgb24, width: frame.width, height: frame.height, range: .full)
    frame.withPlane(0) { source, sourceStride in
      result.withMutablePlane(0) { target, targetStride in
        for y in 0..<frame.height {
          for x in 0..<frame.width {
            let from = y * sourceStride + x * 4
            let to = y * targetStride + x * 3
            let black = Int(source[from + 3])
            for c in 0..<3 {
              target[to + c] = UInt8(
                clamping: black - (((255 - Int(source[from + c])) * black) >> 8))
            }
          }
        }
      }
    }
    return result
  }
}
