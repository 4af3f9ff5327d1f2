import Tensors
import Testing

@Suite struct ShapeTests {
  @Test func `counts elements and refuses overflow`() {
    #expect(Shape([2, 3, 4]).checkedElementCount == 24)
    #expect(Shape([]).checkedElementCount == 1)
    #expect(Shape([2, -1]).checkedElementCount == nil)
    #expect(Shape([Int.max, 2]).checkedElementCount == nil)
  }

  @Test func `broadcasts as numpy does`() {
    #expect(Shape.broadcast([3, 1], [4]) == [3, 4])
    #expect(Shape.broadcast([2, 3], [4]) == nil)
    #expect(Shape.broadcast([], [0, 2]) == [0, 2])
  }

  @Test func `channels last moves axis 1 to the end`() {
    #expect(Layout.channelsLast.physical([1, 3, 5, 7]) == [1, 5, 7, 3])
    #expect(Layout.channelsLast.position(ofAxis: 1, rank: 4) == 3)
    #expect(Layout.channelsLast.position(ofAxis: 2, rank: 4) == 1)
  }
}
