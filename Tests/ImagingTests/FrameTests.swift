import Imaging
import ModelFile
import Pictures
import Testing

@Suite struct FrameTests {
  @Test func `sizes outside the limits are refused`() {
    for (width, height) in [(0, 1), (1, 0), (-1, 1), (70_000, 1), (65_535, 65_535), (Int.max, 2)] {
      #expect(throws: ImagingError.self) { try Frame(.rgb24, width: width, height: height) }
    }
  }

  @Test func `the wrong number of bytes prints both counts`() throws {
    let error = #expect(throws: ImagingError.self) {
      try Frame(copying: [1, 2, 3], .nv12, width: 3, height: 3)
    }
    #expect(error?.message.contains("17 bytes, but there are 3") == true)
  }

  @Test(arguments: PixelFormat.allCases)
  func `conversion there and back keeps grey pictures`(_ format: PixelFormat) throws {
    let values = (0..<(7 * 5)).map { UInt8($0 * 7) }
    let gray = try Frame(copying: values, .gray8, width: 7, height: 5)
    let back = try gray.converted(to: format).converted(to: .gray8)
    #expect(largestDifference(back.denseBytes(), values) <= 1)
  }

  @Test func `YUV made from RGB matches the equations`() throws {
    let colour: [UInt8] = [200, 30, 90]
    let frame = try Frame(
      copying: [UInt8]((0..<4).flatMap { _ in colour }), .rgb24, width: 2, height: 2)
    let yuv = try frame.converted(to: .i420).denseBytes()
    // Y = 16 + 0.257 R + 0.504 G + 0.098 B and so on, BT.601 limited.
    #expect(yuv == [91, 91, 91, 91, 129, 198])
  }

  @Test func `picture names are told by their endings`() {
    #expect(Picture.isPicture("a/b.JPG"))
    #expect(Picture.isPicture("b.png"))
    #expect(!Picture.isPicture("b.jpg/c"))
    #expect(!Picture.isPicture(".png"))
  }

  @Test func `a folder lists its pictures by name and reports the broken one`() throws {
    let good = try Fixture.temporary(try Fixture.bytes("jpeg-gray.jpg"), "b.jpg")
    let folder = String(good.dropLast(6))
    let source = try PictureSource(folder: folder)
    #expect(source.nextPath == folder + "/b.jpg")
    #expect(try source.next()?.width == 35)
    #expect(try source.next() == nil)
    let error = #expect(throws: ImagingError.self) { try PictureSource(folder: "/nowhere") }
    #expect(error?.code == .notFound)
    let list = PictureSource([folder + "/no.jpg", good])
    #expect(throws: ImagingError.self) { try list.next() }
    #expect(try list.next()?.height == 27)
  }
}
