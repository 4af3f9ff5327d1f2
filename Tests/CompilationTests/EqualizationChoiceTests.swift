import FoundationEssentials
import Graphs
import Importers
import Operators
import Tensors
import Testing

@testable import Compilation

@Suite struct EqualizationChoiceTests {
  /// The choice for a convolution of 4 channels with these weights, whose input's channels reach
  /// from 0 to `highs`.
  private func exponent(_ highs: [Float], _ weight: (_ column: Int, _ channel: Int) -> Float)
    throws -> Float
  {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/exporters").path()
    var graph = try Compiler().compile(Graph(onnxFile: "\(folder)/superresolution-legacy9.onnx"))
      .optimised
    let node = try #require(
      graph.nodes.first { node in
        (node.op as? Conv)?.groupCount == 1
      })
    let weights = try #require(node.inputs[1])
    let values = (0..<8 * highs.count).map { weight($0 / highs.count, $0 % highs.count) }
    graph[weights].constant = TensorBuffer([8, highs.count, 1, 1], values)
    let channels = highs.map { ValueRange.Channel(low: 0, high: $0) }
    let range = ValueRange(low: 0, high: highs.max() ?? 0, channels: channels)
    return EqualizationChoice(channels, range, [node], graph).exponent
  }

  @Test func `weights on a grid stay there`() throws {
    // Multiples of 1/127 with 1 among them: one scale for all rounds no weight.
    let exponent = try exponent([6, 5, 4, 6]) { column, channel in
      channel == column % 4 ? 1 : Float((column * 37 + channel * 11) % 100 - 50) / 127
    }
    #expect(exponent == 0)
  }

  @Test func `a channel much louder than the others gets its own scale`() throws {
    let exponent = try exponent([600, 1, 1, 1]) { column, channel in
      Float((column * 29 + channel * 17) % 13 - 6) / (channel == 0 ? 6000 : 6.1)
    }
    #expect(exponent > 0)
  }

  @Test func `factors lie between one and the channel's share`() {
    let channels = [Float(8), 2, 0].map { ValueRange.Channel(low: 0, high: $0) }
    let range = ValueRange(low: 0, high: 8)
    #expect(EqualizationChoice.factors(channels, range, 0) == [1, 1, 1])
    #expect(EqualizationChoice.factors(channels, range, 0.5) == [1, 0.5, 0.125])
    #expect(EqualizationChoice.factors(channels, range, 1) == [1, 0.25, 1 / 64])
  }
}
