import Graphs
import Operators
import Tensors

/// Lets the products of attention read and write the heads where they lie, side by side in rows,
/// instead of transposing them:
///
///     MatMul(Transpose(Reshape(q)), Transpose(Reshape(k)))  →  MatMul(q, k), heads h
///     Reshape(Transpose(MatMul(p, v)))                      →  MatMul(p, v), heads h
///
/// with q, k, v [N, T, h · d], reshaped to [N, T, h, d]. Where they come out of one projection,
/// reshaped to [N, T, 3, h, d] and split after a transposition, they are split before it.
struct AttentionHeads: GraphPass {
  static let name = "attention-heads"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    for index in rewriter.nodeIndices where !rewriter.isRemoved(index) {
      switch rewriter[index].op {
      case is Split: splitEarlier(index, &rewriter)
      case is MatMul: readHeads(index, &rewriter)
      default: break
      }
    }
    for index in rewriter.nodeIndices where !rewriter.isRemoved(index) {
      if rewriter[index].op is MatMul { writeHeads(index, &rewriter) }
    }
  }

  // MARK: The operands

  /// Rows with heads side by side, and the order that a product sees.
  private struct Heads {
    var source: Graph.ValueID
    var count: Int
    /// Whether a head's matrix is transposed.
    var isTransposed: Bool
  }

  /// The value behind any transpositions and the reshaping into heads; nil where it is another.
  private func heads(_ id: Graph.ValueID, _ rewriter: Rewriter) -> Heads? {
    var order = [0, 1, 2, 3]
    var value = id
    while let maker = rewriter.producer(of: value, named: "Transpose"),
      let own = (rewriter[maker].op as? Transpose)?.order, own.count == 4,
      let input = rewriter[maker].inputs[0]
    {
      order = order.map { own[$0] }
      value = input
    }
    guard order == [0, 2, 1, 3] || order == [0, 2, 3, 1],
      let reshape = rewriter.producer(of: value, named: "Reshape"),
      let source = rewriter[reshape].inputs[0], let shape = rewriter.graph[value].shape,
      shape.rank == 4, shape[2] > 1, rewriter.graph[source].quantization == nil,
      rewriter.graph[source].shape == [shape[0], shape[1], shape[2] * shape[3]]
    else { return nil }
    return Heads(source: source, count: shape[2], isTransposed: order == [0, 2, 3, 1])
  }

  private func readHeads(_ index: Int, _ rewriter: inout Rewriter) {
    var node = rewriter[index]
    guard var product = node.op as? MatMul, !product.transposesA, !product.transposesB,
      node.inputs.count >= 2, let a = node.inputs[0], let b = node.inputs[1],
      rewriter.graph[a].type?.isFused == true, isComputed(a, rewriter), isComputed(b, rewriter)
    else { return }
    let before = node.inputs
    if product.headsA == 1, let left = heads(a, rewriter), !left.isTransposed {
      product.headsA = left.count
      node.inputs[0] = left.source
    }
    if product.headsB == 1, let right = heads(b, rewriter) {
      product.headsB = right.count
      product.transposesB = right.isTransposed
      node.inputs[1] = right.source
    }
    guard node.inputs != before else { return }
    node.op = product
    rewriter.replace(index, with: node)
    removeUnused(before, &rewriter)
  }

  private func isComputed(_ id: Graph.ValueID, _ rewriter: Rewriter) -> Bool {
    rewriter.constant(id) == nil && rewriter.graph[id].quantization == nil
      && (rewriter.graph[id].shape.map { $0.rank == 4 } ?? false)
  }

  private func removeUnused(_ values: [Graph.ValueID?], _ rewriter: inout Rewriter) {
    for case let id? in values where rewriter.users(of: id).isEmpty && !rewriter.isOutput(id) {
      if let maker = rewriter.producer(of: id) { rewriter.removeDead(maker) }
    }
  }

  // MARK: The result

  private func writeHeads(_ index: Int, _ rewriter: inout Rewriter) {
    var node = rewriter[index]
    guard var product = node.op as? MatMul, product.headsY == 1, let y = node.outputs[0],
      node.inputs.count < 4, node.inputs.count >= 2, let b = node.inputs[1],
      rewriter.constant(b) == nil, rewriter.graph[y].type?.isFused == true,
      rewriter.isUsedOnce(y), let transpose = rewriter.users(of: y).first,
      (rewriter[transpose].op as? Transpose)?.order == [0, 2, 1, 3],
      let moved = rewriter[transpose].outputs[0], rewriter.isUsedOnce(moved),
      let reshape = rewriter.users(of: moved).first, rewriter.name(reshape) == "Reshape",
      let joined = rewriter[reshape].outputs[0], let shape = rewriter.graph[y].shape,
      shape.rank == 4, shape[1] > 1,
      rewriter.graph[joined].shape == [shape[0], shape[2], shape[1] * shape[3]]
    else { return }
    product.headsY = shape[1]
    node.op = product
    node.outputs = [joined]
    rewriter.remove(reshape)
    rewriter.remove(transpose)
    rewriter.replace(index, with: node)
  }

  // MARK: One projection for all

  /// Split(Transpose(Reshape(x, [N, T, P, h, d]), [2, 0, 3, 1, 4])) along the parts, squeezed:
  /// the same parts, from x split along its rows.
  private func splitEarlier(_ index: Int, _ rewriter: inout Rewriter) {
    let node = rewriter[index]
    guard let split = node.op as? Split, split.axis == 0 || split.axis == -5,
      let moved = node.inputs[0], rewriter.isUsedOnce(moved),
      let transpose = rewriter.producer(of: moved),
      (rewriter[transpose].op as? Transpose)?.order == [2, 0, 3, 1, 4],
      let parts = rewriter[transpose].inputs[0], rewriter.isUsedOnce(parts),
      let reshape = rewriter.producer(of: parts, named: "Reshape"),
      let x = rewriter[reshape].inputs[0], let shape = rewriter.graph[parts].shape,
      shape.rank == 5, shape[2] == node.outputs.count, rewriter.graph[x].quantization == nil,
      rewriter.graph[x].shape == [shape[0], shape[1], shape[2] * shape[3] * shape[4]]
    else { return }
    let width = shape[3] * shape[4]
    let head: Shape = [shape[0], shape[3], shape[1], shape[4]]
    var users: [(node: Int, output: Graph.ValueID)] = []
    for output in node.outputs {
      guard let output, rewriter.isUsedOnce(output), let user = rewriter.users(of: output).first,
        rewriter.name(user) == "Squeeze" || rewriter.name(user) == "Reshape",
        let result = rewriter[user].outputs[0], rewriter.graph[result].shape == head
      else { return }
      users.append((user, result))
    }
    var pieces: [Graph.ValueID] = []
    for (place, user) in users.enumerated() {
      let name = "\(node.name).\(place)"
      let piece = rewriter.add(valueLike: x, name: name, shape: [shape[0], shape[1], width])
      let rows = rewriter.add(
        valueLike: x, name: "\(name).heads", shape: [shape[0], shape[1], shape[3], shape[4]])
      rewriter.insert(
        Graph.Node(
          name: "\(name).reshape",
          op: Reshape(shape: [shape[0], shape[1], shape[3], shape[4]]), inputs: [piece],
          outputs: [rows]), before: user.node)
      rewriter.replace(
        user.node,
        with: Graph.Node(
          name: rewriter[user.node].name, op: Transpose(order: [0, 2, 1, 3]), inputs: [rows],
          outputs: [user.output]))
      pieces.append(piece)
    }
    rewriter.replace(
      index,
      with: Graph.Node(
        name: node.name,
        op: Split(axis: 2, lengths: [Int](repeating: width, count: pieces.count)), inputs: [x],
        outputs: pieces))
    removeUnused([moved], &rewriter)
  }
}
