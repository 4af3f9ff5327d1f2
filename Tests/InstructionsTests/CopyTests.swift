import Kernels
import Tensors
import Testing

@testable import Instructions

@Suite struct CopyTests {
  private func prepared(
    _ copy: Copy, _ source: TensorSpec, _ target: TensorSpec
  ) throws -> Copy {
    var copy = copy
    copy.input = Operand(0)
    copy.output = Operand(1)
    var preparation = Preparation(tensors: [source, target], isas: ISA.host, parts: 1)
    try copy.prepare(&preparation)
    return copy
  }

  @Test func `refuses to leave its tensors`() {
    let x = TensorSpec(name: "x", type: .float32, shape: [4, 4])
    let wrong: [Copy] = [
      Copy(.none, to: .none, extents: [17], sourceStrides: [1], targetStrides: [0]),
      Copy(.none, to: .none, extents: [4, 5], sourceStrides: [4, 1], targetStrides: [4, 1]),
      Copy(.none, to: .none, extents: [2], sourceStrides: [-1], targetStrides: [1]),
      Copy(.none, to: .none, extents: [2], sourceStrides: [.max], targetStrides: [1]),
      Copy(.none, to: .none, extents: [2], sourceStrides: [1], targetStrides: [1, 1]),
      Copy(.none, to: .none, extents: [-2], sourceStrides: [1], targetStrides: [1]),
      Copy(.none, to: .none, extents: [1], sourceStrides: [1], targetStrides: [1], sourceOffset: 16),
      Copy(.none, to: .none, extents: [1 << 40], sourceStrides: [0], targetStrides: [0]),
      Copy(
        .none, to: .none, extents: [4], sourceStrides: [1], targetStrides: [1], targetOffset: -1),
    ]
    for copy in wrong {
      #expect(throws: InstructionError.self) { try prepared(copy, x, x) }
    }
  }
}
