import Graphs
import Operators
import Tensors

/// Turns the QuantizeLinear and DequantizeLinear nodes of a quantised model into quantisations of
/// values: x → Q → DQ → f becomes x → f, where x has Q's scale and zero point.
///
/// The first of all passes, and not run where the model is to be executed literally. Pairs with
/// scales per channel, other types than 8 bits, or parameters computed at run time stay nodes.
struct QuantizationImport: GraphPass {
  static let name = "quantization-import"

  func run(on rewriter: inout Rewriter) throws(CompileError) {
    for index in rewriter.nodeIndices where rewriter[index].op is DequantizeLinear {
      guard let q = rewriter[index].inputs[0], let y = rewriter[index].outputs[0],
        let known = parameters(rewriter, index, type: rewriter.graph[q].type)
      else { continue }
      guard let maker = rewriter.producer(of: q), rewriter[maker].op is QuantizeLinear,
        let x = rewriter[maker].inputs[0],
        parameters(rewriter, maker, type: rewriter.graph[q].type) == known,
        rewriter.constant(x) == nil, !rewriter.isOutput(x), !rewriter.isOutput(y),
        rewriter.graph[x].quantization == nil || rewriter.graph[x].quantization == known,
        rewriter.users(of: x).allSatisfy({
          rewriter[$0].op is QuantizeLinear && parameters(rewriter, $0, type: nil) == known
            || rewriter.graph[x].quantization != nil
        })
      else {
        rewriter.setQuantization(known, of: y)
        continue
      }
      rewriter.setQuantization(known, of: x)
      rewriter.redirect(y, to: x)
      rewriter.remove(index)
      if rewriter.users(of: q).isEmpty && !rewriter.isOutput(q) { rewriter.remove(maker) }
    }
    settleQuantized(&rewriter)
  }

  /// Lets what is only quantised, as at the end of a quantised model, have 8 bits by itself.
  private func settleQuantized(_ rewriter: inout Rewriter) {
    for index in rewriter.nodeIndices where rewriter[index].op is QuantizeLinear {
      guard let x = rewriter[index].inputs[0], let known = parameters(rewriter, index, type: nil),
        rewriter.producer(of: x) != nil, rewriter.graph[x].quantization == nil,
        rewriter.constant(x) == nil, !rewriter.isOutput(x), rewriter.users(of: x) == [index]
      else { continue }
      rewriter.setQuantization(known, of: x)
    }
  }

  /// The quantisation that a node's constant parameters say.
  ///
  /// - Parameter type: of the 8-bit side; nil: that of the node's output.
  private func parameters(
    _ rewriter: Rewriter, _ index: Int, type: ElementType?
  ) -> Quantization? {
    let node = rewriter[index]
    let infos = node.inputs.map { $0.flatMap { rewriter.graph.info(of: $0) } }
    let own = type ?? node.outputs[0].flatMap { rewriter.graph[$0].type }
    return own.flatMap { infos.quantization(of: $0)?.quantization }
  }
}

extension Graph {
  /// What the model is compiled to where nobody says: int8 if it brings its own quantisation.
  public var ownPrecision: Precision { isQuantized ? .int8 : .fp32 }

  /// Says whether the model brings its own quantisation.
  package var isQuantized: Bool {
    nodes.contains { $0.op is DequantizeLinear }
      || values.contains { $0.constant != nil && $0.quantization != nil }
  }
}
