internal import CKernels
import Kernels
import Tensors

/// An instruction that stores by a `QuantizedStore`.
///
/// The search for the curve that suits a function takes longer than all else that `prepare` does;
/// so the compiler does it, and `curve` keeps what it found.
protocol QuantizedProduct: Instruction {
  var offsets: Operand { get }
  var residual: Operand { get }
  var y: Operand { get }
  var activation: Activation { get }
  var residualAfterActivation: Bool { get }
  /// What `CurveColumns.Choice` says; empty: `prepare` searches.
  var curve: [Int] { get set }
  /// Valid after `prepare`.
  var store: QuantizedStore? { get }
}

extension QuantizedProduct {
  /// The store, or that of an earlier preparation. The operands must have passed
  /// `Preparation.checkQuantizedStore`.
  func makeStore(
    _ factors: QuantizedStore.Factors, columns: Int, _ preparation: borrowing Preparation
  ) -> QuantizedStore {
    preparation.kept(store)
      ?? QuantizedStore(
        factors: factors, offsets: offsets, residual: residual, y: y, columns: columns,
        activation: activation, residualLast: residualAfterActivation, choice: curve, preparation)
  }
}

extension Program {
  /// Searches the curves of all 8-bit products.
  package mutating func chooseCurves() {
    for index in instructions.indices {
      guard var product = instructions[index] as? any QuantizedProduct else { continue }
      var prepared = product
      var preparation = Preparation(tensors: tensors, isas: ISA.portable.included, parts: 1)
      // What cannot be prepared is refused when it is to run.
      guard (try? prepared.prepare(&preparation)) != nil, let store = prepared.store else {
        continue
      }
      product.curve = store.choice
      instructions[index] = product
    }
  }
}

/// The store of an 8-bit product: what happens to its integer sums, and where they go;
/// `quantized.h` states the arithmetic.
///
/// Built in `prepare` from what the tensors stand for. Rows are numbered as in y: consecutive
/// positions of all axes but the last.
struct QuantizedStore: Sendable {
  /// int32 [columns]; absent where the instruction makes the offsets at run time.
  let offsets: Operand
  let residual: Operand
  let y: Operand
  let activation: Activation
  let residualLast: Bool
  /// How sums become y.
  private let kind: apus_store_kind
  /// Elements from one row of y and of the residual to the next.
  let yRowStride: Int
  let residualRowStride: Int
  private let isYReal: Bool
  private let isResidualReal: Bool
  private let columns: StoreColumns
  private let fraction: UInt32
  /// What the search for a curve found, for a `QuantizedProduct`.
  let choice: [Int]

  /// What a product's factors stand for: the real number of a sum is `scale` · the scale of x · the
  /// scale of the weights, each per tensor or per column.
  struct Factors {
    var x: Quantization
    var weights: Quantization
    var scale: Float = 1

    /// What a unit of the sums of each column stands for.
    func scales(_ count: Int) -> [Float] {
      let (x, weights) = (x.scales(count), weights.scales(count))
      return [Float](unsafeUninitializedCapacity: count) { buffer, filled in
        for n in 0..<count { buffer[n] = x[n] * weights[n] * scale }
        filled = count
      }
    }
  }

