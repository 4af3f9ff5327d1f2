internal import CKernels
import Kernels
import Tensors

/// An instruction that stores by a `QuantizedStore`.
protocol QuantizedProduct: Instruction {
  var offsets: Operand { get }
  var residual: Operand { get }
  var y: Operand { get }
  var activation: Activation { get }
  var residualAfterActivation: Bool { get }
  /// What the compiler found when it searched a curve for the function (`CurveEntries`); absent:
  /// `prepare` searches, which takes longer than all else that it does.
  var curve: Operand { get set }
  /// Valid after `prepare`.
  var store: QuantizedStore? { get }
}

extension QuantizedProduct {
  /// The store, or that of an earlier preparation. The operands must have passed
  /// `Preparation.checkQuantizedStore`.
  func makeStore(
    _ factors: QuantizedStore.Factors, columns: Int, _ preparation: borrowing Preparation
  ) throws(InstructionError) -> QuantizedStore {
    if let known = preparation.kept(store) { return known }
    let scales = factors.scales(columns)
    let unit = Quantization(scale: 1, zeroPoint: 0)
    let output = preparation[y].quantization
    let result = output ?? unit
    let added = residual.isPresent ? preparation[residual].quantization : nil
    func make(
      _ columns: StoreColumns, searched: CurveEntries.Found? = nil
    ) -> QuantizedStore {
      QuantizedStore(
        self, columns: columns, searched: searched, output: preparation[y],
        added: preparation[residual.isPresent ? residual : y])
    }
    if output != nil && !residual.isPresent,
      let direct = StoreColumns(direct: scales, result: result, activation: activation)
    {
      return make(direct)
    }
    var found: CurveEntries.Found?
    if output != nil && (!residual.isPresent || added != nil && residualAfterActivation) {
      found =
        keptCurve(columns, preparation)
        ?? CurveColumns.best(
          activation, scales: scales, result: result, added: added, isas: preparation.isas
        ).map { .entries($0.entries) } ?? .nothing
      if case .entries(let entries) = found {
        let multipliers = entries.multipliers(scales, result)
        try preparation.require(
          entries.areSound(multipliers), self, "its curve lets sums become too large")
        return make(StoreColumns(entries, multipliers: multipliers), searched: found)
      }
    }
    return make(
      StoreColumns(
        general: scales, result: result, hasResidual: residual.isPresent, residual: added ?? unit),
      searched: found)
  }

  /// What the compiler found; nil where it did not search, or as another release writes it.
  private func keptCurve(
    _ columns: Int, _ preparation: borrowing Preparation
  ) -> CurveEntries.Found? {
    guard curve.isPresent, let contents = preparation.contents(of: curve) else { return nil }
    return CurveEntries.read(contents, columns: columns, hasResidual: residual.isPresent)
  }
}

extension Program {
  /// Searches the curves of all 8-bit products; returns the constants that keep them.
  package mutating func searchCurves() -> [Operand: TensorBuffer] {
    var constants: [Operand: TensorBuffer] = [:]
    for index in instructions.indices {
      guard var product = instructions[index] as? any QuantizedProduct else { continue }
      var prepared = product
      var preparation = Preparation(tensors: tensors, isas: ISA.portable.included, parts: 1)
      // What cannot be prepared is refused when it is to run.
      guard (try? prepared.prepare(&preparation)) != nil,
        let searched = prepared.store?.searched
      else { continue }
      let contents = CurveEntries.contents(searched)
      product.curve = Operand(tensors.count)
      instructions[index] = product
      constants[product.curve] = contents
      tensors.append(
        TensorSpec(
          name: "\(origins[index]).curve", type: contents.type, shape: contents.shape,
          storage: .constant(offset: 0)))
    }
    return constants
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
  /// Elements from one row of y and of the residual to the next.
  let yRowStride: Int
  let residualRowStride: Int
  private let isYReal: Bool
  private let isResidualReal: Bool
  private let columns: StoreColumns
  /// What was found for the function; nil where no curve was asked for.
  let searched: CurveEntries.Found?

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

  /// - Parameters:
  ///   - output: y's tensor
  ///   - added: the residual's; without one, y's
  fileprivate init(
    _ product: some QuantizedProduct, columns: StoreColumns, searched: CurveEntries.Found?,
    output: TensorSpec, added: TensorSpec
  ) {
    offsets = product.offsets
    residual = product.residual
    y = product.y
    activation = product.activation
    residualLast = product.residualAfterActivation
    self.columns = columns
    self.searched = searched
    yRowStride = output.rowStride
    residualRowStride = added.rowStride
    isYReal = output.type == .float32
    isResidualReal = added.type == .float32
  }

  /// A store that lacks its pointers.
  func makeStore() -> apus_quantized_store {
    var store = apus_quantized_store()
    store.kind = columns.kind.rawValue
    store.curve = UnsafePointer(columns.curve)
    store.fraction = columns.fraction
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
