import Tensors

/// Counts sequences of integers in every row: y[b, column of a gram] = how often row b holds it.
///
/// x: int32 or int64 [B, C] or [C]; y: float32 [B, columns] or [columns]. The grams lie one after
/// the other in `pool`, those of one element first; `sizes[n]` of them have n + 1 elements;
/// `columns` names the column of each. A gram of `minimum` to `maximum` elements is found wherever
/// its elements stand equally far apart, 1 to `maximumSkip` + 1 positions; those of one element
/// count once. Of equal grams the last counts. With `isPresence` a count becomes 1.
package struct CountGrams: Instruction {
  package static let opcode = "count_grams"

  package var input = Operand.none
  package var output = Operand.none
  package var pool: [Int] = []
  package var sizes: [Int] = []
  package var columns: [Int] = []
  package var minimum = 1
  package var maximum = 1
  package var maximumSkip = 0
  package var isPresence = false
  private var type = ElementType.int64
  private var rowCount = 0
  private var rowLength = 0
  private var columnCount = 0
  /// By number of elements less one: the grams in ascending order.
  private var tables: [[Gram]] = []

  private struct Gram: Sendable {
    var start: Int
    var column: Int
  }

  package init() {}

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.output("y", &output)
    visitor.field("pool", &pool)
    visitor.field("sizes", &sizes)
    visitor.field("columns", &columns)
    visitor.field("minimum", &minimum)
    visitor.field("maximum", &maximum)
    visitor.field("maximum_skip", &maximumSkip)
    visitor.field("is_presence", &isPresence)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    type = x.type
    columnCount = y.shape.dimensions.last ?? 0
    rowLength = x.shape.rank == 0 ? 1 : x.rowLength
    rowCount = x.shape.rank == 2 ? x.shape[0] : 1
    try preparation.require(
      [.int32, .int64].contains(x.type) && x.shape.rank <= 2 && y.type == .float32
        && y.shape.rank == max(x.shape.rank, 1) && y.shape.elementCount == rowCount * columnCount,
      self, "\(x.type) \(x.shape) into \(y.type) \(y.shape)")
    try preparation.require(
      minimum >= 1 && maximum >= minimum && (0...(1 << 24)).contains(maximumSkip)
        && sizes.count <= 64 && columns.allSatisfy { (0..<columnCount).contains($0) }, self,
      "grams of \(minimum) to \(maximum) elements")
    tables = []
    var start = 0
    var number = 0
    for (index, count) in sizes.enumerated() {
      let length = index + 1
      try preparation.require(
        count >= 0 && count <= columns.count - number && count <= (pool.count - start) / length,
        self, "\(count) grams of \(length) elements are not in the pool")
      var table: [Gram] = []
      for _ in 0..<count {
        table.append(Gram(start: start, column: columns[number]))
        start += length
        number += 1
      }
      tables.append(sorted(table, length))
    }
  }

  /// The grams in ascending order; of equal ones the last.
  private func sorted(_ table: [Gram], _ length: Int) -> [Gram] {
    func order(_ a: Gram, _ b: Gram) -> Int {
      for i in 0..<length where pool[a.start + i] != pool[b.start + i] {
        return pool[a.start + i] < pool[b.start + i] ? -1 : 1
      }
      return 0
    }
    let all = table.sorted {
      let order = order($0, $1)
      return order < 0 || order == 0 && $0.start < $1.start
    }
    var result: [Gram] = []
    for gram in all {
      if let last = result.last, order(last, gram) == 0 { result.removeLast() }
      result.append(gram)
    }
    return result
  }

  package func execute(_ context: borrowing ExecutionContext) {
    let x = NumericElements(context.pointer(input), type)
    let y = context.pointer(output, as: Float.self)
    for row in context.share(of: rowCount) {
      let counts = y + row * columnCount
      for column in 0..<columnCount { counts[column] = 0 }
      for length in minimum...max(minimum, min(maximum, tables.count))
      where length <= tables.count && !tables[length - 1].isEmpty {
        let skips = length == 1 ? 1 : min(maximumSkip, rowLength) + 1
        for distance in 1...skips where (length - 1) * distance < rowLength {
          for start in 0..<rowLength - (length - 1) * distance {
            let found = column(x, row * rowLength + start, distance, length)
            if let found { counts[found] = isPresence ? 1 : counts[found] + 1 }
          }
        }
      }
    }
  }

  /// The column of the gram that stands at `place`, found by halving.
  private func column(
    _ x: NumericElements, _ place: Int, _ distance: Int, _ length: Int
  ) -> Int? {
    var low = 0
    var high = tables[length - 1].count
    while low < high {
      let middle = (low + high) / 2
      let gram = tables[length - 1][middle]
      var i = 0
      while i < length && pool[gram.start + i] == x.whole(place + i * distance) { i += 1 }
      if i == length { return gram.column }
      if pool[gram.start + i] < x.whole(place + i * distance) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return nil
  }
}
