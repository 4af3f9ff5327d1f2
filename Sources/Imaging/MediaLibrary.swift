// Opens libApusMedia.so at first use and hides its C table from the rest of the room.
internal import CMedia
internal import Files
internal import ModelFile
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// The media library: video in and out, and pictures other than JPEG.
///
/// Loaded at first use, from beside the executable or the library that this code is in, from
/// `../lib` and `../lib/apus` beside their folders, or from where the system looks for libraries.
/// Sendable because the table behind it
/// never changes.
public final class MediaLibrary: @unchecked Sendable {
  private static let loaded = Mutex<Result<MediaLibrary, ImagingError>?>(nil)
  let table: apus_media_table
  /// The file that was loaded.
  public let path: String

  private init(_ table: apus_media_table, path: String) {
    self.table = table
    self.path = path
  }

  /// Returns the library, loading it at the first call.
  ///
  /// - Throws: `mediaLibrary`, naming the places that were tried and the remedy.
  public static func shared() throws(ImagingError) -> MediaLibrary {
    try loaded.withLock { slot in
      if let slot { return slot }
      let result = Result { () throws(ImagingError) in try load() }
      slot = result
      return result
    }.get()
  }

  /// The versions of the libraries behind it.
  public var versions: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
      guard let describe = table.describe, let base = buffer.baseAddress else { return "" }
      describe(base, 512)
      return String(cString: base)
    }
  }

  private static let fileName = "libApusMedia.so"

  private static func load() throws(ImagingError) -> MediaLibrary {
    var places: [String] = []
    for folder in folders() {
      places += ["\(folder)/", "\(folder)/../lib/", "\(folder)/../lib/apus/"].map { $0 + fileName }
    }
    places = places.filter { access($0, F_OK) == 0 }
    places.append(fileName)
    var faults: [String] = []
    for place in places {
      guard let handle = dlopen(place, RTLD_NOW | RTLD_LOCAL) else {
        faults.append(dlerror().map { String(cString: $0) } ?? place)
        continue
      }
      guard let symbol = dlsym(handle, APUS_MEDIA_SYMBOL) else {
        faults.append("\(place) has no \(APUS_MEDIA_SYMBOL)")
        continue
      }
      let entry = unsafeBitCast(symbol, to: apus_media_api_function.self)
      guard let table = entry(UInt32(APUS_MEDIA_VERSION))?.pointee,
        table.version == UInt32(APUS_MEDIA_VERSION),
        table.byte_count == UInt32(MemoryLayout<apus_media_table>.size)
      else {
        faults.append("\(place) is of another version than this program")
        continue
      }
      return MediaLibrary(table, path: place)
    }
    throw ImagingError(
      .mediaLibrary,
      "video and pictures other than JPEG need \(fileName), which cannot be opened: "
        + faults.joined(separator: "; ")
        + ". It lies beside the program after 'make build'; it needs FFmpeg 5.1 "
        + "(apt install libavformat59 libavcodec59 libavutil57 libswscale6)")
  }

  /// The folders of the executable and of the library that this code is in.
  private static func folders() -> [Substring] {
    var files: [String] = []
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    if count > 0 {
      files.append(String(decoding: buffer[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    if let name = apus_media_caller_file(), name.pointee == UInt8(ascii: "/") {
      files.append(String(cString: name))
    }
    return files.compactMap { file in file.lastIndex(of: "/").map { file[..<$0] } }
      .reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// Decodes a picture from memory.
  package func decodePicture(_ bytes: UnsafeRawBufferPointer) throws(ImagingError) -> Frame {
    var limits = apus_media_limits()
    limits.maximum_side = Int32(Frame.maximumSide)
    limits.maximum_pixels = Int64(Frame.maximumPixels)
    var raw = apus_media_frame()
    var fault = apus_media_error()
    guard let decode = table.decode_image else { throw missing("decode_image") }
    let status = decode(
      bytes.bindMemory(to: UInt8.self).baseAddress, Int64(bytes.count), &limits, &raw, &fault)
    guard status == Int32(APUS_MEDIA_OK.rawValue) else { throw MediaLibrary.error(fault) }
    return try frame(raw)
  }

  /// Takes over a frame of the library: borrows its planes until the last reference goes.
  func frame(_ raw: apus_media_frame) throws(ImagingError) -> Frame {
    let owner = MediaFrameOwner(raw, self)
    guard let format = PixelFormat(rawValue: raw.format) else {
      throw ImagingError(.internal, "the media library delivers pixel format \(raw.format)")
    }
    let pointers = [raw.planes.0, raw.planes.1, raw.planes.2]
    let strides = [raw.strides.0, raw.strides.1, raw.strides.2]
    var planes: [(base: UnsafeRawPointer, stride: Int)] = []
    for index in 0..<format.planeCount {
      let extent = format.planeExtent(index, width: Int(raw.width), height: Int(raw.height))
      guard let base = pointers[index], strides[index] >= extent.rowBytes else {
        throw ImagingError(.internal, "the media library delivers an incomplete frame")
      }
      planes.append((UnsafeRawPointer(base), Int(strides[index])))
    }
    return try Frame(
      borrowing: planes, format, width: Int(raw.width), height: Int(raw.height),
      matrix: ColorMatrix(rawValue: raw.matrix) ?? .bt601,
      range: ColorRange(rawValue: raw.range) ?? (format.isYUV ? .limited : .full),
      timeMs: raw.has_time == 1 ? Double(raw.time_us) / 1000 : nil, owner: owner)
  }

  func missing(_ function: String) -> ImagingError {
    ImagingError(.mediaLibrary, "\(path) has no function \(function)")
  }

  /// Turns an error of the table into one of this room.
  static func error(_ fault: apus_media_error, place: String? = nil) -> ImagingError {
    var fault = fault
    let capacity = MemoryLayout.size(ofValue: fault.message)
    let message = withUnsafeBytes(of: &fault.message) { bytes in
      String(decoding: bytes.prefix(capacity).prefix { $0 != 0 }, as: UTF8.self)
    }
    let code: ImagingError.Code =
      switch UInt32(bitPattern: fault.code) {
      case APUS_MEDIA_NOT_FOUND.rawValue: .notFound
      case APUS_MEDIA_UNREADABLE.rawValue: .unreadable
      case APUS_MEDIA_CORRUPT.rawValue: .corrupt
      case APUS_MEDIA_UNSUPPORTED.rawValue: .unsupported
      case APUS_MEDIA_LIMIT.rawValue: .limit
      case APUS_MEDIA_NOT_WRITABLE.rawValue: .notWritable
      case APUS_MEDIA_DISK_FULL.rawValue: .diskFull
      case APUS_MEDIA_NO_MEMORY.rawValue: .memory
      case APUS_MEDIA_TIMED_OUT.rawValue: .timedOut
      case APUS_MEDIA_INTERRUPTED.rawValue: .interrupted
      case APUS_MEDIA_CONNECTION.rawValue: .connection
      case APUS_MEDIA_NO_HANDLES.rawValue: .handles
      default: .internal
      }
    let remedy = code == .handles ? ": " + OpenHandles.text : ""
    return ImagingError(code, message + remedy, place: place)
  }
}

/// Keeps a frame of the media library alive.
private final class MediaFrameOwner {
  private var raw: apus_media_frame
  private let library: MediaLibrary

  init(_ raw: apus_media_frame, _ library: MediaLibrary) {
    self.raw = raw
    self.library = library
  }

  deinit { library.table.release_frame?(&raw) }
}
