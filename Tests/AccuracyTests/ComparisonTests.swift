import Tensors
import Testing
import Texts

@testable import Accuracy

@Suite struct `A comparison` {
  private typealias Named = (name: String, tensor: TensorBuffer)

  private func compare(
    _ target: TensorBuffer, _ reference: TensorBuffer, _ tolerance: Tolerance = .standard
  ) -> TensorComparison {
    TensorComparison("x", target: target, reference: reference, tolerance)
  }

  @Test func `gives each verdict where it belongs`() {
    let reference = TensorBuffer([4], [1, 2, 3, 4])
    #expect(compare(TensorBuffer([4], [1, 2, 3, 4]), reference).verdict == .equal)
    #expect(compare(TensorBuffer([4], [1, 2, 3, 4.003]), reference).verdict == .close)
    #expect(compare(TensorBuffer([4], [1, 2, 3, 4.005]), reference).verdict == .similar)
    let different = compare(TensorBuffer([4], [1, 2, 3, -4]), reference)
    #expect(different.verdict == .different && !different.passes)
    #expect(different.reason?.contains("cosine") == true)
    #expect(different.reason?.contains("euclidean") == true)
  }

  @Test func `asks for every limit that is given, and only those`() {
    let reference = TensorBuffer([2], [1, 1])
    let target = TensorBuffer([2], [2, 2])
    #expect(compare(target, reference, Tolerance(cosine: 0.999)).verdict == .similar)
    #expect(compare(target, reference, Tolerance(cosine: 0.999, sqnr: 20)).verdict == .different)
    #expect(compare(target, reference, Tolerance()).verdict == .different)
    #expect(compare(target, reference, Tolerance(equal: 0)).verdict == .different)
  }

  @Test func `holds zeros of either sign equal`() {
    let zeros = TensorBuffer([2], [0, 0])
    #expect(compare(TensorBuffer([2], [-0.0, 0]), zeros).verdict == .equal)
    #expect(compare(TensorBuffer(zeros: .float32, [0]), TensorBuffer([0], [])).verdict == .equal)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func `fails on a number that is none, and names the first`(value: Float) {
    let bad = TensorBuffer([2, 2], [1, 2, value, value])
    let good = TensorBuffer([2, 2], [1, 2, 3, 4])
    for (target, reference, side) in [
      (bad, good, "target"), (good, bad, "reference"), (bad, bad, "target"),
    ] {
      let result = compare(target, reference, Tolerance(cosine: -1))
      #expect(result.verdict == .failed)
      #expect(result.reason?.contains("the \(side) holds") == true)
      #expect(result.reason?.hasSuffix("element 2 [1, 0]") == true, "\(result.reason ?? "")")
    }
  }

  @Test func `prints both sides of another type or shape`() {
    let reference = TensorBuffer([2, 3], [1, 2, 3, 4, 5, 6])
    let shape = compare(TensorBuffer([6], [1, 2, 3, 4, 5, 6]), reference)
    #expect(shape.reason == "is float32 6, but the reference is float32 2x3")
    let type = compare(TensorBuffer(zeros: .float64, [2, 3]), reference)
    #expect(type.reason == "is float64 2x3, but the reference is float32 2x3")
    #expect(!shape.passes && !type.passes)
  }

  @Test func `counts equal integers`() {
    let reference = TensorBuffer([1, 2, 3, 4])
    let target = TensorBuffer([1, 2, 9, 4])
    let result = compare(target, reference)
    #expect(result.equalShare == 0.75 && result.verdict == .different)
    #expect(result.reason == "1 elements differ, the first at element 2 [2]")
    #expect(compare(target, reference, Tolerance(equal: 0.75)).verdict == .similar)
    #expect(compare(reference, reference).verdict == .equal)
    let flags = TensorBuffer(.bool, [2], [UInt8(1), 0])
    #expect(compare(flags, TensorBuffer(.bool, [2], [UInt8(1), 1])).equalShare == 0.5)
  }

  @Test func `of nothing fails`() throws {
    let x: Named = ("x", TensorBuffer([1], [1]))
    let y: Named = ("y", TensorBuffer([1], [1]))
    let result = try Comparison(target: [x], reference: [y])
    #expect(!result.passes && result.text.contains("Nothing was compared"))
    #expect(result.onlyInTarget == ["x"] && result.onlyInReference == ["y"])
    #expect(try !Comparison(target: [], reference: []).passes)
    #expect(try !Comparison(target: [x], reference: [x], except: ["x"]).passes)
  }

  @Test func `leaves out what it is told to, if that exists`() throws {
    let good: Named = ("good", TensorBuffer([2], [1, 2]))
    let bad: Named = ("bad", TensorBuffer([2], [1, 2]))
    let other: Named = ("bad", TensorBuffer([2], [1, -2]))
    #expect(try !Comparison(target: [good, other], reference: [bad, good]).passes)
    let result = try Comparison(target: [good, other], reference: [bad, good], except: ["bad"])
    #expect(result.passes && result.excepted == ["bad"] && result.onlyInReference.isEmpty)
    let error = #expect(throws: AccuracyError.self) {
      try Comparison(target: [good], reference: [good], except: ["godo"])
    }
    #expect(error?.message == "no tensor is called 'godo'. Did you mean 'good'?")
  }

  @Test func `says which tolerance would pass, and it does`() throws {
    let reference: [Named] = [
      ("a", TensorBuffer([3], [1, 2, 3])), ("b", TensorBuffer([1, 2, 3])),
    ]
    let target: [Named] = [("a", TensorBuffer([3], [1, 2, 1])), ("b", TensorBuffer([1, 2, 4]))]
    let result = try Comparison(target: target, reference: reference)
    #expect(!result.passes)
    let passing = try #require(result.passingTolerance)
    #expect(try Comparison(target: target, reference: reference, tolerance: passing).passes)
    #expect(result.text.contains("--tolerance \(passing)"))
  }

  @Test func `reports as text, JSON and a page`() throws {
    let reference: [Named] = [
      ("<a&b>", TensorBuffer([3], [1, 2, 3])), ("n", TensorBuffer([1, 2])),
      ("nan", TensorBuffer([1], [.nan])),
    ]
    let target: [Named] = [
      ("<a&b>", TensorBuffer([3], [1, 2.1, 3])), ("n", TensorBuffer([1, 2])),
      ("nan", TensorBuffer([1], [1])), ("extra", TensorBuffer([1], [1])),
    ]
    let result = try Comparison(target: target, reference: reference)
    #expect(result.text.contains("2 of 3 tensors pass"))
    var json = JSONWriter()
    result.write(to: &json)
    let node = try JSONNode(parsing: json.text)
    #expect(node["passed"]?.bool == false)
    #expect(node["only_in_target"]?.elements?.first?.string == "extra")
    let tensors = try #require(node["tensors"]?.elements)
    #expect(tensors.compactMap { $0["verdict"]?.string } == ["similar", "equal", "failed"])
    #expect(tensors[0]["max_difference_index"]?.integer == 1)
    #expect(tensors[1]["equal_share"]?.number == 1)
    let page = result.page(title: "a < b")
    #expect(page.contains("&lt;a&amp;b&gt;") && !page.contains("<a&b>"))
    #expect(page.contains("FAILED") && page.contains("<svg"))
  }
}
