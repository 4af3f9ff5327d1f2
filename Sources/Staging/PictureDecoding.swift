import Graphs
import Imaging
import Operators
import Pictures
import Tensors

extension StagedRun {
  /// Decodes the picture file that the node's input holds.
  func decode(
    _ op: ImageDecoder, _ node: Graph.Node, _ inputs: [StagedValue?]
  ) throws(StagingError) -> TensorBuffer {
    guard let file = inputs.first??.tensor, file.type == .uint8, file.shape.rank == 1 else {
      throw StagingError(
        GraphError("input 0 (encoded_stream) must be the bytes of a file: 1-D uint8"), at: node)
    }
    let frame: Frame
    do throws(ImagingError) {
      frame = try Picture.decode(file.elements(as: UInt8.self)).converted(to: .rgb24)
    } catch {
      throw StagingError(GraphError(error.description), at: node)
    }
    let rgb = frame.denseBytes()
    switch op.channels {
    case .rgb: return TensorBuffer(.uint8, [frame.height, frame.width, 3], rgb)
    case .bgr:
      var bgr = rgb
      for pixel in stride(from: 0, to: bgr.count, by: 3) { bgr.swapAt(pixel, pixel + 2) }
      return TensorBuffer(.uint8, [frame.height, frame.width, 3], bgr)
    case .grayscale:
      let luma = stride(from: 0, to: rgb.count, by: 3).map { pixel in
        StagedRun.luma(rgb[pixel], rgb[pixel + 1], rgb[pixel + 2])
      }
      return TensorBuffer(.uint8, [frame.height, frame.width, 1], luma)
    }
  }

  /// ITU-R BT.601's luma in 16 bits behind the point, rounded: what Pillow's "L" is, which the
  /// standard's examples use.
  private static func luma(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
    let sum = 19595 * UInt32(red) + 38470 * UInt32(green) + 7471 * UInt32(blue) + 0x8000
    return UInt8(truncatingIfNeeded: sum >> 16)
  }
}
