import Testing

@testable import Tensors

@Suite struct QuantizationTests {
  private func fits(_ scale: Float, _ zeroPoint: Int32, _ type: ElementType = .uint8) -> Bool {
    // Wrong entries anywhere must be found, whatever the loop does at a time.
    let places = [0, 7, 8, 30, 32]
    let answers = places.map { place in
      var scales = [Float](repeating: 1, count: 33)
      var zeroPoints = [Int32](repeating: 0, count: 33)
      scales[place] = scale
      zeroPoints[place] = zeroPoint
      return Quantization(scales: scales, zeroPoints: zeroPoints, axis: 0).fits(type, count: 33)
    }
    #expect(Set(answers).count == 1, "\(scale) \(zeroPoint)")
    return answers[0]
  }

  @Test func `scales are positive and finite`() {
    for scale: Float in [
      1, .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude,
    ] {
      #expect(fits(scale, 0), "\(scale)")
    }
    for scale: Float in [0, -0.0, -1, .infinity, -.infinity, .nan, -.nan, .signalingNaN] {
      #expect(!fits(scale, 0), "\(scale)")
    }
  }

  @Test func `zero points lie in the element type's range`() {
    #expect(fits(1, 0) && fits(1, 255))
    #expect(!fits(1, -1) && !fits(1, 256) && !fits(1, .max) && !fits(1, .min))
    #expect(fits(1, -128, .int8) && fits(1, 127, .int8))
    #expect(!fits(1, -129, .int8) && !fits(1, 128, .int8))
    #expect(!fits(1, 0, .int32))
  }

  @Test func `there are one or as many as channels`() {
    let three = Quantization(scales: [1, 2, 3], zeroPoints: [0, 0, 0], axis: 1)
    #expect(three.fits(.uint8, count: 3) && !three.fits(.uint8, count: 4))
    #expect(Quantization(scale: 1, zeroPoint: 0).fits(.uint8, count: 4))
  }
}
