import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct HannWindowTests {
  @Test func `is zero at the ends and one in the middle`() throws {
    let size = OperatorRunner.Input.constant(TensorBuffer([4]).reshaped([]))
    let periodic = try OperatorRunner(HannWindow.self)(size).contents
    let symmetric = try OperatorRunner(HannWindow.self, ["periodic": .int(0)])(size).contents
    for (window, wanted) in [(periodic, [0, 0.5, 1, 0.5]), (symmetric, [0, 0.75, 0.75, 0])] {
      #expect(window.count == wanted.count)
      for (x, y) in zip(window, wanted) { #expect(abs(Double(x) - y) < 1e-6) }
    }
  }

  @Test func `refuses sizes that make no sense`() {
    for wrong in [TensorBuffer([-1]), TensorBuffer([1 << 40]), TensorBuffer([1, 2])] {
      #expect(throws: GraphError.self) {
        try OperatorRunner(HannWindow.self)(.constant(wrong))
      }
    }
  }
}
