import CFFmpeg
import CMedia
import Synchronization

/// Lays the decoder's frames into memory that the caller of the C door gives.
///
/// One slot holds all planes of a frame. Formats that are more than planes of samples (palettes,
/// frames of a device) and decoders that make their own buffers keep FFmpeg's; they are counted.
/// FFmpeg may ask on any of its threads.
final class PooledBuffers: Sendable {
  private struct State {
    var refusal: MediaError?
    var unpooled: Int64 = 0
  }

  /// The caller's functions; Sendable because they may be called anywhere, as the door says.
  private struct Memory: @unchecked Sendable { let raw: apus_media_memory }

  private let memory: Memory?
  private let state = Mutex(State())

  init(_ memory: apus_media_memory?) {
    self.memory =
      memory.flatMap { $0.take != nil && $0.give_back != nil ? Memory(raw: $0) : nil }
  }

  /// Buffers that had to lie elsewhere.
  var unpooled: Int64 { state.withLock { $0.unpooled } }

  /// The last refusal that nobody has been told about.
  var refusal: MediaError? { state.withLock { $0.refusal } }

  /// Returns the last refusal and forgets it.
  func takeRefusal() -> MediaError? {
    state.withLock { state in
      defer { state.refusal = nil }
      return state.refusal
    }
  }

