internal import CKernels
internal import Kernels
internal import ModelFile

/// Delivers the rows of a frame as separate components, whatever its pixel format.
///
/// Packed and planar RGB is only pointed at; YUV rows are converted, by the frame's tags, into
/// scratch rows that stay valid until the next call.
final class ComponentRows {
  /// The samples of one component: `base[x * step]` for x in 0..<width.
  struct Component {
    let base: UnsafePointer<UInt8>
    let step: Int
  }

  private let frame: Frame
  private let kernel: ImagingKernel
  private lazy var red = RowBuffer<UInt8>(frame.width)
  private lazy var green = RowBuffer<UInt8>(frame.width)
  private lazy var blue = RowBuffer<UInt8>(frame.width)
  private lazy var gray = RowBuffer<UInt8>(frame.width)
  private let constants: RowBuffer<apus_yuv_constants>

  /// Prepares to read `frame`, which the object keeps alive.
  init(_ frame: Frame, _ kernel: ImagingKernel) {
    self.frame = frame
    self.kernel = kernel
    constants = RowBuffer([YUV.toRGB(frame.matrix, frame.range)])
  }

  /// Describes row `y` to the kernels that resize rows: red, green and blue, converted on the fly
  /// from YUV, or grey. Valid until the next call.
  func describe(_ y: Int, gray isGray: Bool, in columns: inout apus_columns) {
    columns.width = frame.width
    columns.yuv = nil
    if isGray {
      let component = grayRow(y)
      columns.channels = 1
      columns.step = component.step
      columns.source.0 = component.base
      return
    }
    columns.channels = 3
    if frame.format.isYUV {
      let (luma, u, v, step) = samples(y)
      columns.yuv = UnsafePointer(constants.pointer)
      columns.step = step
      columns.source = (luma, u, v)
    } else {
      let (red, green, blue) = rgb(y)
      columns.step = red.step
      columns.source = (red.base, green.base, blue.base)
    }
  }

  /// Returns red, green and blue of row `y`.
  func rgb(_ y: Int) -> (red: Component, green: Component, blue: Component) {
    func row(_ plane: Int, _ offset: Int, _ step: Int) -> Component {
      let base = frame.planes[plane].base + y * frame.planes[plane].stride + offset
      return Component(base: UnsafePointer(base.assumingMemoryBound(to: UInt8.self)), step: step)
    }
    switch frame.format {
    case .rgb24: return (row(0, 0, 3), row(0, 1, 3), row(0, 2, 3))
    case .bgr24: return (row(0, 2, 3), row(0, 1, 3), row(0, 0, 3))
    case .rgba: return (row(0, 0, 4), row(0, 1, 4), row(0, 2, 4))
    case .gray8: return (row(0, 0, 1), row(0, 0, 1), row(0, 0, 1))
    case .rgbPlanar: return (row(0, 0, 1), row(1, 0, 1), row(2, 0, 1))
    case .bgrPlanar: return (row(2, 0, 1), row(1, 0, 1), row(0, 0, 1))
    case .nv12, .nv21, .i420: return converted(y)
    }
  }

  /// Returns the grey of row `y`.
  func grayRow(_ y: Int) -> Component {
    let (r, g, b) = rgb(y)
    guard frame.format != .gray8 else { return r }
    kernel.entry.pointee.gray_row(r.base, g.base, b.base, r.step, frame.width, gray.pointer)
    return Component(base: UnsafePointer(gray.pointer), step: 1)
  }

  private func converted(_ y: Int) -> (red: Component, green: Component, blue: Component) {
    let (luma, u, v, step) = samples(y)
    kernel.entry.pointee.yuv_row(
      luma, u, v, step, frame.width, constants.pointer, red.pointer, green.pointer, blue.pointer)
    return (
      Component(base: UnsafePointer(red.pointer), step: 1),
      Component(base: UnsafePointer(green.pointer), step: 1),
      Component(base: UnsafePointer(blue.pointer), step: 1)
    )
  }

