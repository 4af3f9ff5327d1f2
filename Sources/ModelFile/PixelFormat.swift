/// How the samples of a picture lie in memory.
///
/// Packed formats have one plane, planar ones three; `nv12` and `nv21` have luma and interleaved
/// chroma at half the resolution, `i420` has luma and two chroma planes at half the resolution.
public enum PixelFormat: Int32, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  case rgb24 = 1
  case bgr24 = 2
  case gray8 = 3
  case nv12 = 4
  case nv21 = 5
  case i420 = 6
  case rgba = 7
  case rgbPlanar = 8
  case bgrPlanar = 9

  /// The name in specifications.
  public var description: String {
    switch self {
    case .rgb24: "rgb24"
    case .bgr24: "bgr24"
    case .gray8: "gray8"
    case .nv12: "nv12"
    case .nv21: "nv21"
    case .i420: "i420"
    case .rgba: "rgba"
    case .rgbPlanar: "rgb-planar"
    case .bgrPlanar: "bgr-planar"
    }
  }

  /// Finds a format by its name; `rgb`, `bgr`, `gray` and `yuv420p` are accepted too.
  public init?(name: String) {
    let aliases: [String: PixelFormat] = [
      "rgb": .rgb24, "bgr": .bgr24, "gray": .gray8, "grey": .gray8, "yuv420p": .i420,
    ]
    guard
      let format = PixelFormat.allCases.first(where: { $0.description == name })
        ?? aliases[name]
    else { return nil }
    self = format
  }

  /// Says whether the samples are luma and chroma, so that matrix and range matter.
  public var isYUV: Bool { self == .nv12 || self == .nv21 || self == .i420 }

  /// The number of planes.
  public var planeCount: Int {
    switch self {
    case .rgb24, .bgr24, .gray8, .rgba: 1
    case .nv12, .nv21: 2
    case .i420, .rgbPlanar, .bgrPlanar: 3
    }
  }

  /// Returns the bytes of a row and the rows of one plane of a picture of this size.
  public func planeExtent(_ plane: Int, width: Int, height: Int) -> (rowBytes: Int, rows: Int) {
    let halfWidth = (width + 1) / 2
    let halfHeight = (height + 1) / 2
    switch self {
    case .rgb24, .bgr24: return (width * 3, height)
    case .rgba: return (width * 4, height)
    case .gray8, .rgbPlanar, .bgrPlanar: return (width, height)
    case .nv12, .nv21: return plane == 0 ? (width, height) : (halfWidth * 2, halfHeight)
    case .i420: return plane == 0 ? (width, height) : (halfWidth, halfHeight)
    }
  }
}
