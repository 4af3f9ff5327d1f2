import Detections
import ModelFile
import Tensors
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Kits against what plain numpy finds in the same outputs (Samples/fixtures/kits.py).
@Suite struct ReferenceTests {
  private struct Expected {
    let classIndex: Int
    let numbers: [Float]
  }

  private func bytes(_ name: String) throws -> [UInt8] {
    let parts = "\(#filePath)".split(separator: "/").dropLast(2)
    let path = "/" + parts.joined(separator: "/") + "/Fixtures/kits/" + name
    let file = try #require(fopen(path, "rb"), "\(path)")
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    return Array(bytes[0..<fread(&bytes, 1, bytes.count, file)])
  }

  private func floats(_ name: String) throws -> [Float] {
    try bytes(name).withUnsafeBytes { buffer in
      (0..<(buffer.count / 4)).map {
        Float(
          bitPattern: UInt32(
            littleEndian: buffer.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
      }
    }
  }

  private func expected(_ name: String) throws -> [Expected] {
    String(decoding: try bytes(name), as: UTF8.self).split(separator: "\n").compactMap { line in
      let numbers = line.split(separator: " ").compactMap { Float($0) }
      return numbers.count == 6
        ? Expected(classIndex: Int(numbers[0]), numbers: Array(numbers[1...])) : nil
    }
  }

  private func compare(_ found: [Detection], _ expected: [Expected]) {
    #expect(expected.count > 10)
    #expect(found.count == expected.count)
    for (a, b) in zip(found, expected) {
      #expect(a.classIndex == b.classIndex)
      let clipped = b.numbers[1...].map { min(max($0, 0), 96) }
      let numbers = [a.score, a.box.x1, a.box.y1, a.box.x2, a.box.y2]
      for (x, y) in zip(numbers, [b.numbers[0]] + clipped) { #expect(abs(x - y) < 1e-3) }
    }
  }

  @Test func `yolox equals numpy`() throws {
    let values = try floats("yolox.bin")
    let output = KitOutput(name: "output", tensor: TensorBuffer([1, values.count / 8, 8], values))
    let found = try Detector(Postprocessing(parsing: "yolox:score=0.3,iou=0.5"))
      .detect(in: [output], mapping: KitTests.mapping(source: (96, 96), input: 96))
    compare(found, try expected("yolox.txt"))
  }

  @Test func `ssd equals numpy`() throws {
    let values = try floats("ssd.bin")
    let boxes = KitOutput(
      name: "boxes", tensor: TensorBuffer([1, 200, 4], Array(values[0..<800])))
    let scores = KitOutput(
      name: "scores", tensor: TensorBuffer([1, 200, 3], Array(values[800...])))
    let found = try Detector(Postprocessing(parsing: "ssd:score=0.5,iou=0.3"))
      .detect(in: [scores, boxes], mapping: KitTests.mapping(source: (96, 96), input: 96))
    compare(found, try expected("ssd.txt"))
  }
}
