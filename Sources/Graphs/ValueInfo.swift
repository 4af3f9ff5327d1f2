import Tensors

/// What is known of a value when shapes are inferred and instructions are made.
public struct ValueInfo: Sendable {
  public var type: ElementType
  public var shape: Shape
  /// The contents, where they are known at compile time.
  public var constant: TensorBuffer?

  public init(type: ElementType, shape: Shape, constant: TensorBuffer? = nil) {
    self.type = type
    self.shape = shape
    self.constant = constant
  }
}
