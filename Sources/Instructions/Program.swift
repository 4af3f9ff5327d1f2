import Tensors

/// What the machine does for one set of input shapes at one precision: a flat list of instructions
/// over a table of tensors.
public struct Program: Sendable {
  /// A tensor at the program's border, in the source model's own terms.
  public struct Port: Sendable {
    /// The source model's name.
    public var name: String
    /// The element type that the source model declares.
    public var type: ElementType
    /// The shape that the source model declares, dynamic extents filled in.
    public var shape: Shape
    /// The tensor that holds it: dense, of exactly this type and shape.
    package var operand: Operand

    package init(name: String, type: ElementType, shape: Shape, operand: Operand) {
      self.name = name
      self.type = type
      self.shape = shape
      self.operand = operand
    }
  }

  package var tensors: [TensorSpec] = []
  package var instructions: [any Instruction] = []
  /// The source nodes that an instruction came from, by instruction: names for traces and proofs.
  package var origins: [String] = []
  public package(set) var inputs: [Port] = []
  public package(set) var outputs: [Port] = []
  /// Whether results have the same bits on every machine even if no tensor is quantised: so in int8
  /// programs in which nothing was worth 8 bits.
  package var isExact = false
  /// The bytes of activations that a session needs; set by the planner.
  public package(set) var arenaByteCount = 0

  package init() {}
}
