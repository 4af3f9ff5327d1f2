/// What a model file may ask for before it is refused: no file makes the importer run or allocate
/// without bound.
public struct ONNXLimits: Sendable {
  /// The size of the model file, and of each file of external data.
  public var fileBytes = 1 << 40
  /// Nodes of all graphs together, after functions have been written out.
  public var nodes = 2_000_000
  /// Inputs, outputs and initialisers of all graphs together.
  public var values = 4_000_000
  /// Uses of names: operands, attributes, operators, values, all counted every time.
  public var names = 200_000_000
  /// The length of one name.
  public var nameBytes = 16_384
  /// Graphs inside attributes of nodes of graphs, and functions that call functions, together.
  public var nestingDepth = 32
  /// The rank of a tensor.
  public var rank = 64
  /// The memory for sparse initialisers, which are stored densely.
  public var densifiedBytes = 256 << 20
  /// Operands, letters of names and attribute elements that writing out functions may copy.
  public var inlinedElements = 200_000_000

  public init() {}
}
