internal import Files
public import Imaging

/// Reads and writes picture files.
public enum Picture {
  /// The endings that picture files have, in lower case, without the dot.
  public static let extensions = ["jpg", "jpeg", "png", "webp", "bmp"]

  /// The largest picture file that is read, in bytes.
  private static let maximumBytes = 1 << 30

  /// Says whether the name ends as a picture's does.
  public static func isPicture(_ path: String) -> Bool {
    extensions.contains(fileExtension(of: path))
  }

  /// The ending of a file's name in lower case, without the dot; empty where there is none.
  public static func fileExtension(of path: String) -> String {
    let name = path.split(separator: "/").last ?? ""
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return "" }
    return name[name.index(after: dot)...].lowercased()
  }

  /// Reads a picture: JPEG by libturbojpeg, anything else by the media library, by its contents.
  ///
  /// - Throws: `ImagingError` naming the file.
  public static func read(_ path: String) throws(ImagingError) -> Frame {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try FileContents.bytes(of: path, limit: maximumBytes)
    } catch {
      throw ImagingError(error)
    }
    do throws(ImagingError) {
      return try decode(bytes)
    } catch {
      throw error.at(path)
    }
  }

  /// Decodes a picture from memory: `rgb24`, `gray8` or `rgba`.
  ///
  /// - Throws: `ImagingError`: corrupt, cut off, too large, or a format nobody here knows.
  public static func decode(_ bytes: [UInt8]) throws(ImagingError) -> Frame {
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(ImagingError) -> Frame in
        if JPEG.matches(buffer) { return try JPEG.decode(buffer) }
        guard !buffer.isEmpty else { throw ImagingError(.corrupt, "the picture is empty: 0 bytes") }
        return try MediaLibrary.shared().decodePicture(buffer)
      }
    }
    return try result.get()
  }

  /// Writes a picture as JPEG, under a temporary name until it is complete.
  ///
  /// - Throws: `ImagingError` naming the file: `diskFull`, `notWritable`.
  public static func write(
    _ frame: Frame, to path: String, quality: Int = 92
  ) throws(ImagingError) {
    let bytes: [UInt8]
    do throws(ImagingError) {
      bytes = try JPEG.encode(frame, quality: quality)
    } catch {
      throw error.at(path)
    }
    do throws(FileError) {
      try AtomicFile.write(bytes, to: path)
    } catch {
      throw ImagingError(error)
    }
  }
}