  /// Makes a decoder draw its frames from here. The decoder must not outlive this object.
  func attach(to codec: UnsafeMutablePointer<AVCodecContext>) {
    guard memory != nil else { return }
    codec.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
    codec.pointee.get_buffer2 = { codec, frame, flags in
      guard let codec, let frame, let opaque = codec.pointee.opaque else {
        return ff_AVERROR_ENOMEM
      }
      let buffers = Unmanaged<PooledBuffers>.fromOpaque(opaque).takeUnretainedValue()
      guard buffers.canServe(codec, frame) else {
        buffers.state.withLock { $0.unpooled += 1 }
        return avcodec_default_get_buffer2(codec, frame, flags)
      }
      var (width, height) = (frame.pointee.width, frame.pointee.height)
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: 8) { alignment in
        alignment.initialize(repeating: 0)
        avcodec_align_dimensions2(codec, &width, &height, alignment.baseAddress)
      }
      return buffers.place(frame, width, height)
    }
  }

  private func canServe(
    _ codec: UnsafeMutablePointer<AVCodecContext>, _ frame: UnsafeMutablePointer<AVFrame>
  ) -> Bool {
    guard codec.pointee.codec_type == AVMEDIA_TYPE_VIDEO, codec.pointee.hw_frames_ctx == nil,
      (codec.pointee.codec?.pointee.capabilities ?? 0) & AV_CODEC_CAP_DR1 != 0,
      let format = av_pix_fmt_desc_get(AVPixelFormat(rawValue: frame.pointee.format))
    else { return false }
    let odd = UInt64(AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BITSTREAM)
    return format.pointee.flags & odd == 0
  }

  /// Gives a frame (format, width, height set) its planes; 0, or FFmpeg's error.
  func fill(_ frame: UnsafeMutablePointer<AVFrame>) -> Int32 {
    guard memory != nil else { return av_frame_get_buffer(frame, 64) }
    return place(frame, frame.pointee.width, frame.pointee.height)
  }

  /// Lays planes for `width` by `height` samples into one slot.
  private func place(
    _ frame: UnsafeMutablePointer<AVFrame>, _ width: Int32, _ height: Int32
  ) -> Int32 {
    guard let memory = memory?.raw, let take = memory.take, let giveBack = memory.give_back else {
      return ff_AVERROR_ENOMEM
    }
    let format = AVPixelFormat(rawValue: frame.pointee.format)
    return withUnsafeTemporaryAllocation(of: Int32.self, capacity: 4) { lines -> Int32 in
      lines.initialize(repeating: 0)
      var status = av_image_fill_linesizes(lines.baseAddress, format, width)
      guard status >= 0 else { return status }
      // Rows begin at whole cache lines; the vector code of decoders asks for no more.
      let strides = lines.map { (Int($0) + 63) / 64 * 64 }
      guard strides.allSatisfy({ $0 <= Int(Int32.max) }) else { return ff_AVERROR_ENOMEM }
      var sizes = [Int](repeating: 0, count: 4)
      status = av_image_fill_plane_sizes(&sizes, format, height, strides)
      guard status >= 0 else { return status }
      // Decoders may read and write a little past a plane's end.
      let extents = sizes.map { $0 == 0 ? 0 : ($0 + 64 + 63) / 64 * 64 }
      let total = extents.reduce(0) { $0 + $1 }
      var slot: UnsafeMutableRawPointer?
      var fault = apus_media_error()
      guard let base = take(memory.context, Int64(total), &slot, &fault) else {
        note(fault, total)
        return ff_AVERROR_ENOMEM
      }
      let release: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt8>?) -> Void =
        { context, _ in SlotReturn.finish(context) }
      let context = SlotReturn.make(slot, giveBack)
      guard let buffer = av_buffer_create(base, total, release, context, 0) else {
        SlotReturn.finish(context)
        return ff_AVERROR_ENOMEM
      }
      attach(buffer, base, strides, extents, to: frame)
      return 0
    }
  }

  private func attach(
    _ buffer: UnsafeMutablePointer<AVBufferRef>, _ base: UnsafeMutablePointer<UInt8>,
    _ strides: [Int], _ extents: [Int], to frame: UnsafeMutablePointer<AVFrame>
  ) {
    frame.pointee.buf.0 = buffer
    var offset = 0
    var planes: [UnsafeMutablePointer<UInt8>?] = []
    for extent in extents {
      planes.append(extent == 0 ? nil : base + offset)
      offset += extent
    }
    let used = planes.indices.map { planes[$0] == nil ? 0 : Int32(strides[$0]) }
    frame.pointee.data = (planes[0], planes[1], planes[2], planes[3], nil, nil, nil, nil)
    frame.pointee.linesize = (used[0], used[1], used[2], used[3], 0, 0, 0, 0)
    // Video has at most four planes, so the list of all of them is the one inside the frame.
    frame.pointee.extended_data = UnsafeMutableRawPointer(frame)
      .advanced(by: MemoryLayout<AVFrame>.offset(of: \.data) ?? 0)
      .assumingMemoryBound(to: UnsafeMutablePointer<UInt8>?.self)
  }

  private func note(_ fault: apus_media_error, _ byteCount: Int) {
    var fault = fault
    let text = withUnsafeBytes(of: &fault.message) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    state.withLock {
      $0.refusal = MediaError(
        APUS_MEDIA_NO_MEMORY, text.isEmpty ? "no memory for a frame of \(byteCount) bytes" : text)
    }
  }
}

/// What FFmpeg holds for a slot: how to give it back when the last reference to its frame goes.
private enum SlotReturn {
  typealias GiveBack = @convention(c) (UnsafeMutableRawPointer?) -> Void

  private struct Record {
    let slot: UnsafeMutableRawPointer?
    let giveBack: GiveBack
  }

  static func make(
    _ slot: UnsafeMutableRawPointer?, _ giveBack: @escaping GiveBack
  ) -> UnsafeMutableRawPointer {
    let record = UnsafeMutablePointer<Record>.allocate(capacity: 1)
    record.initialize(to: Record(slot: slot, giveBack: giveBack))
    return UnsafeMutableRawPointer(record)
  }

  static func finish(_ context: UnsafeMutableRawPointer?) {
    guard let record = context?.assumingMemoryBound(to: Record.self) else { return }
    record.pointee.giveBack(record.pointee.slot)
    record.deinitialize(count: 1)
    record.deallocate()
  }
}
