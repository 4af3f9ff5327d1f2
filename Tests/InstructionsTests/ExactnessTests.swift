import Kernels
import Tensors
import Testing

@testable import Instructions

/// In programs with quantised tensors every instruction gives the same bits on every ISA and for
/// any number of threads.
@Suite struct ExactnessTests {
  /// An instruction over tensors of a rig, and what it writes.
  typealias Made = (instruction: any Instruction, outputs: [Operand])

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let make: @Sendable (Rig, inout SeededGenerator) -> Made
    var testDescription: String { name }

    init(_ name: String, _ make: @escaping @Sendable (Rig, inout SeededGenerator) -> Made) {
      self.name = name
      self.make = make
    }
  }

  /// The bits of the case's results, byte by byte as they lie; NaNs of floats alike.
  private func bits(_ example: Case, _ isa: ISA, parts: Int) throws -> [[UInt64]] {
    let rig = Rig()
    var generator = SeededGenerator(seed: 77)
    // A tensor that nobody uses makes the program one with quantised tensors.
    _ = rig.tensor(
      .uint8, [1], quantization: Quantization(scale: 1, zeroPoint: 0), elements: [UInt8(0)])
    let (instruction, outputs) = example.make(rig, &generator)
    try rig.run(instruction, isas: isa.included, parts: parts)
    return outputs.map { output in
      #expect(rig.isIntact(output), "\(example.name) \(isa) wrote elsewhere")
      switch rig.specs[Int(output.index)].type {
      case .float32:
        return rig.values(output).map { $0.isNaN ? UInt64.max : UInt64($0.bitPattern) }
      case .uint8, .int8, .bool: return rig.elements(output, as: UInt8.self).map { UInt64($0) }
      case .int64: return rig.elements(output, as: UInt64.self)
      default: return rig.elements(output, as: UInt32.self).map { UInt64($0) }
      }
    }
  }

  @Test(arguments: cases)
  func `gives the same bits on every ISA and any number of threads`(_ example: Case) throws {
    let wanted = try bits(example, .portable, parts: 1)
    #expect(!wanted.isEmpty && wanted.allSatisfy { !$0.isEmpty }, "nothing is compared")
    #expect(wanted.contains { Set($0).count > 1 }, "the results are all alike")
    for isa in quantizedISAs {
      for parts in 1...3 {
        #expect(try bits(example, isa, parts: parts) == wanted, "\(isa) in \(parts) parts")
      }
    }
  }

  /// What computes nothing in float32; and 8-bit instructions, whose own tests compare every bit.
  private static let elsewhere: Set<String> = [
    "copy", "copy_bytes", "copy_rows", "fill", "fill_range", "find_non_zero", "gather_along_axis",
    "gather_slices", "gather_tuples", "hardmax", "keep_triangle", "one_hot_encode", "pad_axes",
    "predicate", "reverse_runs", "scatter_tuples", "select", "top_k", "look_up",
  ]

  /// One plain execution for every ISA, each result by itself: nothing could make the bits differ.
  private static let plain: Set<String> = [
    "align_regions", "cast_small", "count_grams", "cumulative_product", "dequantize_blocks",
    "determinant", "fourier_transform", "pick_loss", "pool_regions", "quantize_blocks",
    "random_numbers", "sample_classes", "write_at_positions",
  ]

  @Test func `knows every instruction`() {
    print("exactness covered on:", quantizedISAs.map(\.description))
    var tried = Set<String>()
    for example in ExactnessTests.cases {
      var generator = SeededGenerator(seed: 1)
      tried.insert(type(of: example.make(Rig(), &generator).instruction).opcode)
    }
    let all = Set(InstructionCatalog.all.map { $0.opcode }.filter { !$0.hasSuffix("int8") })
    #expect(
      all.subtracting(tried).subtracting(ExactnessTests.elsewhere)
        .subtracting(ExactnessTests.plain).isEmpty,
      "compare the bits of these, or say where it is done")
    #expect(tried.isDisjoint(with: ExactnessTests.elsewhere.union(ExactnessTests.plain)))
  }

  @Test func `fused kernels would give other bits`() throws {
    // The same product in a program without quantised tensors: what the cases compare is not
    // equal by itself.
    func product(_ isas: Set<ISA>) throws -> [Float] {
      let rig = Rig()
      var generator = SeededGenerator(seed: 3)
      let (instruction, outputs) = ExactnessTests.matrixProduct(rig, &generator, depth: 300)
      try rig.run(instruction, isas: isas)
      return rig.values(outputs[0])
    }
    guard ISA.avx2.isAvailable else { return }
    #expect(try product(ISA.avx2.included) != product(ISA.portable.included))
  }
}
