import CLinux
import Glibc
import Instructions
import Kernels
import Tensors

/// Runs one instruction over tensors with guarded memory.
///
/// Every tensor has 64 readable bytes behind it, as in a session's arena. Those, the gaps between
/// strided rows and the guards before and behind hold a pattern (a NaN), which must neither get
/// into results nor be written.
final class Rig {
  private(set) var specs: [TensorSpec] = []
  private var memory: [UnsafeMutableRawPointer] = []
  private var constants: ConstantStore?
  private static let guardByteCount = 128
  private static let pattern: UInt8 = 0xFF

  deinit { for block in memory { free(block) } }

  /// Adds a tensor; without values its elements hold the pattern.
  func tensor(
    _ type: ElementType = .float32, _ shape: Shape, rowStride: Int? = nil, _ values: [Float]? = nil
  ) -> Operand {
    let spec = TensorSpec(
      name: "t\(specs.count)", type: type, shape: shape, rowStride: rowStride)
    let total = (spec.byteCount + 63) / 64 * 64 + 2 * Rig.guardByteCount
    let block = aligned_alloc(64, total)!
    memset(block, Int32(Rig.pattern), total)
    specs.append(spec)
    memory.append(block)
    let operand = Operand(specs.count - 1)
    if let values { fill(operand, values) }
    return operand
  }

  /// Adds a tensor of any type, which may have a quantisation; without elements it holds the
  /// pattern.
  func tensor<T: BitwiseCopyable>(
    _ type: ElementType, _ shape: Shape, rowStride: Int? = nil, quantization: Quantization? = nil,
    elements: [T]?
  ) -> Operand {
    let operand = tensor(type, shape, rowStride: rowStride)
    specs[Int(operand.index)].quantization = quantization
    guard let elements else { return operand }
    let spec = specs[Int(operand.index)]
    precondition(
      elements.count == shape.elementCount && MemoryLayout<T>.size == type.byteCount,
      "elements that do not fill the tensor")
    for (index, element) in elements.enumerated() {
      start(operand).storeBytes(
        of: element, toByteOffset: type.byteCount * offset(spec, index), as: T.self)
    }
    return operand
  }

  /// The elements of a tensor, bit by bit.
  func elements<T: BitwiseCopyable>(_ operand: Operand, as _: T.Type) -> [T] {
    let spec = specs[Int(operand.index)]
    precondition(MemoryLayout<T>.size == spec.type.byteCount, "elements of another size")
    return (0..<spec.shape.elementCount).map {
      start(operand).loadUnaligned(
        fromByteOffset: spec.type.byteCount * offset(spec, $0), as: T.self)
    }
  }

  /// Adds a constant.
  func constant(_ buffer: TensorBuffer) -> Operand {
    let operand = tensor(buffer.type, buffer.shape)
    buffer.withBytes { bytes in
      guard let first = bytes.baseAddress, bytes.count > 0 else { return }
      start(operand).copyMemory(from: first, byteCount: bytes.count)
    }
    return operand
  }

  /// Lets `prepare` see the contents of one constant, as it does those of a model; `.none`: of no
  /// constant.
  func reveal(_ operand: Operand) {
    constants = nil
    guard operand.isPresent else { return }
    specs[Int(operand.index)].storage = .constant(offset: 0)
    constants = ConstantStore(
      base: UnsafeRawPointer(start(operand)), byteCount: specs[Int(operand.index)].byteCount)
  }

  func preparation(isas: Set<ISA>, parts: Int) -> Preparation {
    Preparation(tensors: specs, isas: isas, parts: parts, constants: constants)
  }

  /// States the order in which a tensor's elements lie.
  func setLayout(_ layout: Layout, of operand: Operand) {
    specs[Int(operand.index)].layout = layout
  }

  private func start(_ operand: Operand) -> UnsafeMutableRawPointer {
    memory[Int(operand.index)] + Rig.guardByteCount
  }

  private func offset(_ spec: TensorSpec, _ index: Int) -> Int {
    index / max(1, spec.rowLength) * spec.rowStride + index % max(1, spec.rowLength)
  }

  private func fill(_ operand: Operand, _ values: [Float]) {
    let spec = specs[Int(operand.index)]
    precondition(values.count == spec.shape.elementCount)
    for (index, value) in values.enumerated() {
      let place = offset(spec, index)
      if spec.type == .bfloat16 {
        start(operand).storeBytes(of: BFloat16(value), toByteOffset: 2 * place, as: BFloat16.self)
      } else {
        start(operand).storeBytes(of: value, toByteOffset: 4 * place, as: Float.self)
      }
    }
  }

  func values(_ operand: Operand) -> [Float] {
    let spec = specs[Int(operand.index)]
    return (0..<spec.shape.elementCount).map { index in
      let place = offset(spec, index)
      return spec.type == .bfloat16
        ? Float(start(operand).load(fromByteOffset: 2 * place, as: BFloat16.self))
        : start(operand).load(fromByteOffset: 4 * place, as: Float.self)
    }
  }

