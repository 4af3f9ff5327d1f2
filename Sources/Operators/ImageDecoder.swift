import Graphs
import Tensors

/// Decodes a picture file: its bytes (1-D uint8) become [height, width, channels] uint8.
///
/// Formats: BMP, JPEG, JPEG 2000, PNG, PNM, TIFF, WebP. Channels are red, green, blue, or the
/// reverse, or one of luma. ONNX version 20. The size is known only when the file is, so runs in
/// stages decode it between programs.
package struct ImageDecoder: HostOperator {
  package static let name = "ImageDecoder"
  package static let sinceVersion = 20

  /// What the channels of the result are.
  package enum Channels: String, Sendable {
    case rgb = "RGB"
    case bgr = "BGR"
    case grayscale = "Grayscale"
  }

  package var channels: Channels

  package init(importing node: NodeReader) throws(ImportError) {
    let name = try node.string("pixel_format", default: "RGB")
    guard let channels = Channels(rawValue: name) else {
      throw node.invalid(
        "pixel_format is \(name.quoted), but must be \"RGB\", \"BGR\" or \"Grayscale\"")
    }
    self.channels = channels
  }
}
