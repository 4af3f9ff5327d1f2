internal import CFreeType
public import Imaging

#if canImport(Glibc)
  import Glibc
#endif

/// A font for labels: DejaVu Sans, any Unicode text that it has glyphs for.
///
/// Belongs to one thread at a time; keeps the last texts.
public final class LabelFont {
  /// The files that are tried, in this order.
  public static let searchPaths = [
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",
  ]

  private struct Key: Hashable {
    let text: String
    let height: Int
  }

  private let font: OpaquePointer
  private var masks: [Key: TextMask] = [:]

  /// Opens a font file, or the first of `searchPaths` that exists.
  ///
  /// - Throws: `notFound` with the package to install, or `corrupt` for a file that is no font.
  public init(path: String? = nil) throws(ImagingError) {
    let candidates = path.map { [$0] } ?? LabelFont.searchPaths
    guard let found = candidates.first(where: { access($0, R_OK) == 0 }) else {
      throw ImagingError(
        .notFound,
        "no font for labels: \(candidates.joined(separator: ", ")) cannot be read; "
          + "apt install fonts-dejavu-core")
    }
    var opened: OpaquePointer?
    let failure = apus_font_open(found, &opened)
    guard let opened else {
      switch failure {
      case APUS_FONT_CORRUPT:
        throw ImagingError(.corrupt, "is not a font that FreeType reads", place: found)
      case APUS_FONT_NO_LIBRARY:
        throw ImagingError(
          .notFound, "labels need FreeType (libfreetype.so.6); apt install libfreetype6")
      default:
        throw ImagingError(.memory, "FreeType cannot be started")
      }
    }
    font = opened
  }

  deinit { apus_font_close(font) }

  /// The longest text that is drawn, in characters; the rest is cut off.
  private static let maximumLength = 120

  /// Returns the coverage of a text in one line, `height` pixels from line to line.
  func mask(_ text: String, height: Int) -> TextMask {
    let text = String(text.prefix(LabelFont.maximumLength))
    let key = Key(text: text, height: height)
    if let mask = masks[key] { return mask }
    if masks.count >= 512 { masks.removeAll(keepingCapacity: true) }
    let mask = render(text, height: max(height, 4))
    masks[key] = mask
    return mask
  }

  private func render(_ text: String, height: Int) -> TextMask {
    guard apus_font_set_size(font, UInt32(height * 4 / 5)) != 0 else {
      return TextMask(width: 0, height: height, coverage: [])
    }
    let baseline = height * 4 / 5
    var columns: [[UInt8]] = []
    var pen = 0
    for scalar in text.unicodeScalars {
      let visible = scalar.value < 0x20 ? " " : scalar
      var glyph = apus_glyph()
      guard apus_font_draw(font, visible.value, &glyph) != 0 else { continue }
      let (left, width) = (pen + Int(glyph.left), Int(glyph.width))
      let end = max(pen + Int(glyph.advance), left + width)
      while columns.count < end { columns.append([UInt8](repeating: 0, count: height)) }
      if let picture = glyph.coverage {
        for row in 0..<Int(glyph.rows) {
          let y = baseline - Int(glyph.top) + row
          guard (0..<height).contains(y) else { continue }
          for column in 0..<width where columns.indices.contains(left + column) {
            let x = left + column
            columns[x][y] = max(columns[x][y], picture[row * Int(glyph.pitch) + column])
          }
        }
      }
      pen += Int(glyph.advance)
    }
    var coverage = [UInt8](repeating: 0, count: columns.count * height)
    for (x, column) in columns.enumerated() {
      for y in 0..<height { coverage[y * columns.count + x] = column[y] }
    }
    return TextMask(width: columns.count, height: height, coverage: coverage)
  }
}
