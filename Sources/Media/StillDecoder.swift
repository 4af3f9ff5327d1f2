import CFFmpeg
import CMedia

/// Decodes one picture from memory, by its first bytes.
enum StillDecoder {
  /// The codecs of still pictures, by how their files begin; 256 stands for any byte.
  private static let signatures: [(bytes: [UInt16], codec: AVCodecID)] = [
    ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], AV_CODEC_ID_PNG),
    ([0x52, 0x49, 0x46, 0x46, 256, 256, 256, 256, 0x57, 0x45, 0x42, 0x50], AV_CODEC_ID_WEBP),
    ([0x42, 0x4D], AV_CODEC_ID_BMP),
    ([0x49, 0x49, 0x2A, 0x00], AV_CODEC_ID_TIFF), ([0x4D, 0x4D, 0x00, 0x2A], AV_CODEC_ID_TIFF),
    ([0x50, 0x35, 0x0A], AV_CODEC_ID_PGM), ([0x50, 0x36, 0x0A], AV_CODEC_ID_PPM),
    ([0x47, 0x49, 0x46, 0x38], AV_CODEC_ID_GIF),
    ([0xFF, 0xD8, 0xFF], AV_CODEC_ID_MJPEG),
    ([0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20, 0x0D, 0x0A, 0x87, 0x0A], AV_CODEC_ID_JPEG2000),
  ]

  private static func codec(of bytes: UnsafeBufferPointer<UInt8>) -> AVCodecID? {
    signatures.first { signature in
      bytes.count >= signature.bytes.count
        && zip(signature.bytes, bytes).allSatisfy { $0 == 256 || $0 == UInt16($1) }
    }?.codec
  }

  /// Refuses a BMP that is shorter than it says, which its decoder would fill with black.
  private static func checkLength(
    _ bytes: UnsafeBufferPointer<UInt8>, _ id: AVCodecID
  ) throws(MediaError) {
    guard id == AV_CODEC_ID_BMP else { return }
    guard bytes.count >= 26 else {
      throw MediaError(APUS_MEDIA_CORRUPT, "the bmp data (\(bytes.count) bytes) is cut off")
    }
    let declared = (0..<4).reduce(0) { $0 | Int(bytes[2 + $1]) << (8 * $1) }
    guard declared <= bytes.count else {
      throw MediaError(
        APUS_MEDIA_CORRUPT,
        "the bmp data is cut off: \(bytes.count) of \(declared) bytes are there")
    }
  }

  static func decode(
    _ bytes: UnsafeBufferPointer<UInt8>, _ limits: DecodingLimits,
    into target: inout apus_media_frame
  ) throws(MediaError) {
    guard let id = codec(of: bytes), let decoder = avcodec_find_decoder(id) else {
      throw MediaError(
        APUS_MEDIA_UNSUPPORTED,
        "is not a picture that is read here: JPEG, JPEG 2000, PNG, WebP, BMP, TIFF, GIF, PGM, PPM")
    }
    if id == AV_CODEC_ID_WEBP {
      var frame: UnsafeMutablePointer<AVFrame>? = try WebPDecoder.decode(bytes, limits)
      defer { av_frame_free(&frame) }
      target = apus_media_frame()
      if let frame { try PictureConverter().export(frame, to: &target) }
      return
    }
    let name = String(cString: avcodec_get_name(id))
    try checkLength(bytes, id)
    var context = avcodec_alloc_context3(decoder)
    var packet = av_packet_alloc()
    var frame = av_frame_alloc()
    defer {
      avcodec_free_context(&context)
      av_packet_free(&packet)
      av_frame_free(&frame)
    }
    guard let context, let packet, let frame, let base = bytes.baseAddress,
      bytes.count <= Int(Int32.max) - Int(AV_INPUT_BUFFER_PADDING_SIZE)
    else { throw MediaError(APUS_MEDIA_NO_MEMORY, "no memory for a picture") }
    context.pointee.max_pixels = limits.pixels
    context.pointee.err_recognition = Int32(AV_EF_CRCCHECK | AV_EF_EXPLODE | AV_EF_BUFFER)
    try require(avcodec_open2(context, decoder, nil), "the \(name) decoder cannot start")
    try require(av_new_packet(packet, Int32(bytes.count)), "\(bytes.count) bytes")
    packet.pointee.data.update(from: base, count: bytes.count)
    var status = avcodec_send_packet(context, packet)
    if status >= 0 {
      avcodec_send_packet(context, nil)
      status = avcodec_receive_frame(context, frame)
    }
    guard status >= 0 else {
      let size = "\(context.pointee.width)x\(context.pointee.height)"
      if status != ff_AVERROR_ENOMEM,
        Int64(context.pointee.width) * Int64(context.pointee.height) > limits.pixels
      {
        throw MediaError(
          APUS_MEDIA_LIMIT, "a picture of \(size) pixels is larger than \(limits.pixels) in all")
      }
      throw MediaError(
        status == ff_AVERROR_ENOMEM ? APUS_MEDIA_NO_MEMORY : APUS_MEDIA_CORRUPT,
        "the \(name) data (\(bytes.count) bytes) is damaged or cut off: "
          + MediaError.text(status))
    }
    try limits.check(width: frame.pointee.width, height: frame.pointee.height)
    guard frame.pointee.flags & AV_FRAME_FLAG_CORRUPT == 0, frame.pointee.decode_error_flags == 0
    else {
      throw MediaError(APUS_MEDIA_CORRUPT, "the \(name) data (\(bytes.count) bytes) is damaged")
    }
    target = apus_media_frame()
    try PictureConverter().export(frame, to: &target)
  }
}
