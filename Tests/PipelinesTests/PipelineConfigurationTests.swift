import Pipelines
import Testing

@Suite struct `A pipeline's configuration` {
  @Test func `names policies as users write them`() {
    #expect(
      PipelineConfiguration.OverflowPolicy.allCases.map(\.rawValue)
        == ["block", "drop-oldest", "drop-newest", "latest"])
  }
}
