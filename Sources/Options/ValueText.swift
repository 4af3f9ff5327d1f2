/// Reading numbers with units.
package enum ValueText {
  /// Returns a finite number.
  package static func number(_ text: String) throws(UsageError) -> Double {
    let isPlain = text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
    guard isPlain, let value = Double(text), value.isFinite else {
      throw UsageError("'\(text)' is not a number")
    }
    return value
  }

  /// Returns a size in bytes; K, M, G and T are powers of 1024, `iB` or `B` may follow.
  package static func size(_ text: String) throws(UsageError) -> Int {
    let (digits, unit) = parts(of: text)
    let units = ["": 0, "k": 10, "m": 20, "g": 30, "t": 40]
    var letter = unit.lowercased()
    for ending in ["ib", "b"] where letter.hasSuffix(ending) {
      letter.removeLast(ending.count)
      break
    }
    guard let shift = units[letter], let value = Double(digits), value >= 0,
      let bytes = Int(exactly: (value * Double(1 << shift)).rounded())
    else {
      throw UsageError("'\(text)' is not a size; write bytes or, e.g., 512M or 1.5G")
    }
    return bytes
  }

  /// Returns a time span in seconds; a number without a unit is seconds.
  package static func seconds(_ text: String) throws(UsageError) -> Double {
    let (digits, unit) = parts(of: text)
    let units = ["": 1, "s": 1, "ms": 1e-3, "us": 1e-6, "m": 60, "min": 60, "h": 3600, "d": 86400]
    guard let scale = units[unit.lowercased()], let value = Double(digits), value >= 0,
      (value * scale).isFinite
    else {
      throw UsageError("'\(text)' is not a time; write seconds or, e.g., 250ms, 90s, 2m or 1h")
    }
    return value * scale
  }

  private static func parts(of text: String) -> (digits: String, unit: String) {
    let end = text.firstIndex { !("0"..."9").contains($0) && $0 != "." } ?? text.endIndex
    return (String(text[..<end]), String(text[end...]))
  }
}

/// Shapes for some inputs of a model, as one `--shape` option gives them.
package struct ShapeSet: Sendable, Hashable {
  /// Input names and extents in the order given; an input without a name has an empty one.
  package var shapes: [(name: String, extents: [Int])] {
    zip(names, extents).map { (name: $0, extents: $1) }
  }
  private var names: [String] = []
  private var extents: [[Int]] = []

  /// Reads `NAME=1x3x640x640[,NAME=…]`. The name ends at the last `=`; one shape may stand alone,
  /// for a model with one input; `NAME=` is rank 0.
  package init(parsing text: String) throws(UsageError) {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    for part in parts {
      let equals = part.lastIndex(of: "=")
      let name = equals.map { String(part[..<$0]) } ?? ""
      let shape = equals.map { String(part[part.index(after: $0)...]) } ?? part
      if name.isEmpty, parts.count > 1 || equals != nil || shape.isEmpty {
        throw UsageError("'\(part)' lacks a name; write NAME=1x3x640x640")
      }
      guard !names.contains(name) else { throw UsageError("'\(name)' is given two shapes") }
      names.append(name)
      extents.append(try ShapeSet.extents(shape, in: part))
    }
  }

  private static func extents(_ text: String, in part: String) throws(UsageError) -> [Int] {
    if text.isEmpty { return [] }
    var result: [Int] = []
    for extent in text.split(separator: "x", omittingEmptySubsequences: false) {
      guard let value = Int(extent), value >= 0, value <= Int(Int32.max) else {
        throw UsageError("'\(part)' is not a shape; write NAME=1x3x640x640")
      }
      result.append(value)
    }
    return result
  }
}
