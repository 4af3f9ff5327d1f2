import Graphs
import Instructions
import Tensors

/// Counts n-grams of integers in every row, weighted.
///
/// X: int32 or int64 [C] or [B, C]; Y: float32 [columns] or [B, columns], columns = the greatest of
/// `ngram_indexes` + 1. Attributes: `pool_int64s` with the grams of `ngram_counts`,
/// `min_gram_length`, `max_gram_length`, `max_skip_count`, `weights` by gram, `mode`: TF (counts),
/// IDF (weights where there is one), TFIDF (counts times weights). ONNX version 9. Refused:
/// pools of strings.
package struct TfIdfVectorizer: LoweredOperator {
  package static let name = "TfIdfVectorizer"
  package static let sinceVersion = 9

  package var grams = CountGrams()
  package var weights: [Float]?
  package var columnCount: Int

  package init(importing node: NodeReader) throws(ImportError) {
    guard !node.has("pool_strings") else {
      throw node.unsupported(
        "pool_strings: Apus has no tensors of strings; number the words before the model and use "
          + "pool_int64s")
    }
    let pool = try node.ints("pool_int64s") ?? []
    let starts = try node.ints("ngram_counts") ?? []
    let columns = try node.ints("ngram_indexes") ?? []
    grams.minimum = try node.int("min_gram_length", default: 1)
    grams.maximum = try node.int("max_gram_length", default: 1)
    grams.maximumSkip = try node.int("max_skip_count", default: 0)
    let mode = try node.string("mode", default: "TF")
    guard ["TF", "IDF", "TFIDF"].contains(mode) else {
      throw node.invalid("mode is \"\(mode)\"; known are TF, IDF and TFIDF")
    }
    let given = try node.floats("weights")
    weights = mode == "TF" ? nil : given
    grams.isPresence = mode == "IDF"
    columnCount = columns.max().map { $0 &+ 1 } ?? 0
    let ends = starts.dropFirst() + [pool.count]
    let isOrdered = zip(starts, ends).allSatisfy { 0 <= $0 && $0 <= $1 && $1 <= pool.count }
    guard isOrdered, starts.count <= 64, starts.first ?? 0 == 0, 1...(1 << 24) ~= columnCount,
      columns.allSatisfy({ $0 >= 0 }), grams.minimum >= 1, grams.maximum >= grams.minimum,
      0...(1 << 24) ~= grams.maximumSkip, given.map({ $0.count == columns.count }) ?? true
    else {
      throw node.invalid(
        "ngram_counts \(starts), \(columns.count) ngram_indexes, \(pool.count) pool_int64s and "
          + "\(given?.count ?? 0) weights do not belong together")
    }
    grams.pool = pool
    grams.columns = columns
    grams.sizes = zip(starts, ends).enumerated().map { ($1.1 - $1.0) / ($0 + 1) }
    guard grams.sizes.reduce(0, +) <= columns.count else {
      throw node.invalid("\(grams.sizes.reduce(0, +)) grams, but \(columns.count) ngram_indexes")
    }
  }

  package func outputs(for inputs: [ValueInfo?]) throws(GraphError) -> [ValueInfo] {
    let x = try inputs.required(0, "X")
    guard [.int32, .int64].contains(x.type), x.shape.rank <= 2 else {
      throw GraphError(
        "X is \(x.type) \(x.shape), but must be integers of rank 1 or 2: number words before the "
          + "model")
    }
    let shape = x.shape.rank == 2 ? [x.shape[0], columnCount] : [columnCount]
    return [ValueInfo(type: .float32, shape: try Shape(checking: shape))]
  }

  package func lower(into lowering: Lowering) throws(GraphError) {
    var count = grams
    count.input = try lowering.operand(0)
    let y = try lowering.result(0, type: .float32)
    guard let weights else {
      count.output = y
      return lowering.emit(count)
    }
    count.output = lowering.temporary(.float32, lowering[y].shape)
    lowering.emit(count)
    var byColumn = [Float](repeating: 0, count: columnCount)
    for (column, weight) in zip(grams.columns, weights) { byColumn[column] = weight }
    let factors = lowering.constant(TensorBuffer([columnCount], byColumn))
    lowering.emit(Binary(.multiply, count.output, factors, to: y))
  }
}