  /// - Parameter choice: a `QuantizedProduct`'s
  fileprivate init(
    factors: Factors, offsets: Operand, residual: Operand, y: Operand, columns count: Int,
    activation: Activation, residualLast: Bool, choice: [Int],
    _ preparation: borrowing Preparation
  ) {
    self.offsets = offsets
    self.residual = residual
    self.y = y
    self.activation = activation
    self.residualLast = residualLast
    let output = preparation[y]
    let added = preparation[residual.isPresent ? residual : y]
    yRowStride = output.rowStride
    residualRowStride = added.rowStride
    isYReal = output.type == .float32
    isResidualReal = added.type == .float32
    let unit = Quantization(scale: 1, zeroPoint: 0)
    let result = output.quantization ?? unit
    let bounds = residual.isPresent || isYReal ? nil : StoreBounds(activation, result)
    let scales = factors.scales(count)
    let steps = result.scales(count)
    // Below 1/2 no int32 sum can reach 2^30.
    let isDirect = bounds != nil && scales.indices.allSatisfy { scales[$0] / steps[$0] < 0.5 }
    var curve: CurveColumns?
    if !isDirect && !isYReal && !(residual.isPresent && (isResidualReal || !residualLast)) {
      curve = CurveColumns.best(
        activation, scales: scales, result: result,
        added: residual.isPresent ? added.quantization : nil, isas: preparation.isas,
        choice: choice)
      self.choice = curve?.choice.field ?? CurveColumns.Choice.noCurve
    } else {
      self.choice = []
    }
    kind =
      switch curve?.curve.form {
      case .curve: APUS_STORE_CURVE
      case .ramp: APUS_STORE_RAMP
      case nil: isDirect ? APUS_STORE_DIRECT : APUS_STORE_GENERAL
      }
    columns = StoreColumns(count: count, kind: kind)
    fraction = UInt32(curve?.fraction ?? 0)
    if let curve {
      columns.write(curve, count)
      return
    }
    let zeros = result.zeroPoints(count)
    columns.zero.fill(count) { zeros[$0] }
    if isDirect, let bounds {
      // In float32 and in this order, as ONNX Runtime multiplies scales.
      columns.multiplier.fill(count) { scales[$0] / steps[$0] }
      columns.low.fill(count, bounds.low)
      columns.high.fill(count, bounds.high)
      return
    }
    columns.multiplier.fill(count) { scales[$0] }
    columns.inverse.fill(count) { 1 / steps[$0] }
    guard residual.isPresent else { return }
    let other = added.quantization ?? unit
    let (otherScales, otherZeros) = (other.scales(count), other.zeroPoints(count))
    columns.residualScale.fill(count) { otherScales[$0] }
    columns.residualZero.fill(count) { otherZeros[$0] }
  }

  /// A store that lacks its pointers.
  func makeStore() -> apus_quantized_store {
    var store = apus_quantized_store()
    store.kind = kind.rawValue
    store.curve = UnsafePointer(columns.curve)
    store.fraction = fraction
    store.y_type = (isYReal ? APUS_REAL : APUS_UINT8).rawValue
    store.residual_type = (isResidualReal ? APUS_REAL : APUS_UINT8).rawValue
    store.residual_last = residualLast ? 1 : 0
    store.activation = apus_activation(
      function: UInt32(activation.function.rawValue), alpha: activation.alpha,
      beta: activation.beta)
    return store
  }

  /// Points a store at a row and column of y, and at what belongs to them. `channel` is the place
  /// in the arrays of columns, where that is another one.
  @inline(__always)
  func place(
    _ store: inout apus_quantized_store, row: Int, column: Int, channel: Int? = nil,
    _ context: borrowing ExecutionContext
  ) {
    let channel = channel ?? column
    store.y = context.pointer(y) + (row * yRowStride + column) * (isYReal ? 4 : 1)
    store.residual =
      residual.isPresent
      ? UnsafeRawPointer(
        context.pointer(residual)
          + (row * residualRowStride + column) * (isResidualReal ? 4 : 1)) : nil
    if offsets.isPresent {
      store.offset = UnsafePointer(context.pointer(offsets, as: Int32.self) + channel)
    }
    store.multiplier = UnsafePointer(columns.multiplier + channel)
    store.inverse = UnsafePointer(columns.inverse + channel)
    store.zero = UnsafePointer(columns.zero + channel)
    store.low = UnsafePointer(columns.low + channel)
    store.high = UnsafePointer(columns.high + channel)
    store.residual_scale = UnsafePointer(columns.residualScale + channel)
    store.residual_zero = UnsafePointer(columns.residualZero + channel)
    store.ratio = UnsafePointer(columns.ratio + channel)
    store.level = UnsafePointer(columns.level + channel)
    store.residual_ratio = UnsafePointer(columns.residualRatio + channel)
    store.reach = UnsafePointer(columns.reach + channel)
    store.lift = UnsafePointer(columns.lift + channel)
    store.near = UnsafePointer(columns.near + channel)
  }
}

/// The functions that are bounds of y: the identity, and clamps.
private struct StoreBounds {
  private let range: ClosedRange<Float>
  private let result: Quantization

  /// Returns nil for any other function.
  init?(_ activation: Activation, _ result: Quantization) {
    self.result = result
    switch activation.function {
    case .identity: range = -Float.infinity...Float.infinity
    case .relu: range = 0...Float.infinity
    case .clip:
      guard activation.alpha <= activation.beta else { return nil }
      range = activation.alpha...activation.beta
    default: return nil
    }
  }

