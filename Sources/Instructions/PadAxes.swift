import Tensors

/// Surrounds a tensor: y[i] = x[map(i - before)] on every axis, where `map` says what lies outside.
///
/// x, y: one rank and element type, dense; before: positions added in front by axis (negative:
/// removed); what is added behind follows from the shapes. value: one element of x's type, for
/// `.constant`; absent: zero.
package struct PadAxes: Instruction {
  package static let opcode = "pad_axes"

  /// What lies outside the tensor.
  package enum Mode: UInt8, Sendable {
    case constant = 0
    /// Mirrored about the first and the last position, which are not repeated.
    case reflect = 1
    /// The nearest position.
    case edge = 2
    /// From the other end.
    case wrap = 3
  }

  package var input = Operand.none
  package var value = Operand.none
  package var output = Operand.none
  package var before: [Int] = []
  package var mode = Mode.constant

  /// By axis but the last: the source position of every target position; -1 for none.
  private var maps: [[Int]] = []
  private var strides: [Int] = []
  private var rows = 0
  private var size = 1
  /// The last axis: a run of the source between positions that are mapped one by one.
  private var lastMap: [Int] = []
  private var runStart = 0
  private var runSource = 0
  private var runCount = 0

  package init() {}

  package init(
    _ input: Operand, value: Operand, to output: Operand, before: [Int], mode: Mode
  ) {
    self.input = input
    self.value = value
    self.output = output
    self.before = before
    self.mode = mode
  }

  package mutating func visit(_ visitor: inout some FieldVisitor) {
    visitor.input("x", &input)
    visitor.input("value", &value)
    visitor.output("y", &output)
    visitor.field("before", &before)
    visitor.field("mode", &mode)
  }

  package mutating func prepare(_ preparation: inout Preparation) throws(InstructionError) {
    let x = preparation[input]
    let y = preparation[output]
    size = x.type.byteCount
    try preparation.require(x.type == y.type && size > 0, self, "\(x.type) into \(y.type)")
    try preparation.require(
      x.shape.rank == y.shape.rank && before.count == y.shape.rank && y.shape.rank <= 16, self,
      "\(x.shape) into \(y.shape) with \(before)")
    if value.isPresent {
      let fill = preparation[value]
      try preparation.require(
        fill.type == x.type && fill.shape.elementCount == 1, self,
        "the value is \(fill.type) \(fill.shape)")
    }
    rows = 0
    guard y.shape.elementCount > 0 else { return }
    var (source, target, front) = (x.shape.dimensions, y.shape.dimensions, before)
    if mode == .constant { mergeLast(&source, &target, &front) }
    maps = []
    for axis in target.indices {
      maps.append(
        try map(axis, from: source[axis], to: target[axis], before: front[axis], preparation))
    }
    strides = Shape(source).denseStrides
    lastMap = maps.popLast() ?? [0]
    rows = Shape(target).dimensions.dropLast().reduce(1, *)
    findRun(before: front.last ?? 0)
  }

  /// Trailing axes that stay as they are become one with the axis before them: longer runs.
  private func mergeLast(_ source: inout [Int], _ target: inout [Int], _ front: inout [Int]) {
    while let last = source.last, source.count > 1, last == target[source.count - 1],
      front[source.count - 1] == 0, last < 1 << 12,
      target[source.count - 2] < 1 << 16, source[source.count - 2] < 1 << 16,
      (-(1 << 16)..<1 << 16).contains(front[source.count - 2])
    {
      source.removeLast()
      target.removeLast()
      front.removeLast()
      let axis = source.count - 1
      source[axis] *= last
      target[axis] *= last
      front[axis] *= last
    }
  }

  private func map(
    _ axis: Int, from source: Int, to target: Int, before: Int, _ preparation: Preparation
  ) throws(InstructionError) -> [Int] {
    let limit = 1 << 29
    try preparation.require(
      before > -limit && before < limit && source < limit && target < limit
        && (source > 0 || mode == .constant), self,
      "axis \(axis): \(source) to \(target), \(before) before")
    return (0..<target).map { index in
      let place = index - before
      if place >= 0 && place < source { return place }
      switch mode {
      case .constant: return -1
      case .edge: return min(max(place, 0), source - 1)
      case .wrap:
        let rest = place % source
        return rest < 0 ? rest + source : rest
      case .reflect:
        if source == 1 { return 0 }
        let period = 2 * (source - 1)
        let rest = ((place % period) + period) % period
        return rest < source ? rest : period - rest
      }
    }
  }

  /// The longest part of the last axis that is copied as it is.
  private mutating func findRun(before: Int) {
    runStart = lastMap.firstIndex(of: max(0, -before)) ?? 0
    runSource = lastMap[runStart]
    runCount = 0
    guard runSource >= 0 else { return }
    while runStart + runCount < lastMap.count
      && lastMap[runStart + runCount] == runSource + runCount
    {
      runCount += 1
    }
  }

  package func execute(_ context: borrowing ExecutionContext) {
    guard rows > 0 else { return }
    switch size {
    case 1: run(UInt8.self, 0, context)
    case 2: run(UInt16.self, 0, context)
    case 4: run(UInt32.self, 0, context)
    case 8: run(UInt64.self, 0, context)
    default: run(SIMD2<UInt64>.self, .zero, context)
    }
  }

  private func run<T>(_: T.Type, _ zero: T, _ context: borrowing ExecutionContext) {
    let source = context.pointer(input, as: T.self)
    let target = context.pointer(output, as: T.self)
    let fill = value.isPresent ? context.pointer(value, as: T.self)[0] : zero
    let length = lastMap.count
    for row in context.share(of: rows) {
      let to = target + row * length
      guard let offset = offset(ofRow: row) else {
        for i in 0..<length { to[i] = fill }
        continue
      }
      let from = source + offset
      for i in 0..<runStart { to[i] = lastMap[i] < 0 ? fill : from[lastMap[i]] }
      (to + runStart).update(from: from + max(runSource, 0), count: runCount)
      for i in runStart + runCount..<length { to[i] = lastMap[i] < 0 ? fill : from[lastMap[i]] }
    }
  }

  /// Where the source row of a target row starts; nil where it lies outside.
  private func offset(ofRow row: Int) -> Int? {
    var rest = row
    var offset = 0
    var axis = maps.count - 1
    while axis >= 0 {
      let place = maps[axis][rest % maps[axis].count]
      if place < 0 { return nil }
      offset += place * strides[axis]
      rest /= maps[axis].count
      axis -= 1
    }
    return offset
  }
}
