import Kernels
import Tensors
import Testing

@testable import Instructions

/// Combinations of fields and tensors that `prepare` must refuse.
@Suite struct ArithmeticRefusalTests {
  private func refuses(
    _ types: [(ElementType, Shape)], _ make: ([Operand]) -> any Instruction,
    _ location: SourceLocation = #_sourceLocation
  ) {
    let rig = Rig()
    let operands = types.map { rig.tensor($0.0, $0.1) }
    #expect(throws: InstructionError.self, sourceLocation: location) {
      try rig.run(make(operands))
    }
  }

  @Test func `shapes that do not broadcast`() {
    refuses([(.float32, [3]), (.float32, [4]), (.float32, [4])]) {
      Binary(.add, $0[0], $0[1], to: $0[2])
    }
    refuses([(.float32, [3]), (.float32, [1]), (.float32, [5])]) {
      Binary(.add, $0[0], $0[1], to: $0[2])
    }
    refuses([(.float32, [1]), (.float32, [1]), (.float32, [5])]) {
      Binary(.add, $0[0], $0[1], to: $0[2])
    }
    refuses([(.float32, [2, 3]), (.float32, [3])]) { Unary($0[0], to: $0[1], .relu) }
    refuses([(.bool, [2]), (.float32, [3]), (.float32, [3]), (.float32, [3])]) {
      Select($0[0], $0[1], $0[2], to: $0[3])
    }
    refuses([(.float32, [2, 3]), (.int32, [3, 2])]) { Cast($0[0], to: $0[1]) }
  }

  @Test func `types that do not fit`() {
    refuses([(.int32, [3]), (.float32, [3]), (.int32, [3])]) {
      Binary(.add, $0[0], $0[1], to: $0[2])
    }
    refuses([(.float32, [3]), (.float32, [3]), (.float32, [3])]) {
      Binary(.equal, $0[0], $0[1], to: $0[2])
    }
    refuses([(.float32, [3]), (.float32, [3]), (.float32, [3])]) {
      Binary(.and, $0[0], $0[1], to: $0[2])
    }
    refuses([(.int32, [3]), (.int32, [3])]) { Unary($0[0], to: $0[1], Activation(.exp)) }
    refuses([(.string, [3]), (.string, [3])]) { Unary($0[0], to: $0[1], .none) }
    refuses([(.int4, [4]), (.int8, [4])]) { Cast($0[0], to: $0[1]) }
    refuses([(.float32, [3]), (.float32, [1])]) {
      ArgReduce($0[0], axis: 0, findsLeast: false, selectsLast: false, to: $0[1])
    }
    refuses([(.int32, [3]), (.int32, [3])]) { Softmax($0[0], axis: 0, to: $0[1]) }
  }

  @Test func `axes that do not exist`() {
    refuses([(.float32, [3]), (.float32, [])]) { Reduce(.sum, $0[0], axes: [1], to: $0[1]) }
    refuses([(.float32, [3, 3]), (.float32, [])]) { Reduce(.sum, $0[0], axes: [1, 0], to: $0[1]) }
    refuses([(.float32, [3]), (.float32, [])]) { Reduce(.sum, $0[0], axes: [-1], to: $0[1]) }
    refuses([(.float32, [3]), (.float32, [2])]) { Reduce(.sum, $0[0], axes: [0], to: $0[1]) }
    refuses([(.float32, [3]), (.float32, [3])]) { Softmax($0[0], axis: 1, to: $0[1]) }
    refuses([(.float32, [3]), (.float32, [3])]) { Softmax($0[0], axis: -1, to: $0[1]) }
    refuses([(.float32, []), (.float32, [])]) { CumulativeSum($0[0], axis: 0, to: $0[1]) }
    refuses([(.float32, [3]), (.float32, [4]), (.int64, [4])]) {
      TopK($0[0], axis: 0, findsLeast: false, values: $0[1], places: $0[2])
    }
    refuses([(.float32, [0]), (.int64, [1])]) {
      ArgReduce($0[0], axis: 0, findsLeast: false, selectsLast: false, to: $0[1])
    }
  }

  @Test func `windows and parameters that contradict`() {
    func pool(_ kernel: [Int], _ strides: [Int], _ pads: [Int], _ dilations: [Int]) {
      refuses([(.float32, [1, 4, 4, 2]), (.float32, [1, 4, 4, 2])]) {
        Pool(
          .maximum, $0[0], to: $0[1], kernel: kernel, strides: strides, dilations: dilations,
          padsBegin: pads, padsEnd: pads)
      }
    }
    pool([0, 1], [1, 1], [0, 0], [1, 1])
    pool([1, 1], [1, 0], [0, 0], [1, 1])
    pool([1, 1], [1, 1], [-1, 0], [1, 1])
    pool([1, 1], [1, 1], [0, 0], [1, .max])
    pool([1], [1, 1], [0, 0], [1, 1])
    pool([1 << 24, 1 << 24], [1, 1], [0, 0], [1, 1])
    refuses([(.float32, [2, 6]), (.float32, [4]), (.float32, [2, 6])]) {
      Normalize($0[0], axis: 1, scale: $0[1], epsilon: 0, to: $0[2])
    }
    refuses([(.float32, [2, 6]), (.float32, [2, 6])]) { operands in
      var normalize = Normalize(operands[0], axis: 1, epsilon: 0, to: operands[1])
      normalize.run = 4
      return normalize
    }
    refuses([(.float32, [2, 6]), (.float32, [5]), (.float32, [6]), (.float32, [2, 6])]) {
      ScaleShift($0[0], scale: $0[1], bias: $0[2], to: $0[3])
    }
    refuses([(.float32, [2, 6]), (.float32, [2, 6])]) {
      LocalResponseNormalization($0[0], size: 0, alpha: 1, beta: 1, bias: 1, to: $0[1])
    }
  }
}