  func low(_ column: Int) -> UInt8 { quantized(range.lowerBound, column) }
  func high(_ column: Int) -> UInt8 { quantized(range.upperBound, column) }

  /// Rounds a real number as the general store does.
  private func quantized(_ bound: Float, _ column: Int) -> UInt8 {
    let scaled = bound * (1 / result.scale(column))
    let limited = min(max(scaled, -0x1p20), 0x1p20).rounded(.toNearestOrEven)
    return UInt8(clamping: Int(limited) + Int(result.zeroPoint(column)))
  }
}

/// The arrays of columns of a store, readable to a multiple of 64 entries behind any column.
///
/// Arrays that a store's kind does not use are the multipliers again: kernels may read them, and
/// memory that need not be touched makes sessions start faster.
///
/// Sendable because the arrays are written only while the store is made, before it is shared.
private final class StoreColumns: @unchecked Sendable {
  let multiplier: UnsafeMutablePointer<Float>
  let inverse: UnsafeMutablePointer<Float>
  let zero: UnsafeMutablePointer<Int32>
  let low: UnsafeMutablePointer<UInt8>
  let high: UnsafeMutablePointer<UInt8>
  let residualScale: UnsafeMutablePointer<Float>
  let residualZero: UnsafeMutablePointer<Int32>
  let ratio: UnsafeMutablePointer<Int16>
  let level: UnsafeMutablePointer<Int16>
  let residualRatio: UnsafeMutablePointer<Int16>
  let reach: UnsafeMutablePointer<UInt16>
  let lift: UnsafeMutablePointer<UInt16>
  let near: UnsafeMutablePointer<UInt16>
  let curve: UnsafeMutablePointer<apus_curve>
  private let memory: UnsafeMutableRawPointer

  init(count: Int, kind: apus_store_kind) {
    let padded = (count + 63) / 64 * 64 + 64
    let isRamp = kind == APUS_STORE_RAMP
    let isCurve = isRamp || kind == APUS_STORE_CURVE
    let isGeneral = kind == APUS_STORE_GENERAL
    let curveByteCount = isCurve ? MemoryLayout<apus_curve>.size : 0
    let entryByteCount = isRamp ? 16 : isCurve ? 10 : isGeneral ? 20 : 10
    let byteCount = curveByteCount + padded * entryByteCount
    let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    self.memory = memory
    var next = memory + curveByteCount
    let multipliers = next
    func array<Entry>(_ isUsed: Bool, of type: Entry.Type) -> UnsafeMutablePointer<Entry> {
      guard isUsed else { return multipliers.assumingMemoryBound(to: type) }
      defer { next += padded * MemoryLayout<Entry>.stride }
      return next.assumingMemoryBound(to: type)
    }
    curve = memory.assumingMemoryBound(to: apus_curve.self)
    multiplier = array(true, of: Float.self)
    inverse = array(isGeneral, of: Float.self)
    zero = array(!isCurve, of: Int32.self)
    residualScale = array(isGeneral, of: Float.self)
    residualZero = array(isGeneral, of: Int32.self)
    low = array(kind == APUS_STORE_DIRECT, of: UInt8.self)
    high = array(kind == APUS_STORE_DIRECT, of: UInt8.self)
    ratio = array(isCurve, of: Int16.self)
    level = array(isCurve, of: Int16.self)
    residualRatio = array(isCurve, of: Int16.self)
    reach = array(isRamp, of: UInt16.self)
    lift = array(isRamp, of: UInt16.self)
    near = array(isRamp, of: UInt16.self)
  }

