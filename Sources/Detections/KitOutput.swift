public import Tensors

/// An output of a model, with its name.
public struct KitOutput: Sendable {
  public let name: String
  public let tensor: TensorBuffer

  public init(name: String, tensor: TensorBuffer) {
    self.name = name
    self.tensor = tensor
  }

  /// The name, type and shape in messages.
  var text: String { "'\(name)' \(tensor.type)[\(tensor.shape.listed)]" }

  /// The elements of sample `index` along the leading dimension, as float32.
  func floats(sample index: Int) -> [Float]? {
    let batch = tensor.shape.rank > 0 ? tensor.shape[0] : 1
    guard index >= 0, index < batch, batch > 0 else { return nil }
    let count = tensor.elementCount / batch
    if tensor.type == .float32 {
      return tensor.withBytes { bytes in
        [Float](unsafeUninitializedCapacity: count) { target, filled in
          UnsafeMutableRawBufferPointer(target).copyMemory(
            from: UnsafeRawBufferPointer(
              rebasing: bytes[(index * count * 4)..<((index + 1) * count * 4)]))
          filled = count
        }
      }
    }
    return tensor.floats().map { Array($0[(index * count)..<((index + 1) * count)]) }
  }
}

extension Shape {
  /// The extents as in messages: `1,84,8400`.
  var listed: String { dimensions.map(String.init).joined(separator: ",") }

  /// The extents after the leading one, without extents of 1 among them if too many for `rank`.
  func sampleExtents(rank: Int) -> [Int]? {
    guard self.rank >= 1 else { return nil }
    var extents = Array(dimensions.dropFirst())
    while extents.count > rank, let one = extents.firstIndex(of: 1) { extents.remove(at: one) }
    return extents.count == rank ? extents : nil
  }
}
