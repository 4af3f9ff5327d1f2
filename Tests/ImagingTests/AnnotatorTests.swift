import Drawing
import Imaging
import ModelFile
import Testing

@Suite struct AnnotatorTests {
  private let red = Color(red: 255, green: 0, blue: 0)

  private func pixel(_ frame: Frame, _ x: Int, _ y: Int) throws -> [UInt8] {
    let rgb = try frame.converted(to: .rgb24).denseBytes()
    let offset = (y * frame.width + x) * 3
    return Array(rgb[offset..<(offset + 3)])
  }

  @Test(arguments: [PixelFormat.rgb24, .bgr24, .rgba, .rgbPlanar, .i420, .nv12, .nv21])
  func `a box has its colour in every format`(_ format: PixelFormat) throws {
    let frame = try Frame(.rgb24, width: 200, height: 100).converted(to: format)
    let box = Annotation(x1: 20, y1: 30, x2: 120, y2: 80, text: "", color: red)
    let drawn = try Annotator(font: nil).drawing([box], on: frame)
    #expect(drawn.format == format)
    let edge = try pixel(drawn, 60, 30)
    #expect(largestDifference(edge, [255, 0, 0]) <= 3)
    #expect(largestDifference(try pixel(drawn, 60, 50), [0, 0, 0]) <= 3)
    #expect(largestDifference(try pixel(frame, 60, 30), [0, 0, 0]) <= 3, "the source is untouched")
  }

  @Test func `boxes outside the picture do no harm`() throws {
    let frame = try Frame(.i420, width: 33, height: 17)
    let font = try LabelFont()
    let wild: [Float] = [-1e9, -5, 0, 16.5, 40, 1e30, .infinity, .nan]
    var annotations: [Annotation] = []
    for a in wild {
      for b in wild {
        annotations.append(Annotation(x1: a, y1: b, x2: b, y2: a, text: "wide label", color: red))
      }
    }
    let drawn = try Annotator(font: font).drawing(annotations, on: frame)
    #expect(drawn.size == frame.size)
    #expect(drawn.denseBytes() != frame.denseBytes())
  }

  @Test func `labels are readable, Unicode and inside the picture`() throws {
    let frame = try Frame(.rgb24, width: 300, height: 200)
    let font = try LabelFont()
    let box = Annotation(x1: 285, y1: 2, x2: 299, y2: 100, text: "größer Ж", color: red)
    let plain = try Annotator(font: nil).drawing([box], on: frame).denseBytes()
    let labelled = try Annotator(font: font).drawing([box], on: frame).denseBytes()
    let changed = zip(plain, labelled).enumerated().filter { $1.0 != $1.1 }.map { $0.offset / 3 }
    #expect(changed.count > 300)
    // The text is white on red: green rises where letters are.
    #expect(stride(from: 1, to: labelled.count, by: 3).contains { labelled[$0] > 200 })
    let columns = changed.map { $0 % 300 }
    #expect((columns.min() ?? 300) < 285, "the label was shifted to the left, to fit")
  }

  @Test func `neighbouring labels do not cover each other`() throws {
    let frame = try Frame(.rgb24, width: 300, height: 200)
    let font = try LabelFont()
    let blue = Color(red: 0, green: 0, blue: 255)
    let boxes = [
      Annotation(x1: 50, y1: 60, x2: 150, y2: 150, text: "aaaa", color: red),
      Annotation(x1: 52, y1: 60, x2: 152, y2: 150, text: "bbbb", color: blue),
    ]
    let both = try Annotator(font: font).drawing(boxes, on: frame)
    let first = try pixel(both, 54, 58)
    #expect(first == [255, 0, 0], "the first label stands above its box")
  }

  @Test func `a missing font is an error that names the package`() {
    let error = #expect(throws: ImagingError.self) { try LabelFont(path: "/nowhere.ttf") }
    #expect(error?.message.contains("fonts-dejavu-core") == true)
    #expect(throws: ImagingError.self) { try LabelFont(path: Fixture.path("source.ppm")) }
  }

  @Test func `class colours differ between neighbours`() {
    for index in 0..<80 {
      let (a, b) = (Color.ofClass(index), Color.ofClass(index + 1))
      let distance =
        abs(Int(a.red) - Int(b.red)) + abs(Int(a.green) - Int(b.green))
        + abs(Int(a.blue) - Int(b.blue))
      #expect(distance > 90)
    }
  }
}
