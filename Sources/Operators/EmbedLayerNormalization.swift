import Graphs
import Tensors

/// The embeddings of a transformer: y = LayerNormalization(word[ids] + position[i] + segment[s]).
///
/// input_ids: int32 [B, S]; segment_ids: likewise, optional; word_embedding: [V, W];
/// position_embedding: [P, W]; segment_embedding: [2, W], optional; gamma, beta: [W], float; mask:
/// int32 [B, S], optional; position_ids: int32 [B, S] or [1, S], optional. output: [B, S, W];
/// mask_index: int32 [B], the keys of each sequence (0 without a mask); embedding_sum: [B, S, W].
/// Attribute `epsilon` (1e-12). com.microsoft version 1.
package struct EmbedLayerNormalization: ComposedOperator {
  package static let name = "EmbedLayerNormalization"
  package static let domain = "com.microsoft"

  private var epsilon: Float

  package init(importing node: NodeReader) throws(ImportError) {
    epsilon = try node.float("epsilon", default: 1e-12)
    node.ignore("mask_index_type")
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let ids = try inputs.required(0, "input_ids").shape
    let words = try inputs.required(2, "word_embedding")
    let positions = try inputs.required(3, "position_embedding").shape
    guard ids.rank == 2, words.shape.rank == 2, positions.rank == 2,
      positions[1] == words.shape[1], inputs.optional(8) != nil || ids[1] <= positions[0]
    else {
      throw GraphError(
        "input_ids \(ids), word_embedding \(words.shape) and position_embedding \(positions) do "
          + "not fit")
    }
    let y = ValueInfo(type: words.type, shape: [ids[0], ids[1], words.shape[1]])
    return [y, ValueInfo(type: .int32, shape: [ids[0]]), y]
  }

  package func compose(_ composer: inout Composer) throws(GraphError) -> [Graph.ValueID?]? {
    let ids = try composer.input(0)
    let shape = try composer.shape(ids)
    var sum = try composer.add("Gather", [composer.input(2), ids])
    let positions = try composer.input(3)
    let places: Graph.ValueID
    if let given = composer.optional(8) {
      places = try composer.add("Gather", [positions, given])
    } else {
      places = try composer.sliced(positions, axis: 0, 0..<shape[1])
    }
    sum = try composer.add("Add", [sum, places])
    if let segments = composer.optional(1), let table = composer.optional(4) {
      sum = try composer.add("Add", [sum, composer.add("Gather", [table, segments])])
    }
    let y = try composer.add(
      "LayerNormalization", [sum, composer.input(5), composer.input(6)],
      ["epsilon": .float(epsilon)])
    var counts: Graph.ValueID?
    if composer.wants(1) {
      if let mask = composer.optional(7) {
        counts = try composer.add(
          "ReduceSum", [composer.cast(mask, .int32), composer.integers([1])],
          ["keepdims": .int(0)])
      } else {
        counts = composer.constant(
          TensorBuffer(.int32, [shape[0]], [Int32](repeating: 0, count: shape[0])))
      }
    }
    return [y, counts, sum]
  }
}
