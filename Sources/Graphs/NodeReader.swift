import Tensors

/// A source node while its operator is made: typed access to attributes that notes which were
/// read, so that an attribute nobody knows is an error instead of a wrong answer.
public final class NodeReader {
  public let name: String
  public let operatorName: String
  public let domain: String
  /// The version of the operator set that the model imports for `domain`.
  public let version: Int
  /// For each input position: is it given?
  public let inputs: [Bool]
  /// For each output position: is it asked for?
  public let outputs: [Bool]
  private let attributes: [String: Attribute]
  private var read: Set<String> = []

  package init(
    name: String, operatorName: String, domain: String, version: Int, inputs: [Bool],
    outputs: [Bool], attributes: [String: Attribute]
  ) {
    self.name = name
    self.operatorName = operatorName
    self.domain = domain
    self.version = version
    self.inputs = inputs
    self.outputs = outputs
    self.attributes = attributes
  }

  /// The attributes that no call has asked for, in name order.
  package var unreadAttributes: [String] { attributes.keys.filter { !read.contains($0) }.sorted() }

  /// Says whether the input at this position is given.
  public func hasInput(_ index: Int) -> Bool { index < inputs.count && inputs[index] }

  public func has(_ name: String) -> Bool { attributes[name] != nil }

  /// Marks attributes as known that do not matter (such as training-only ones).
  public func ignore(_ names: String...) { read.formUnion(names) }

  public func int(_ name: String) throws(ImportError) -> Int? {
    switch take(name) {
    case .int(let value): return value
    case nil: return nil
    case let other?: throw mismatch(name, other, "an integer")
    }
  }

  public func int(_ name: String, default value: Int) throws(ImportError) -> Int {
    try int(name) ?? value
  }

  public func bool(_ name: String, default value: Bool) throws(ImportError) -> Bool {
    try int(name).map { $0 != 0 } ?? value
  }

  public func float(_ name: String) throws(ImportError) -> Float? {
    switch take(name) {
    case .float(let value): return value
    case .int(let value): return Float(value)
    case nil: return nil
    case let other?: throw mismatch(name, other, "a float")
    }
  }

  public func float(_ name: String, default value: Float) throws(ImportError) -> Float {
    try float(name) ?? value
  }

  public func string(_ name: String) throws(ImportError) -> String? {
    switch take(name) {
    case .string(let value): return value
    case nil: return nil
    case let other?: throw mismatch(name, other, "a string")
    }
  }

  public func string(_ name: String, default value: String) throws(ImportError) -> String {
    try string(name) ?? value
  }

  public func ints(_ name: String) throws(ImportError) -> [Int]? {
    switch take(name) {
    case .ints(let value): return value
    case nil: return nil
    case let other?: throw mismatch(name, other, "integers")
    }
  }

  public func floats(_ name: String) throws(ImportError) -> [Float]? {
    switch take(name) {
    case .floats(let value): return value
    case nil: return nil
    case let other?: throw mismatch(name, other, "floats")
    }
  }

  public func strings(_ name: String) throws(ImportError) -> [String]? {
    switch take(name) {
    case .strings(let value): return value
    case nil: return nil
    case let other?: throw mismatch(name, other, "strings")
    }
  }

  public func tensor(_ name: String) throws(ImportError) -> TensorBuffer? {
    switch take(name) {
    case .tensor(let value): return value
    case nil: return nil
    case let other?: throw mismatch(name, other, "a tensor")
    }
  }

  public func graph(_ name: String) throws(ImportError) -> Graph? {
    switch take(name) {
    case .graph(let value): return value
    case nil: return nil
    case let other?: throw mismatch(name, other, "a graph")
    }
  }

  /// An error about this node; the place is filled in.
  public func invalid(_ message: String) -> ImportError {
    ImportError(.invalidNode, message, place: place)
  }

  /// An error about something that this node uses and that is not supported.
  public func unsupported(_ message: String) -> ImportError {
    ImportError(.unsupported, message, place: place)
  }

  package var place: String { "node \"\(name)\" (\(operatorName))" }

  private func take(_ name: String) -> Attribute? {
    read.insert(name)
    return attributes[name]
  }

  private func mismatch(_ name: String, _ got: Attribute, _ wanted: String) -> ImportError {
    invalid("attribute \"\(name)\" is \(got.kind), but must be \(wanted)")
  }
}
