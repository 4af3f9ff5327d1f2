import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct EinsumTests {
  /// The definition: loops over all letters.
  static func reference(
    _ operands: [String], _ output: String, _ tensors: [TensorBuffer]
  ) -> TensorBuffer {
    var extents: [Character: Int] = [:]
    for (letters, tensor) in zip(operands, tensors) {
      for (letter, extent) in zip(letters, tensor.shape.dimensions) { extents[letter] = extent }
    }
    let summed = extents.keys.filter { !output.contains($0) }.sorted()
    let terms = TensorBuffer.indices(Shape(summed.map { extents[$0] ?? 1 }))
    return TensorBuffer.computed(Shape(output.map { extents[$0] ?? 1 })) { index in
      var sum: Float = 0
      for term in terms {
        let known = Dictionary(
          uniqueKeysWithValues: zip(output, index).map { $0 } + zip(summed, term).map { $0 })
        sum += zip(operands, tensors).reduce(1) { product, pair in
          product * pair.1.value(pair.0.map { known[$0] ?? 0 })
        }
      }
      return sum
    }
  }

  @Test(arguments: [
    ("bik,bkj->bij", [[2, 3, 4], [2, 4, 5]]), ("bqhd,bkhd->bhqk", [[2, 3, 2, 4], [2, 5, 2, 4]]),
    ("ij->ji", [[3, 4]]), ("ij,j->i", [[3, 4], [4]]), ("ij->", [[3, 4]]), ("ii->i", [[4, 4]]),
    ("ii", [[4, 4]]), ("i,j->ij", [[3], [4]]), ("ij,ij->ij", [[3, 4], [3, 4]]),
    ("ij,jk,kl->il", [[2, 3], [3, 4], [4, 2]]), ("nchw,cd->ndhw", [[1, 3, 2, 2], [3, 5]]),
    ("abc,cd->dab", [[2, 3, 4], [4, 5]]), ("ij,kj->i", [[3, 4], [2, 4]]),
    ("bij,bij->b", [[2, 3, 4], [2, 3, 4]]),
  ])
  func `is the sum that the equation says`(_ equation: String, _ shapes: [[Int]]) throws {
    let sides = equation.split(separator: "-", omittingEmptySubsequences: false)
    let operands = sides[0].split(separator: ",").map(String.init)
    let output = sides.count > 1 ? String(sides[1].dropFirst()) : ""
    let tensors = shapes.enumerated().map { TensorBuffer.random(Shape($1), seed: UInt64($0 + 1)) }
    let expected = Self.reference(operands, output, tensors)
    for isConstant in [false, true] {
      let given = tensors.enumerated().map { index, tensor in
        isConstant && index == 1 ? OperatorRunner.Input.constant(tensor) : .runtime(tensor)
      }
      let y = try OperatorRunner(Einsum.self, ["equation": .string(equation)]).run(given).outputs[0]
      #expect(y.shape == expected.shape)
      #expect(y.difference(to: expected) < 1e-5)
    }
  }

  @Test func `broadcasts what the dots stand for`() throws {
    let a = TensorBuffer.random([2, 1, 3, 4], seed: 1)
    let b = TensorBuffer.random([5, 4, 2], seed: 2)
    let y = try OperatorRunner(Einsum.self, ["equation": .string("...ij, ...jk -> ...ik")])(
      .runtime(a), .runtime(b))
    let expected = TensorBuffer.computed([2, 5, 3, 2]) { i in
      (0..<4).reduce(0) { $0 + a.value([i[0], 0, i[2], $1]) * b.value([i[1], $1, i[3]]) }
    }
    #expect(y.shape == expected.shape)
    #expect(y.difference(to: expected) < 1e-5)
  }

  @Test func `attention is a matrix product`() throws {
    let x = OperatorRunner.Input.runtime(.counting([2, 3, 2, 4]))
    let outcome = try OperatorRunner(Einsum.self, ["equation": .string("bqhd,bkhd->bhqk")])
      .outcome(x, x)
    #expect(outcome.opcodes.contains("matrix_multiply"))
    #expect(!outcome.opcodes.contains("sum_products"))
  }

  @Test(arguments: [
    "ij,jk->ijj", "i.j->i", "ij->k", "ij,jk-ik", "i,j->ij", "ijk,jk->i", "1j,jk->k",
  ])
  func `refuses equations that make no sense`(_ equation: String) {
    #expect(throws: (any Error).self) {
      try OperatorRunner(Einsum.self, ["equation": .string(equation)])(
        .runtime(.counting([2, 3])), .runtime(.counting([3, 4])))
    }
  }
}
