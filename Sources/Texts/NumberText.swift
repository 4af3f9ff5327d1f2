#if canImport(Glibc)
  import Glibc
#endif

/// Numbers as people read them. NaN and infinities are `nan`, `inf`, `-inf`.
package enum NumberText {
  /// Returns `value` with exactly `decimals` digits after the point, e.g. `12.50`.
  package static func fixed(_ value: Double, decimals: Int) -> String {
    formatted("%.*f", value, clamped(decimals))
  }

  /// Returns `value` rounded to `digits` significant digits, without trailing zeros, e.g. `0.0125`
  /// or `1.5e-09`.
  package static func significant(_ value: Double, digits: Int) -> String {
    formatted("%.*g", value, max(clamped(digits), 1))
  }

  /// Returns a size in binary units, e.g. `512 B`, `1.5 MiB`.
  package static func bytes(_ count: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var value = Double(count)
    var unit = 0
    while value.magnitude >= 1023.95, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return unit == 0 ? "\(count) B" : "\(fixed(value, decimals: 1)) \(units[unit])"
  }

  /// Returns a time span with a fitting unit, e.g. `840 ns`, `1.25 ms`, `12.3 s`, `3 min 20 s`.
  package static func seconds(_ value: Double) -> String {
    guard value.isFinite else { return fixed(value, decimals: 0) }
    if value >= 3600 {
      let minutes = Int(min(value, 1e15) / 60)
      return "\(minutes / 60) h \(minutes % 60) min"
    }
    if value >= 99.5 {
      let whole = Int(value.rounded())
      return "\(whole / 60) min \(whole % 60) s"
    }
    for (scale, unit) in [(1.0, "s"), (1e3, "ms"), (1e6, "µs")] where value * scale >= 0.9995 {
      return "\(significant(value * scale, digits: 3)) \(unit)"
    }
    return "\(significant(value * 1e9, digits: 3)) ns"
  }

  /// Returns `value` with its thousands apart, e.g. `1,234,567`.
  package static func grouped(_ value: Int) -> String {
    let digits = String(value.magnitude)
    var text = value < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return text
  }

  private static func clamped(_ digits: Int) -> Int32 { Int32(min(max(digits, 0), 60)) }

  private static func formatted(_ format: String, _ value: Double, _ digits: Int32) -> String {
    // A double has up to 309 digits before its point.
    var buffer = [CChar](repeating: 0, count: 400)
    let count = withVaList([digits, value]) { vsnprintf(&buffer, buffer.count, format, $0) }
    let length = min(max(Int(count), 0), buffer.count - 1)
    return String(decoding: buffer[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
