import Graphs
import Operators
import Tensors

/// Recognises layer normalisation that exporters spell out:
/// (x − mean(x)) / √(mean((x − mean(x))²) + ε), then · scale and + bias where they are vectors over
/// the last axis.
struct LayerNormalizationPattern: GraphPass {
  static let name = "layer-normalization"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    for index in rewriter.nodeIndices where !rewriter.isRemoved(index) {
      if rewriter.name(index) == "Div" { recognise(index, &rewriter) }
    }
    for index in rewriter.nodeIndices where !rewriter.isRemoved(index) {
      switch rewriter.name(index) {
      case "Mul": absorb(index, into: 1, &rewriter)
      case "Add": absorb(index, into: 2, &rewriter)
      default: break
      }
    }
  }

  private func recognise(_ index: Int, _ rewriter: inout Rewriter) {
    let node = rewriter[index]
    guard let centred = node.inputs[0], let output = node.outputs[0],
      let x = centring(centred, rewriter), let shape = rewriter.graph[x].shape, shape.rank >= 1,
      let root = rewriter.producer(of: node.inputs[1], named: "Sqrt"),
      let add = rewriter.producer(of: rewriter[root].inputs[0], named: "Add")
    else { return }
    for position in 0..<2 {
      guard let epsilon = rewriter.scalar(rewriter[add].inputs[position]),
        let variance = meanOperand(rewriter[add].inputs[1 - position], rewriter),
        let deviation = squareOperand(variance, rewriter),
        deviation == centred || centring(deviation, rewriter) == x
      else { continue }
      let width = shape[shape.rank - 1]
      let ones = rewriter.add(
        constant: TensorBuffer([width], [Float](repeating: 1, count: width)),
        name: "\(node.name).scale")
      rewriter.replace(
        index,
        with: Graph.Node(
          name: node.name, op: LayerNormalization(axis: -1, epsilon: epsilon),
          inputs: [x, ones], outputs: [output]))
      return
    }
  }

  /// x, if the value is x − mean(x) over the last axis.
  private func centring(_ id: Graph.ValueID?, _ rewriter: Rewriter) -> Graph.ValueID? {
    guard let sub = rewriter.producer(of: id, named: "Sub"), let x = rewriter[sub].inputs[0],
      meanOperand(rewriter[sub].inputs[1], rewriter) == x
    else { return nil }
    return x
  }

  /// x, if the value is the mean of x over its last axis alone, which is kept.
  private func meanOperand(_ id: Graph.ValueID?, _ rewriter: Rewriter) -> Graph.ValueID? {
    guard let mean = rewriter.producer(of: id, named: "ReduceMean"), let id,
      let x = rewriter[mean].inputs[0], let shape = rewriter.graph[x].shape, shape.rank >= 1,
      var kept = Optional(shape), rewriter.graph[id].shape?.rank == shape.rank
    else { return nil }
    kept[shape.rank - 1] = 1
    return rewriter.graph[id].shape == kept && shape[shape.rank - 1] > 1 ? x : nil
  }

  /// d, if the value is d² (as a power or a product).
  private func squareOperand(_ id: Graph.ValueID?, _ rewriter: Rewriter) -> Graph.ValueID? {
    guard let index = rewriter.producer(of: id) else { return nil }
    let inputs = rewriter[index].inputs
    switch rewriter.name(index) {
    case "Pow": return rewriter.scalar(inputs[1]) == 2 ? inputs[0] : nil
    case "Mul": return inputs[0] == inputs[1] ? inputs[0] : nil
    default: return nil
    }
  }

  /// Takes the scale (input 1) or the bias (input 2) of a recognised normalisation in.
  private func absorb(_ index: Int, into slot: Int, _ rewriter: inout Rewriter) {
    let node = rewriter[index]
    for position in 0..<2 {
      guard let value = node.inputs[position], let other = node.inputs[1 - position],
        let vector = rewriter.constant(other), rewriter.isUsedOnce(value),
        let producer = rewriter.producer(of: value, named: "LayerNormalization"),
        rewriter[producer].op is LayerNormalization,
        let width = rewriter.graph[value].shape?.dimensions.last, vector.elementCount == width,
        vector.shape.dimensions.last == width, let values = vector.floats()
      else { continue }
      var merged = rewriter[producer]
      guard merged.inputs.count == 2, let scale = rewriter.constant(merged.inputs[1])?.floats()
      else { continue }
      let id: Graph.ValueID
      if slot == 1 {
        guard scale.allSatisfy({ $0 == 1 }) else { continue }
        id = rewriter.add(
          constant: TensorBuffer([width], values), name: rewriter.graph[other].name)
        merged.inputs[1] = id
      } else {
        id = rewriter.add(
          constant: TensorBuffer([width], values), name: rewriter.graph[other].name)
        merged.inputs.append(id)
      }
      merged.outputs = node.outputs
      rewriter.remove(producer)
      rewriter.replace(index, with: merged)
      return
    }
  }
}
