import CFFmpeg
import CMedia

#if canImport(Glibc)
  import Glibc
#endif

/// A fault of the media library, on its way to the C door.
struct MediaError: Error {
  let code: apus_media_status
  let message: String

  init(_ code: apus_media_status, _ message: String) {
    self.code = code
    self.message = message
  }

  /// Makes the error of an FFmpeg call from its (negative) result.
  init(_ result: Int32, _ what: String, writing: Bool = false) {
    let fallback = writing ? APUS_MEDIA_NOT_WRITABLE : APUS_MEDIA_UNREADABLE
    switch result {
    case -ENOENT: code = writing ? APUS_MEDIA_NOT_WRITABLE : APUS_MEDIA_NOT_FOUND
    case -ENOSPC, -EDQUOT, -EFBIG: code = APUS_MEDIA_DISK_FULL
    case -EMFILE, -ENFILE: code = APUS_MEDIA_NO_HANDLES
    case ff_AVERROR_ENOMEM: code = APUS_MEDIA_NO_MEMORY
    case ff_AVERROR_INVALIDDATA, ff_AVERROR_EOF: code = APUS_MEDIA_CORRUPT
    case ff_AVERROR_DECODER_NOT_FOUND, ff_AVERROR_ENCODER_NOT_FOUND, ff_AVERROR_PATCHWELCOME:
      code = APUS_MEDIA_UNSUPPORTED
    default: code = fallback
    }
    message = "\(what): \(MediaError.text(result))"
  }

  /// FFmpeg's words for a result.
  static func text(_ result: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard av_strerror(result, &buffer, buffer.count) == 0 else { return "error \(result)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Writes the error where the caller of the C door asked for it.
  func store(in target: UnsafeMutablePointer<apus_media_error>?) {
    guard let target else { return }
    target.pointee.code = Int32(bitPattern: code.rawValue)
    withUnsafeMutableBytes(of: &target.pointee.message) { copy(message, to: $0) }
  }
}

/// Copies a text with its final 0, cut to fit at a character.
func copy(_ text: String, to target: UnsafeMutableRawBufferPointer) {
  guard target.count > 0 else { return }
  var count = 0
  for character in text {
    let bytes = Array(String(character).utf8)
    guard count + bytes.count < target.count else { break }
    for byte in bytes {
      target[count] = byte
      count += 1
    }
  }
  target[count] = 0
}

/// Throws where an FFmpeg call failed; returns its result otherwise.
@discardableResult
func require(_ result: Int32, _ what: String, writing: Bool = false) throws(MediaError) -> Int32 {
  guard result >= 0 else { throw MediaError(result, what, writing: writing) }
  return result
}