  func write(_ columns: CurveColumns, _ count: Int) {
    // Arrays of one entry for all, of none, or of one for each.
    func copy<Entry>(_ entries: [Entry], to target: UnsafeMutablePointer<Entry>) {
      if entries.count == 1 {
        target.update(repeating: entries[0], count: count)
      } else {
        target.update(from: entries, count: min(entries.count, count))
      }
    }
    copy(columns.multiplier, to: multiplier)
    copy(columns.ratio, to: ratio)
    copy(columns.level, to: level)
    copy(columns.residualRatio, to: residualRatio)
    let isUniform = columns.ramps.count == 1
    for n in 0..<(columns.ramps.isEmpty ? 0 : count) {
      let ramp = columns.ramps[isUniform ? 0 : n]
      (reach[n], lift[n], near[n]) = (ramp.reach, ramp.lift, ramp.near)
    }
    let words = UnsafeMutableRawPointer(curve).assumingMemoryBound(to: Int16.self)
    let bytes = (UnsafeMutableRawPointer(curve) + 3 * 128).assumingMemoryBound(to: UInt8.self)
    for (index, table) in [columns.curve.value, columns.curve.slope, columns.curve.bends]
      .enumerated()
    {
      for (i, entry) in table.enumerated() {
        words[64 * index + i] = entry
        bytes[128 * index + i] = UInt8(truncatingIfNeeded: entry)
        bytes[128 * index + 64 + i] = UInt8(truncatingIfNeeded: entry >> 8)
      }
    }
  }

  deinit { memory.deallocate() }
}

extension UnsafeMutablePointer {
  /// Sets the first elements, each by its place.
  @inline(__always)
  fileprivate func fill(_ count: Int, _ element: (Int) -> Pointee) {
    for n in 0..<count { self[n] = element(n) }
  }
}

/// Checks that instructions of the 8-bit product families share.
extension Preparation {
  /// The quantisation of a uint8 operand, per tensor or per position of its last axis.
  func quantization(
    _ instruction: any Instruction, _ name: String, _ operand: Operand, perChannel: Bool
  ) throws(InstructionError) -> Quantization {
    let spec = self[operand]
    try require(spec.type == .uint8, instruction, "\(name) is \(spec.type), must be uint8")
    guard let quantization = spec.quantization else {
      throw InstructionError(type(of: instruction).opcode, "\(name) lacks its quantisation")
    }
    try require(
      quantization.fits(.uint8, count: spec.rowLength)
        && (perChannel || quantization.scales.count == 1),
      instruction, "\(name) has \(quantization) for \(spec.rowLength) channels")
    return quantization
  }

  /// The scales of int8 weights, one or one per column; their zero points must be 0.
  func weightScales(
    _ instruction: any Instruction, _ weights: Operand, columns: Int
  ) throws(InstructionError) -> Quantization {
    let spec = self[weights]
    try require(spec.type == .int8, instruction, "weights are \(spec.type), must be int8")
    guard let quantization = spec.quantization else {
      throw InstructionError(type(of: instruction).opcode, "weights lack their quantisation")
    }
    try require(
      quantization.fits(.int8, count: columns) && quantization.zeroPoints.allSatisfy { $0 == 0 },
      instruction, "weights have \(quantization) for \(columns) columns")
    return quantization
  }

  /// Offsets, residual and y must be what an 8-bit product can store.
  ///
  /// - Parameter offsetCount: the entries of `offsets`; nil where they must be absent
  func checkQuantizedStore(
    _ instruction: any Instruction, offsets: Operand, offsetCount: Int?, residual: Operand,
    y: Operand, columns: Int, activation: Activation, perChannel: Bool = true
  ) throws(InstructionError) {
    let output = self[y]
    try checkStored(instruction, "y", y, perChannel: perChannel)
    try require(
      activation.function.isVector, instruction,
      "\(activation.function) cannot be applied in a store")
    if let offsetCount {
      let spec = self[offsets]
      try require(
        spec.type == .int32 && spec.isDense && spec.shape == [offsetCount], instruction,
        "offsets are \(spec.type) \(spec.shape), must be int32 \(offsetCount)")
    } else {
      try require(!offsets.isPresent, instruction, "offsets are made at run time")
    }
    if residual.isPresent {
      let spec = self[residual]
      try checkStored(instruction, "residual", residual, perChannel: perChannel)
      try require(
        spec.shape == output.shape, instruction,
        "residual is \(spec.shape), must be like y, \(output.shape)")
    }
  }

  private func checkStored(
    _ instruction: any Instruction, _ name: String, _ operand: Operand, perChannel: Bool
  ) throws(InstructionError) {
    let spec = self[operand]
    if spec.type != .float32 {
      _ = try quantization(instruction, name, operand, perChannel: perChannel)
    }
    try require(
      spec.rowStride >= spec.rowLength, instruction,
      "rows of \(name) overlap: stride \(spec.rowStride) for \(spec.rowLength) elements")
  }
}
