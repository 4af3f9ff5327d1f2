import FoundationEssentials
import Testing
import Texts

@testable import Accuracy

/// The fixtures hold what pycocotools computes; `make.py` beside them makes them.
@Suite struct `Mean average precision` {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/evaluation/").path()

  private struct Fixture {
    var categoryCount: Int
    var pictures: [(truths: [MeanAveragePrecision.Truth], found: [MeanAveragePrecision.Found])]
    var all: [Double?]
    var categories: [[Double?]]

    init(_ name: String) throws {
      let data = try Data(contentsOf: URL(filePath: folder + name + ".json"))
      let root = try JSONNode(parsing: Array(data))
      func rows(_ node: JSONNode?) throws -> [[JSONNode]] {
        try #require(node?.elements).map { try #require($0.elements) }
      }
      func box(_ row: ArraySlice<JSONNode>) -> MeanAveragePrecision.Rectangle {
        let sides = row.compactMap(\.number)
        return .init(x: sides[0], y: sides[1], width: sides[2], height: sides[3])
      }
      categoryCount = try #require(root["category_count"]?.integer)
      pictures = try #require(root["pictures"]?.elements).map { picture in
        (
          try rows(picture["truths"]).map { row in
            .init(
              category: try #require(row[0].integer), box: box(row[1...4]),
              isCrowd: row[5].integer == 1, area: row[6].number)
          },
          try rows(picture["found"]).map { row in
            .init(
              category: try #require(row[0].integer), score: try #require(row[1].number),
              box: box(row[2...5]))
          }
        )
      }
      all = try #require(root["expected"]?["all"]?.elements).map(\.number)
      categories = try rows(root["expected"]?["categories"]).map { $0.map(\.number) }
    }

    func result(_ order: [Int]? = nil) -> MeanAveragePrecision.Result {
      var figures = MeanAveragePrecision(categoryCount: categoryCount)
      for index in order ?? Array(pictures.indices) {
        figures.add(truths: pictures[index].truths, found: pictures[index].found)
      }
      return figures.result
    }
  }

  private func agree(_ ours: Double?, _ theirs: Double?) -> Bool {
    switch (ours, theirs) {
    case (nil, nil): true
    case (let ours?, let theirs?): (ours - theirs).magnitude < 1e-12
    default: false
    }
  }

  @Test(arguments: ["mixed", "crowds", "ties", "many", "exact", "gaps", "nothing"])
  func `equals that of pycocotools`(name: String) throws {
    let fixture = try Fixture(name)
    let result = fixture.result()
    for (ours, theirs) in zip([result.ap, result.ap50, result.ap75], fixture.all) {
      #expect(agree(ours, theirs), "\(name): \(ours ?? -1) for \(theirs ?? -1)")
    }
    #expect(result.categories.count == fixture.categories.count)
    for (index, (ours, theirs)) in zip(result.categories, fixture.categories).enumerated() {
      for (a, b) in zip([ours.ap, ours.ap50, ours.ap75], theirs) {
        #expect(agree(a, b), "\(name), category \(index): \(a ?? -1) for \(b ?? -1)")
      }
    }
  }

  @Test func `decides between equal scores by the order of pictures`() throws {
    let fixture = try Fixture("ties")
    let backwards = fixture.result(fixture.pictures.indices.reversed())
    #expect(!agree(backwards.ap, fixture.all[0]), "the fixture's ties do not matter")
  }

  @Test func `looks at no more than 100 detections`() throws {
    var fixture = try Fixture("many")
    let whole = fixture.result().ap
    for index in fixture.pictures.indices {
      fixture.pictures[index].found.sort { $0.score > $1.score }
      fixture.pictures[index].found = Array(fixture.pictures[index].found.prefix(100))
    }
    #expect(agree(fixture.result().ap, whole))
    for index in fixture.pictures.indices {
      fixture.pictures[index].found = Array(fixture.pictures[index].found.prefix(90))
    }
    #expect(!agree(fixture.result().ap, whole), "the fixture's last detections do not matter")
  }

  @Test func `counts objects and detections`() throws {
    let result = try Fixture("gaps").result()
    #expect(result.categories.map(\.truthCount) == [2, 1, 0, 0])
    #expect(result.categories.map(\.foundCount) == [2, 0, 1, 0])
  }
}

@Suite struct `Top-k accuracy` {
  @Test func `counts first choices and the first five`() {
    var figures = TopKAccuracy(classCount: 7)
    let scores: [Float] = [0.3, 0.1, 0.05, 0.2, 0.15, 0.12, 0.08]
    for truth in [0, 3, 6, 2] {
      figures.add(truth: truth, rank: TopKAccuracy.rank(of: truth, in: scores))
    }
    #expect(figures.total.top1 == 0.25 && figures.total.top5 == 0.5)
    #expect(figures.classes[0].top1 == 1 && figures.classes[3].top1 == 0)
    #expect(figures.classes[3].top5 == 1 && figures.classes[2].top5 == 0)
    #expect(figures.classes[1].top1 == nil && figures.classes[1].pictureCount == 0)
  }

  @Test func `ranks equal scores by class`() {
    let scores: [Float] = [1, 2, 2, 2, 0]
    #expect((0..<5).map { TopKAccuracy.rank(of: $0, in: scores) } == [3, 0, 1, 2, 4])
  }

  @Test func `holds what has no number for wrong`() {
    #expect(TopKAccuracy.rank(of: 0, in: [.nan, 1]) == nil)
    #expect(TopKAccuracy.rank(of: 2, in: [0, 1]) == nil)
    var figures = TopKAccuracy(classCount: 1)
    figures.add(truth: 0, rank: nil)
    #expect(figures.total.top1 == 0 && figures.total.top5 == 0)
  }
}