  /// The elements of a dense int64 tensor.
  func integers(_ operand: Operand) -> [Int64] {
    let count = specs[Int(operand.index)].shape.elementCount
    return (0..<count).map { start(operand).load(fromByteOffset: 8 * $0, as: Int64.self) }
  }

  /// Whether nothing but the tensor's elements was written.
  func isIntact(_ operand: Operand) -> Bool {
    let spec = specs[Int(operand.index)]
    let size = spec.type.byteCount
    var inside = [Bool](
      repeating: false, count: (spec.byteCount + 63) / 64 * 64 + 2 * Rig.guardByteCount)
    for index in 0..<spec.shape.elementCount {
      let first = Rig.guardByteCount + offset(spec, index) * size
      for byte in first..<first + size { inside[byte] = true }
    }
    let block = memory[Int(operand.index)]
    return inside.indices.allSatisfy { byte in
      inside[byte] || block.load(fromByteOffset: byte, as: UInt8.self) == Rig.pattern
    }
  }

  /// Prepares and runs the instruction on `parts` threads. The scratch memory holds the pattern.
  func run(
    _ instruction: any Instruction, isas: Set<ISA> = ISA.host, parts: Int = 1
  ) throws(InstructionError) {
    var instruction = instruction
    var preparation = preparation(isas: isas, parts: parts)
    try instruction.prepare(&preparation)
    let scratchByteCount = (preparation.scratchByteCount + 63) / 64 * 64
    let scratch = aligned_alloc(64, scratchByteCount + 64)!
    defer { free(scratch) }
    memset(scratch, Int32(Rig.pattern), scratchByteCount + 64)
    let barrier = UnsafeMutablePointer<cl_barrier>.allocate(capacity: 1)
    defer { barrier.deallocate() }
    cl_barrier_init(barrier, UInt32(parts))
    let pointers: [UnsafeMutableRawPointer?] = specs.indices.map { start(Operand($0)) }
    var fault: UInt32 = 0
    pointers.withUnsafeBufferPointer { tensors in
      withUnsafeMutablePointer(to: &fault) { fault in
        let threads = (0..<parts).map { part in
          Part(
            instruction: instruction, tensors: tensors.baseAddress!, scratch: scratch, part: part,
            parts: parts, barrier: OpaquePointer(barrier), fault: fault)
        }
        Part.run(threads)
      }
    }
    for byte in 0..<64 {
      let value = scratch.load(fromByteOffset: scratchByteCount + byte, as: UInt8.self)
      precondition(value == Rig.pattern, "\(instruction) wrote behind its scratch memory")
    }
  }
}

/// One thread's share of a run.
private final class Part {
  let instruction: any Instruction
  let tensors: UnsafePointer<UnsafeMutableRawPointer?>
  let scratch: UnsafeMutableRawPointer
  let part: Int
  let parts: Int
  let barrier: OpaquePointer
  let fault: UnsafeMutablePointer<UInt32>

  init(
    instruction: any Instruction, tensors: UnsafePointer<UnsafeMutableRawPointer?>,
    scratch: UnsafeMutableRawPointer, part: Int, parts: Int, barrier: OpaquePointer,
    fault: UnsafeMutablePointer<UInt32>
  ) {
    self.instruction = instruction
    self.tensors = tensors
    self.scratch = scratch
    self.part = part
    self.parts = parts
    self.barrier = barrier
    self.fault = fault
  }

  private func execute() {
    instruction.execute(
      ExecutionContext(
        tensors: tensors, scratch: scratch, part: part, parts: parts, barrier: barrier,
        fault: fault))
  }

  static func run(_ parts: [Part]) {
    var threads: [pthread_t] = []
    for part in parts.dropFirst() {
      var thread = pthread_t()
      let argument = Unmanaged.passRetained(part).toOpaque()
      let status = pthread_create(&thread, nil, { argument in
        Unmanaged<Part>.fromOpaque(argument!).takeRetainedValue().execute()
        return nil
      }, argument)
      precondition(status == 0, "no thread")
      threads.append(thread)
    }
    parts[0].execute()
    for thread in threads { pthread_join(thread, nil) }
  }
}

/// Reproducible random numbers (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
  }

  mutating func floats(_ count: Int) -> [Float] {
    (0..<count).map { _ in Float.random(in: -1...1, using: &self) }
  }
}

/// The instruction sets whose kernels a test can compare: each with what it contains.
let coveredISAs: [ISA] = [.portable, .avx2, .avx512, .avx512bf16].filter(\.isAvailable)

/// The instruction sets with 8-bit kernels of their own that this machine can execute.
let quantizedISAs: [ISA] = [.portable, .avx2, .avxvnni, .avx512, .avx512vnni].filter(\.isAvailable)

/// Values as they are after being stored as `type`.
func stored(_ values: [Float], as type: ElementType) -> [Float] {
  type == .bfloat16 ? values.map { Float(BFloat16($0)) } : values
}
