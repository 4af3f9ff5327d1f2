import Graphs
import Tensors

/// The equation of an `Einsum`: the letters of every operand and of the result.
package struct EinsumEquation: Sendable {
  /// One axis: a letter, or a place of the axes that `...` stands for, counted from the last.
  package enum Label: Sendable, Hashable {
    case letter(Character)
    case broadcast(Int)
  }

  /// The axes of an operand, where `...` is nil.
  private typealias Term = [Character?]

  private var operands: [Term] = []
  /// Nil: implied.
  private var output: Term?

  /// Nil where the text is no equation.
  package init?(_ text: String) {
    let plain = text.filter { $0 != " " }
    var left = plain[...]
    if let arrow = plain.firstIndex(of: "-") {
      guard plain[arrow...].hasPrefix("->") else { return nil }
      left = plain[..<arrow]
      guard let term = EinsumEquation.term(plain[arrow...].dropFirst(2)) else { return nil }
      guard Set(term).count == term.count else { return nil }
      output = term
    }
    for part in left.split(separator: ",", omittingEmptySubsequences: false) {
      guard let term = EinsumEquation.term(part) else { return nil }
      operands.append(term)
    }
  }

  private static func term(_ text: Substring) -> Term? {
    var result: Term = []
    var rest = text
    while let next = rest.first {
      if rest.hasPrefix("...") {
        guard !result.contains(nil) else { return nil }
        result.append(nil)
        rest = rest.dropFirst(3)
      } else if next.isASCII && next.isLetter {
        result.append(next)
        rest = rest.dropFirst()
      } else {
        return nil
      }
    }
    return result
  }

  /// The indices over given shapes: extents, the output's first, and each operand's steps.
  package struct Indices: Sendable {
    package var extents: [Int] = []
    package var outputRank = 0
    package var strides: [[Int]] = []
    /// An operand names a letter twice: its diagonal is meant.
    package var repeatsLetters = false
  }

  package func resolved(_ shapes: [Shape]) throws(GraphError) -> Indices {
    guard shapes.count == operands.count else {
      throw GraphError("the equation has \(operands.count) operands, the node \(shapes.count)")
    }
    var extents: [Label: Int] = [:]
    var labels: [[Label]] = []
    var uses: [Label: Int] = [:]
    for (term, shape) in zip(operands, shapes) {
      let named = try EinsumEquation.labels(term, rank: shape.rank)
      for (label, extent) in zip(named, shape.dimensions) {
        uses[label, default: 0] += 1
        guard let known = extents[label], known != 1 else {
          extents[label] = extent
          continue
        }
        guard known == extent || extent == 1 else {
          throw GraphError("\(label) is \(known) in one place and \(extent) in another")
        }
      }
      labels.append(named)
    }
    let order = try outputOrder(uses)
    let summed = extents.keys.filter { !order.contains($0) }.sorted { "\($0)" < "\($1)" }
    return indices(order, summed, extents, labels, shapes)
  }

  private static func labels(_ term: Term, rank: Int) throws(GraphError) -> [Label] {
    let letters = term.count { $0 != nil }
    guard term.contains(nil) ? letters <= rank : letters == rank else {
      throw GraphError("\(letters) letters for a tensor of rank \(rank)")
    }
    var result: [Label] = []
    for letter in term {
      if let letter {
        result.append(.letter(letter))
      } else {
        let hidden = rank - letters
        result += (0..<hidden).map { .broadcast(hidden - 1 - $0) }
      }
    }
    return result
  }

  private func outputOrder(_ uses: [Label: Int]) throws(GraphError) -> [Label] {
    let broadcast = uses.keys.compactMap { label -> Int? in
      if case .broadcast(let place) = label { place } else { nil }
    }.sorted(by: >).map { Label.broadcast($0) }
    guard let output else {
      let once = uses.compactMap { label, count -> Character? in
        if case .letter(let letter) = label, count == 1 { letter } else { nil }
      }
      return broadcast + once.sorted().map { .letter($0) }
    }
    var order: [Label] = []
    for letter in output {
      guard let letter else {
        order += broadcast
        continue
      }
      guard uses[.letter(letter)] != nil else {
        throw GraphError("the output names \(letter), which no operand has")
      }
      order.append(.letter(letter))
    }
    return order
  }

  private func indices(
    _ order: [Label], _ summed: [Label], _ extents: [Label: Int], _ labels: [[Label]],
    _ shapes: [Shape]
  ) -> Indices {
    var result = Indices()
    result.outputRank = order.count
    let all = order + summed
    result.extents = all.map { extents[$0] ?? 1 }
    for (named, shape) in zip(labels, shapes) {
      let dense = shape.denseStrides
      var steps = [Int](repeating: 0, count: all.count)
      for (axis, label) in named.enumerated() where shape[axis] != 1 {
        if let place = all.firstIndex(of: label) { steps[place] += dense[axis] }
      }
      if Set(named).count != named.count { result.repeatsLetters = true }
      result.strides.append(steps)
    }
    return result
  }
}
