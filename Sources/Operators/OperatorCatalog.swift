import Graphs

/// Every operator that Apus reads. Importers look operators up here; tests and documentation walk
/// the table.
public enum OperatorCatalog {
  /// One line per operator, by name.
  package static let all: [any LoweredOperator.Type] = [
    Identity.self
  ]

  private static let byName: [String: any LoweredOperator.Type] = Dictionary(
    all.map { (key(domain: $0.domain, name: $0.name), $0) },
    uniquingKeysWith: { first, _ in first })

  /// Returns the operator, or nil. `ai.onnx` and the empty domain are the same.
  package static func type(domain: String, name: String) -> (any LoweredOperator.Type)? {
    byName[key(domain: domain == "ai.onnx" ? "" : domain, name: name)]
  }

  private static func key(domain: String, name: String) -> String { "\(domain):\(name)" }
}
