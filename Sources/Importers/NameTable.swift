#if canImport(Glibc)
  import Glibc
#endif

/// The names of a model file: each distinct string of bytes is a small number, and becomes a
/// `String` once, when somebody asks.
///
/// An open hash table over the file's own bytes. Names are told apart by their bytes, so that
/// text which is not UTF-8 still names one value; it is repaired for display.
struct NameTable {
  /// The identity of a name; `empty` is the empty string.
  struct ID: Hashable {
    var index: Int32
    static let empty = ID(index: 0)
    var isEmpty: Bool { index == 0 }
  }

  private struct Entry {
    var start: Int
    var count: Int32
    var hash: Int
    var text: String?
  }

  private let base: UnsafeRawPointer
  private var entries: [Entry] = [Entry(start: 0, count: 0, hash: 0, text: "")]
  /// Indices into `entries`; 0 where free. The size is a power of two.
  private var slots = [Int32](repeating: 0, count: 1024)

  init(base: UnsafeRawPointer) { self.base = base }

  /// The number of names, the empty one included.
  var count: Int { entries.count }

  /// Returns the identity of the name that lies in `range` of the file.
  mutating func id(_ range: Range<Int>) -> ID {
    if range.isEmpty { return .empty }
    let bytes = UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    var hasher = Hasher()
    hasher.combine(bytes: bytes)
    let hash = hasher.finalize()
    var slot = hash & (slots.count - 1)
    while slots[slot] != 0 {
      let entry = entries[Int(slots[slot])]
      if entry.hash == hash, entry.count == bytes.count,
        memcmp(base + entry.start, base + range.lowerBound, bytes.count) == 0
      {
        return ID(index: slots[slot])
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    entries.append(Entry(start: range.lowerBound, count: Int32(bytes.count), hash: hash))
    slots[slot] = Int32(entries.count - 1)
    if entries.count * 2 > slots.count { grow() }
    return ID(index: Int32(entries.count - 1))
  }

  subscript(id: ID) -> String {
    mutating get {
      let entry = entries[Int(id.index)]
      if let text = entry.text { return text }
      let text = String(
        decoding: UnsafeRawBufferPointer(start: base + entry.start, count: Int(entry.count)),
        as: UTF8.self)
      entries[Int(id.index)].text = text
      return text
    }
  }

  private mutating func grow() {
    slots = [Int32](repeating: 0, count: slots.count * 2)
    for index in 1..<entries.count {
      var slot = entries[index].hash & (slots.count - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(index)
    }
  }
}
