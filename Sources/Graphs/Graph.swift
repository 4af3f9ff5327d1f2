import Tensors

/// What a model says: operators in topological order over named values.
///
/// A graph as imported may hold symbolic dimensions; a *specialised* graph knows the element type
/// and every extent of every value (see `Graph.info(of:)`).
public struct Graph: Sendable {
  /// The identity of a value in its graph.
  public struct ValueID: Sendable, Hashable {
    package var index: Int32
    package init(_ index: Int) { self.index = Int32(index) }
  }

  /// One extent of a declared shape.
  public enum Dimension: Sendable, Hashable, CustomStringConvertible {
    case known(Int)
    /// An extent that the model leaves open, by its name; empty where it has none.
    case symbol(String)

    public var description: String {
      switch self {
      case .known(let extent): "\(extent)"
      case .symbol(let name): name.isEmpty ? "?" : name
      }
    }
  }

  /// What a value is made of. Programs know tensors only; the others exist between them.
  public enum Kind: Sendable, Hashable, CustomStringConvertible {
    case tensor
    /// Any number of tensors of one element type.
    case sequence
    /// A tensor, a sequence, or nothing.
    case optional

    public var description: String {
      switch self {
      case .tensor: "a tensor"
      case .sequence: "a sequence"
      case .optional: "an optional"
      }
    }
  }

  /// What nodes exchange: a tensor, if `kind` does not say otherwise.
  public struct Value: Sendable {
    public var name: String
    /// What the source declares an input or output to be; of others it may not be known.
    public var kind = Kind.tensor
    /// The element type, where known. Of a computed value of an imported graph it is what the
    /// source claims, until inference has replaced it.
    public var type: ElementType?
    /// The extents, where known (or claimed, as the type); nil where not even the rank is.
    public var dimensions: [Dimension]?
    /// The contents of a constant.
    public var constant: TensorBuffer?
    /// How an int8 program keeps the value in 8 bits; nil where it stays a float. Of weights it
    /// is that of int8 elements, of everything else that of uint8 elements.
    public var quantization: Quantization?

    package init(
      name: String, type: ElementType? = nil, dimensions: [Dimension]? = nil,
      constant: TensorBuffer? = nil
    ) {
      self.name = name
      self.type = type
      self.dimensions = dimensions
      self.constant = constant
    }

    /// The shape, if every extent is known.
    public var shape: Shape? {
      guard let dimensions else { return nil }
      var extents: [Int] = []
      for dimension in dimensions {
        guard case .known(let extent) = dimension else { return nil }
        extents.append(extent)
      }
      return Shape(extents)
    }
  }

  /// One use of an operator.
  public struct Node: Sendable {
    /// The source's name; made from the operator and the first output where the source has none.
    public var name: String
    public var op: any Operator
    /// Operands by position; nil for an optional one that is absent.
    public var inputs: [ValueID?]
    /// Results by position; nil for one that nobody asked for.
    public var outputs: [ValueID?]

    package init(name: String, op: any Operator, inputs: [ValueID?], outputs: [ValueID?]) {
      self.name = name
      self.op = op
      self.inputs = inputs
      self.outputs = outputs
    }
  }

  public package(set) var name = ""
  public package(set) var values: [Value] = []
  /// In topological order: every value is made before it is used.
  public package(set) var nodes: [Node] = []
  /// What a run must be given, in the source's order; constants are not among them.
  public package(set) var inputs: [ValueID] = []
  public package(set) var outputs: [ValueID] = []
  /// In a graph that is an attribute of a node: the values that come from the graph around it.
  ///
  /// The node takes them as inputs, after its own: for each of its graph attributes, in the order
  /// of the attributes' names, as many as that graph captures, in this order. Constants are not
  /// captured; the inner graph has them too.
  public package(set) var captures: [ValueID] = []
  /// Where the model comes from: producer, version, opsets; for `inspect` and the model file.
  public package(set) var origin: [(key: String, value: String)] = []

  /// Whether the quantisations are the source model's own: then a value that has one is exactly
  /// what its 8 bits say, for everyone who reads it.
  public package(set) var hasOwnQuantization = false

  package init() {}

  public package(set) subscript(id: ValueID) -> Value {
    get { values[Int(id.index)] }
    set { values[Int(id.index)] = newValue }
  }

  /// Adds a value and returns its identity.
  package mutating func add(_ value: Value) -> ValueID {
    values.append(value)
    return ValueID(values.count - 1)
  }

  /// What inference knows of a value of a specialised graph; nil while type or shape are open.
  package func info(of id: ValueID) -> ValueInfo? {
    let value = self[id]
    guard let type = value.type, let shape = value.shape else { return nil }
    return ValueInfo(type: type, shape: shape, constant: value.constant)
  }
}
