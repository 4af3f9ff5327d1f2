import Tensors

/// One sequence in one direction of a `Recurrence`: its state, and how it goes on by one position.
struct RecurrentStep {
  private let layer: Recurrence
  private let hidden: Int
  private let gateCount: Int
  private let w: UnsafePointer<Float>
  private let r: UnsafePointer<Float>
  private let biasW: UnsafePointer<Float>?
  private let biasR: UnsafePointer<Float>?
  private let peepholes: UnsafePointer<Float>?
  private let functions: Int
  /// Gate inputs: of x (and, in the end, all), and of h.
  private let gates: UnsafeMutablePointer<Float>
  private let recurrent: UnsafeMutablePointer<Float>
  private let row: UnsafeMutablePointer<Float>
  let h: UnsafeMutablePointer<Float>
  let c: UnsafeMutablePointer<Float>

  init(
    _ layer: Recurrence, _ direction: Int, _ scratch: UnsafeMutablePointer<Float>,
    _ context: borrowing ExecutionContext
  ) {
    self.layer = layer
    hidden = layer.hidden
    gateCount = layer.gates
    w = UnsafePointer(
      context.pointer(layer.w, as: Float.self) + direction * layer.inputs * gateCount)
    r = UnsafePointer(context.pointer(layer.r, as: Float.self) + direction * hidden * gateCount)
    biasW = RecurrentStep.pointer(layer.bias, direction * 2 * gateCount, context)
    biasR = RecurrentStep.pointer(layer.bias, (direction * 2 + 1) * gateCount, context)
    peepholes = RecurrentStep.pointer(layer.peepholes, direction * 3 * hidden, context)
    functions = direction * layer.cell.activationCount
    gates = scratch
    recurrent = gates + gateCount
    row = recurrent + gateCount
    h = row + hidden
    c = h + hidden
  }

  /// An element of an optional operand.
  private static func pointer(
    _ operand: Operand, _ offset: Int, _ context: borrowing ExecutionContext
  ) -> UnsafePointer<Float>? {
    operand.isPresent ? UnsafePointer(context.pointer(operand, as: Float.self) + offset) : nil
  }

  /// Sets the state; zero where none is given.
  func start(h first: UnsafeMutablePointer<Float>?, c memory: UnsafeMutablePointer<Float>?) {
    if let first {
      h.update(from: first, count: hidden)
    } else {
      h.update(repeating: 0, count: hidden)
    }
    if let memory {
      c.update(from: memory, count: hidden)
    } else {
      c.update(repeating: 0, count: hidden)
    }
  }

  /// Takes one position of the input in.
  mutating func advance(_ x: UnsafePointer<Float>) {
    fill(gates, biasW, gateCount)
    accumulate(x, layer.inputs, w, gateCount, into: gates, gateCount)
    switch layer.cell {
    case .plain: advancePlain()
    case .gated: advanceGated()
    case .longShortTerm: advanceLongShortTerm()
    }
  }

  private func advancePlain() {
    fill(recurrent, biasR, gateCount)
    accumulate(h, hidden, r, gateCount, into: recurrent, gateCount)
    add(recurrent, to: gates, gateCount)
    finish(gates, hidden, 0)
    h.update(from: gates, count: hidden)
  }

  private func advanceGated() {
    fill(recurrent, biasR, gateCount)
    let n = gates + 2 * hidden
    if layer.resetsAfterProduct {
      accumulate(h, hidden, r, gateCount, into: recurrent, gateCount)
    } else {
      accumulate(h, hidden, r, gateCount, into: recurrent, 2 * hidden)
    }
    add(recurrent, to: gates, 2 * hidden)
    finish(gates, 2 * hidden, 0)
    let reset = gates + hidden
    let part = recurrent + 2 * hidden
    if layer.resetsAfterProduct {
      for i in 0..<hidden { n[i] += reset[i] * part[i] }
    } else {
      for i in 0..<hidden { row[i] = reset[i] * h[i] }
      accumulate(row, hidden, r + 2 * hidden, gateCount, into: part, hidden)
      add(part, to: n, hidden)
    }
    finish(n, hidden, 1)
    for i in 0..<hidden { h[i] = (1 - gates[i]) * n[i] + gates[i] * h[i] }
  }

  private func advanceLongShortTerm() {
    fill(recurrent, biasR, gateCount)
    accumulate(h, hidden, r, gateCount, into: recurrent, gateCount)
    add(recurrent, to: gates, gateCount)
    let input = gates
    let output = gates + hidden
    let forget = gates + 2 * hidden
    let candidate = gates + 3 * hidden
    if let peepholes {
      for i in 0..<hidden { input[i] += peepholes[i] * c[i] }
      for i in 0..<hidden { forget[i] += peepholes[2 * hidden + i] * c[i] }
    }
    finish(input, hidden, 0)
    if layer.couplesInputAndForget {
      for i in 0..<hidden { forget[i] = 1 - input[i] }
    } else {
      finish(forget, hidden, 0)
    }
    finish(candidate, hidden, 1)
    for i in 0..<hidden { c[i] = forget[i] * c[i] + input[i] * candidate[i] }
    if let peepholes {
      for i in 0..<hidden { output[i] += peepholes[hidden + i] * c[i] }
    }
    finish(output, hidden, 0)
    row.update(from: c, count: hidden)
    layer.functions[functions + 2].apply(to: row, count: hidden, by: layer.elementwise)
    for i in 0..<hidden { h[i] = output[i] * row[i] }
  }

  /// Limits gate inputs and applies the activation.
  private func finish(_ values: UnsafeMutablePointer<Float>, _ count: Int, _ function: Int) {
    if layer.clip > 0 {
      for i in 0..<count { values[i] = min(max(values[i], -layer.clip), layer.clip) }
    }
    layer.functions[functions + function].apply(to: values, count: count, by: layer.elementwise)
  }

  private func fill(
    _ target: UnsafeMutablePointer<Float>, _ values: UnsafePointer<Float>?, _ count: Int
  ) {
    if let values {
      target.update(from: values, count: count)
    } else {
      target.update(repeating: 0, count: count)
    }
  }

  private func add(
    _ source: UnsafeMutablePointer<Float>, to target: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    for i in 0..<count { target[i] += source[i] }
  }

  /// target[j] += Σ x[k] · matrix[k, j] for j below `columns`; the matrix's rows lie `stride`
  /// apart.
  private func accumulate(
    _ x: UnsafePointer<Float>, _ count: Int, _ matrix: UnsafePointer<Float>, _ stride: Int,
    into target: UnsafeMutablePointer<Float>, _ columns: Int
  ) {
    layer.kernel?.accumulate(
      x, matrix, stride: stride, into: target, rows: count, columns: columns)
  }
}
