internal import Kernels
public import ModelFile

extension Frame {
  /// Returns the picture in another pixel format; itself where it already has it.
  ///
  /// YUV is read by the frame's tags. Frames made as YUV are BT.601 limited, or keep the tags of a
  /// YUV source; their chroma is the mean of two by two pixels.
  /// - Throws: `memory`, `limit`.
  public func converted(to target: PixelFormat) throws(ImagingError) -> Frame {
    guard target != format else { return self }
    let result = try Frame(
      target, width: width, height: height, matrix: matrix,
      range: target.isYUV ? (format.isYUV ? range : .limited) : .full, timeMs: timeMs)
    if target.isYUV {
      result.fillYUV(from: self)
    } else {
      result.fillRGB(from: self)
    }
    return result
  }

  /// Writes the rows of `source` into this frame, which is not YUV.
  private func fillRGB(from source: Frame) {
    let rows = ComponentRows(source, .best(isas: ISA.host))
    for y in 0..<height {
      if format == .gray8 {
        let gray = rows.grayRow(y)
        let target = (planes[0].base + y * planes[0].stride).assumingMemoryBound(to: UInt8.self)
        for x in 0..<width { target[x] = gray.base[x * gray.step] }
        continue
      }
      let (red, green, blue) = rows.rgb(y)
      for (component, place) in zip([red, green, blue], componentPlaces) {
        let plane = planes[place.plane]
        let target = (plane.base + y * plane.stride + place.offset)
          .assumingMemoryBound(to: UInt8.self)
        for x in 0..<width { target[x * place.step] = component.base[x * component.step] }
      }
      if format == .rgba {
        let target = (planes[0].base + y * planes[0].stride).assumingMemoryBound(to: UInt8.self)
        for x in 0..<width { target[x * 4 + 3] = 255 }
      }
    }
  }

  /// Where red, green and blue lie in a format that is not YUV.
  private var componentPlaces: [(plane: Int, offset: Int, step: Int)] {
    switch format {
    case .rgb24: [(0, 0, 3), (0, 1, 3), (0, 2, 3)]
    case .bgr24: [(0, 2, 3), (0, 1, 3), (0, 0, 3)]
    case .rgba: [(0, 0, 4), (0, 1, 4), (0, 2, 4)]
    case .rgbPlanar: [(0, 0, 1), (1, 0, 1), (2, 0, 1)]
    case .bgrPlanar: [(2, 0, 1), (1, 0, 1), (0, 0, 1)]
    case .gray8, .nv12, .nv21, .i420: []
    }
  }

  /// Writes luma and chroma of `source` into this YUV frame.
  private func fillYUV(from source: Frame) {
    let rows = ComponentRows(source, .best(isas: ISA.host))
    let (lumaWeights, uWeights, vWeights) = YUV.rows(matrix, range)
    let base = range == .limited ? 16 : 0
    let half = 1 << 15
    let chromaWidth = (width + 1) / 2
    var sums = [SIMD4<Int32>](repeating: .zero, count: chromaWidth)
    for y in 0..<height {
      if y % 2 == 0 { for i in 0..<chromaWidth { sums[i] = .zero } }
      let (red, green, blue) = rows.rgb(y)
      let luma = (planes[0].base + y * planes[0].stride).assumingMemoryBound(to: UInt8.self)
      for x in 0..<width {
        let r = Int(red.base[x * red.step])
        let g = Int(green.base[x * green.step])
        let b = Int(blue.base[x * blue.step])
        luma[x] = UInt8(
          clamping: base + (lumaWeights.0 * r + lumaWeights.1 * g + lumaWeights.2 * b + half) >> 16)
        sums[x / 2] &+= SIMD4(Int32(r), Int32(g), Int32(b), 1)
      }
      guard y % 2 == 1 || y == height - 1 else { continue }
      for x in 0..<chromaWidth {
        let count = Int(sums[x][3])
        let (r, g, b) = (Int(sums[x][0]), Int(sums[x][1]), Int(sums[x][2]))
        let u = (uWeights.0 * r + uWeights.1 * g + uWeights.2 * b) / count
        let v = (vWeights.0 * r + vWeights.1 * g + vWeights.2 * b) / count
        storeChroma(
          x, y / 2, u: UInt8(clamping: 128 + (u + half) >> 16),
          v: UInt8(clamping: 128 + (v + half) >> 16))
      }
    }
  }

  /// Writes one pair of chroma samples of a YUV frame.
  func storeChroma(_ x: Int, _ y: Int, u: UInt8, v: UInt8) {
    func write(_ plane: Int, _ offset: Int, _ value: UInt8) {
      (planes[plane].base + y * planes[plane].stride + offset)
        .storeBytes(of: value, as: UInt8.self)
    }
    switch format {
    case .nv12:
      write(1, 2 * x, u)
      write(1, 2 * x + 1, v)
    case .nv21:
      write(1, 2 * x, v)
      write(1, 2 * x + 1, u)
    default:
      write(1, x, u)
      write(2, x, v)
    }
  }
}
