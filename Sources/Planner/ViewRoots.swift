import Instructions
import Tensors

/// For every tensor the tensor that owns its memory, and where in it the tensor begins.
package struct ViewRoots: Sendable {
  /// The owner of each tensor's memory: itself unless it is a view.
  package private(set) var root: [Int32]
  /// The bytes from the start of the owner to the start of the tensor.
  package private(set) var byteOffset: [Int]

  /// Follows every chain of views.
  ///
  /// - Throws: `PlanningError` for a view of a tensor that does not exist, of itself, or outside
  ///   its owner.
  package init(_ tensors: [TensorSpec]) throws(PlanningError) {
    root = [Int32](repeating: -1, count: tensors.count)
    byteOffset = [Int](repeating: 0, count: tensors.count)
    var chain: [Int] = []
    for index in tensors.indices where root[index] < 0 {
      chain.removeAll(keepingCapacity: true)
      var current = index
      // Walks up to a tensor whose root is known, or that is its own root.
      while root[current] < 0, case .view(let parent, _) = tensors[current].storage {
        guard tensors.indices.contains(Int(parent.index)), chain.count < tensors.count else {
          throw PlanningError("\"\(tensors[index].name)\" is a view of nothing or of itself")
        }
        chain.append(current)
        current = Int(parent.index)
      }
      if root[current] < 0 { root[current] = Int32(current) }
      var parent = current
      for view in chain.reversed() {
        guard case .view(_, let offset) = tensors[view].storage else { continue }
        let (total, overflow) = byteOffset[parent].addingReportingOverflow(offset)
        let owner = tensors[Int(root[parent])]
        guard !overflow, total >= 0, total <= owner.byteCount,
          tensors[view].byteCount <= owner.byteCount - total
        else {
          throw PlanningError(
            "the view \"\(tensors[view].name)\" reaches outside \"\(owner.name)\": "
              + "\(tensors[view].byteCount) bytes at \(total) of \(owner.byteCount)")
        }
        root[view] = root[parent]
        byteOffset[view] = total
        parent = view
      }
    }
  }
}
