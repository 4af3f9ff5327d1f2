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

  private var library: FT_Library?
  private var face: FT_Face?
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
    guard FT_Init_FreeType(&library) == 0, library != nil else {
      throw ImagingError(.memory, "FreeType cannot be started")
    }
    guard FT_New_Face(library, found, 0, &face) == 0, face != nil else {
      throw ImagingError(.corrupt, "is not a font that FreeType reads", place: found)
    }
  }

  deinit {
    if let face { FT_Done_Face(face) }
    if let library { FT_Done_FreeType(library) }
  }

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
    guard let face, FT_Set_Pixel_Sizes(face, 0, UInt32(height * 4 / 5)) == 0 else {
      return TextMask(width: 0, height: height, coverage: [])
    }
    let baseline = height * 4 / 5
    var columns: [[UInt8]] = []
    var pen = 0
    for scalar in text.unicodeScalars {
      let visible = scalar.value < 0x20 ? " " : scalar
      guard FT_Load_Char(face, FT_ULong(visible.value), FT_Int32(FT_LOAD_RENDER)) == 0,
        let slot = face.pointee.glyph?.pointee
      else { continue }
      let bitmap = slot.bitmap
      let advance = Int(slot.advance.x) >> 6
      let end = max(pen + advance, pen + Int(slot.bitmap_left) + Int(bitmap.width))
      while columns.count < end { columns.append([UInt8](repeating: 0, count: height)) }
      if let buffer = bitmap.buffer, UInt32(bitmap.pixel_mode) == FT_PIXEL_MODE_GRAY.rawValue {
        for row in 0..<Int(bitmap.rows) {
          let y = baseline - Int(slot.bitmap_top) + row
          guard (0..<height).contains(y) else { continue }
          for column in 0..<Int(bitmap.width) {
            let x = pen + Int(slot.bitmap_left) + column
            guard columns.indices.contains(x) else { continue }
            columns[x][y] = max(columns[x][y], buffer[row * Int(bitmap.pitch) + column])
          }
        }
      }
      pen += advance
    }
    var coverage = [UInt8](repeating: 0, count: columns.count * height)
    for (x, column) in columns.enumerated() {
      for y in 0..<height { coverage[y * columns.count + x] = column[y] }
    }
    return TextMask(width: columns.count, height: height, coverage: coverage)
  }
}
