import Compilation

/// The text of calibration tables; what is read and written is read again the same.
enum RangesTableTarget: FuzzTarget {
  static let name = "ranges-table"

  static func run(_ bytes: UnsafeRawBufferPointer) {
    guard let table = try? Ranges(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
    let text = table.text
    precondition((try? Ranges(parsing: text))?.text == text, "a table changes when written")
  }
}
