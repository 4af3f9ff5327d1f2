import Graphs
import Instructions
import Tensors

/// Selects boxes of high score that do not overlap a better one of their class.
///
/// boxes: [N, B, 4] float, corners y₁, x₁, y₂, x₂ in any order, or with `center_point_box` 1 centre
/// and extents x, y, w, h; scores: [N, C, B] float; max_output_boxes_per_class (0), iou_threshold
/// (0), score_threshold (none): one number each. y: int64 [selected, 3], batch, class and box, in
/// order of batches, classes and falling scores; of equal scores the first box wins. All inputs
/// must be known when the result is planned, because their contents decide its shape. ONNX versions
/// 10 and 11.
package struct NonMaxSuppression: LoweredOperator {
  package static let name = "NonMaxSuppression"
  package static let sinceVersion = 10

  package var hasCenters: Bool

  package init(importing node: NodeReader) throws(ImportError) {
    let number = try node.int("center_point_box", default: 0)
    guard number == 0 || number == 1 else {
      throw node.invalid("center_point_box is \(number), but must be 0 or 1")
    }
    hasCenters = number == 1
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let boxes = try inputs.required(0, "boxes").shape
    let scores = try inputs.required(1, "scores").shape
    guard boxes.rank == 3, scores.rank == 3, boxes[2] == 4, boxes[0] == scores[0],
      boxes[1] == scores[2]
    else { throw GraphError("boxes \(boxes) and scores \(scores) do not belong together") }
    return [ValueInfo(type: .int64, shape: [try selected(inputs).count / 3, 3])]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    let found = try selected(lowering.inputInfos).map { Int64($0) }
    try lowering.alias(
      0, to: lowering.constant(TensorBuffer(.int64, [found.count / 3, 3], found)))
  }

  private struct Box {
    var top: Float
    var left: Float
    var bottom: Float
    var right: Float
    var area: Float { (bottom - top) * (right - left) }

    /// The intersection's share of the union; 0 where there is none.
    func overlap(_ other: Box) -> Float {
      let height = min(bottom, other.bottom) - max(top, other.top)
      let width = min(right, other.right) - max(left, other.left)
      guard height > 0, width > 0, area > 0, other.area > 0 else { return 0 }
      let union = area + other.area - height * width
      return union > 0 ? height * width / union : 0
    }
  }

  private func box(_ numbers: ArraySlice<Float>) -> Box {
    let n = Array(numbers)
    if hasCenters {
      let (width, height) = (n[2] / 2, n[3] / 2)
      return Box(
        top: n[1] - height, left: n[0] - width, bottom: n[1] + height, right: n[0] + width)
    }
    return Box(
      top: min(n[0], n[2]), left: min(n[1], n[3]), bottom: max(n[0], n[2]), right: max(n[1], n[3]))
  }

  /// Batch, class and box of everything selected.
  private func selected(_ inputs: [ValueInfo?]) throws(GraphError) -> [Int] {
    let shape = try inputs.required(1, "scores").shape
    let limit = try inputs.scalar(2, "max_output_boxes_per_class") ?? 0
    let overlap = try inputs.constantFloats(3, "iou_threshold")?.first ?? 0
    let threshold = try inputs.constantFloats(4, "score_threshold")?.first
    guard let numbers = try inputs.constantFloats(0, "boxes"),
      let scores = try inputs.constantFloats(1, "scores")
    else { throw GraphError("boxes or scores are missing") }
    let count = shape[2]
    var result: [Int] = []
    for batch in 0..<shape[0] {
      let boxes = (0..<count).map { index in
        let start = (batch * count + index) * 4
        return box(numbers[start..<start + 4])
      }
      for category in 0..<shape[1] {
        let first = (batch * shape[1] + category) * count
        let score = { (index: Int) in scores[first + index] }
        let candidates = (0..<count).filter { index in threshold.map { score(index) > $0 } ?? true }
          .sorted { score($0) > score($1) || score($0) == score($1) && $0 < $1 }
        var kept: [Int] = []
        for index in candidates where kept.count < limit {
          if kept.allSatisfy({ boxes[$0].overlap(boxes[index]) <= overlap }) { kept.append(index) }
        }
        for index in kept { result += [batch, category, index] }
      }
    }
    return result
  }
}
