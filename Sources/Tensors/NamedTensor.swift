/// A tensor with its name in the source model.
public struct NamedTensor: Sendable {
  public var name: String
  public var tensor: TensorBuffer

  public init(_ name: String, _ tensor: TensorBuffer) {
    self.name = name
    self.tensor = tensor
  }
}