  /// Luma and chroma of row `y` of a YUV frame, and the step between chroma samples.
  private func samples(
    _ y: Int
  ) -> (
    luma: UnsafePointer<UInt8>, u: UnsafePointer<UInt8>, v: UnsafePointer<UInt8>, step: Int
  ) {
    func samples(_ plane: Int, _ row: Int) -> UnsafePointer<UInt8> {
      let base = frame.planes[plane].base + row * frame.planes[plane].stride
      return UnsafePointer(base.assumingMemoryBound(to: UInt8.self))
    }
    let luma = samples(0, y)
    let first = samples(1, y / 2)
    switch frame.format {
    case .nv12: return (luma, first, first + 1, 2)
    case .nv21: return (luma, first + 1, first, 2)
    default: return (luma, first, samples(2, y / 2), 1)
    }
  }
}

/// The numbers between RGB and YUV: ITU-R BT.601, BT.709 and BT.2020, in 20-bit fixed point.
enum YUV {
  /// Kr and Kb of a matrix.
  private static func weights(_ matrix: ColorMatrix) -> (red: Double, blue: Double) {
    switch matrix {
    case .bt601: (0.299, 0.114)
    case .bt709: (0.2126, 0.0722)
    case .bt2020: (0.2627, 0.0593)
    }
  }

  static func toRGB(_ matrix: ColorMatrix, _ range: ColorRange) -> apus_yuv_constants {
    let (kr, kb) = weights(matrix)
    let kg = 1 - kr - kb
    let chroma = range == .limited ? 255.0 / 224.0 : 1.0
    func fixed(_ value: Double) -> Int32 { Int32((value * 1_048_576).rounded()) }
    if matrix == .bt601, range == .limited {
      // The standard's rounded factors, as the field's libraries use them.
      return apus_yuv_constants(
        luma_offset: 16, luma: fixed(1.164), red_v: fixed(1.596), green_u: fixed(-0.391),
        green_v: fixed(-0.813), blue_u: fixed(2.018))
    }
    return apus_yuv_constants(
      luma_offset: range == .limited ? 16 : 0,
      luma: range == .limited ? fixed(255.0 / 219.0) : fixed(1),
      red_v: fixed(2 * (1 - kr) * chroma), green_u: fixed(-2 * (1 - kb) * kb / kg * chroma),
      green_v: fixed(-2 * (1 - kr) * kr / kg * chroma), blue_u: fixed(2 * (1 - kb) * chroma))
  }

  /// Returns luma and chroma of a colour, for drawing and encoding.
  static func fromRGB(
    _ red: Double, _ green: Double, _ blue: Double, _ matrix: ColorMatrix, _ range: ColorRange
  ) -> (y: UInt8, u: UInt8, v: UInt8) {
    let (kr, kb) = weights(matrix)
    let luma = kr * red + (1 - kr - kb) * green + kb * blue
    let u = (blue - luma) / (2 * (1 - kb))
    let v = (red - luma) / (2 * (1 - kr))
    func sample(_ value: Double) -> UInt8 { UInt8(min(max(value.rounded(), 0), 255)) }
    return range == .full
      ? (sample(luma), sample(u + 128), sample(v + 128))
      : (
        sample(16 + luma * 219 / 255), sample(128 + u * 224 / 255), sample(128 + v * 224 / 255)
      )
  }

  /// Returns the weights of red, green and blue for luma, U and V, in 16-bit fixed point.
  static func rows(
    _ matrix: ColorMatrix, _ range: ColorRange
  ) -> (luma: (Int, Int, Int), u: (Int, Int, Int), v: (Int, Int, Int)) {
    let (kr, kb) = weights(matrix)
    let kg = 1 - kr - kb
    let luma = range == .limited ? 219.0 / 255 : 1
    let chroma = range == .limited ? 224.0 / 255 : 1
    func fixed(_ value: Double) -> Int { Int((value * 65536).rounded()) }
    let blue = chroma / (2 * (1 - kb))
    let red = chroma / (2 * (1 - kr))
    return (
      (fixed(kr * luma), fixed(kg * luma), fixed(kb * luma)),
      (fixed(-kr * blue), fixed(-kg * blue), fixed((1 - kb) * blue)),
      (fixed((1 - kr) * red), fixed(-kg * red), fixed(-kb * red))
    )
  }
}
