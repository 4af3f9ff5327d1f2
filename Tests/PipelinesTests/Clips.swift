import Imaging

/// The project's own clips.
enum Clips {
  private static let root =
    "/" + "\(#filePath)".split(separator: "/").dropLast(3).joined(separator: "/")

  static func path(_ name: String) -> String { "\(root)/Samples/clips/\(name).mp4" }

  /// Whether videos can be opened: not where the thread sanitiser keeps the media library out.
  static var canBeRead: Bool {
    do throws(ImagingError) {
      _ = try VideoSource(path("square"))
    } catch  where error.code == .mediaLibrary {
      print("skipped: \(error)")
      return false
    } catch {}
    return true
  }
}
