/// A table from names to small numbers, for one graph: an array where the graph uses a good part
/// of the file's names, a dictionary where it is a small graph of a large file.
struct NameMap {
  private var dense: [Int32] = []
  private var sparse: [NameTable.ID: Int32] = [:]

  /// - Parameters:
  ///   - count: how many names will be kept, about.
  ///   - nameCount: how many names the file has so far.
  init(count: Int, nameCount: Int) {
    if count >= nameCount / 16 {
      dense = [Int32](repeating: -1, count: nameCount)
    } else {
      sparse.reserveCapacity(count)
    }
  }

  /// The number of a name; nil where none was given. Only names that were known to `init` may be
  /// given one.
  subscript(name: NameTable.ID) -> Int? {
    get {
      if dense.isEmpty { return sparse[name].map(Int.init) }
      guard dense.indices.contains(Int(name.index)) else { return nil }
      let number = dense[Int(name.index)]
      return number < 0 ? nil : Int(number)
    }
    set {
      let number = newValue.map { Int32($0) }
      if dense.isEmpty { sparse[name] = number } else { dense[Int(name.index)] = number ?? -1 }
    }
  }
}
