import Graphs
import Operators
import Texts

/// The nodes of a model that cannot be imported: gathered, so that one error names all of them.
struct ImportProblems {
  private(set) var all: [ImportProblem] = []
  private var code = ImportError.Code.invalidNode
  /// What was said of an operator before; a long search for each of very many names is cut.
  private var explanations: [String: (reason: String, remedy: String?)] = [:]

  mutating func add(_ problem: ImportProblem, code: ImportError.Code = .unsupported) {
    all.append(problem)
    // A contradiction in the file weighs more than a gap in what is supported.
    if code == .malformed || self.code != .malformed && code == .unsupported { self.code = code }
  }

  /// Adds a node whose operator is not in the catalogue.
  mutating func addUnknown(_ problem: ImportProblem) {
    var problem = problem
    let key = "\(problem.domain):\(problem.operatorName)"
    let explanation =
      explanations[key]
      ?? UnknownOperator.explain(
        domain: problem.domain, name: problem.operatorName, searching: explanations.count < 200)
    if explanations.count < 200 { explanations[key] = explanation }
    (problem.reason, problem.remedy) = explanation
    add(problem)
  }

  /// The error that lists everything, or nil if there is nothing to list.
  var error: ImportError? {
    guard !all.isEmpty else { return nil }
    var groups: [(key: Key, nodes: [String])] = []
    var places: [Key: Int] = [:]
    for problem in all {
      let key = Key(problem)
      if let place = places[key] {
        groups[place].nodes.append(problem.node)
      } else {
        places[key] = groups.count
        groups.append((key, [problem.node]))
      }
    }
    let count = all.count == 1 ? "one node" : "\(all.count) nodes"
    var lines = ["\(count) cannot be imported:"]
    for group in groups.prefix(ImportProblems.shownGroups) {
      let key = group.key
      lines.append("  \(key.operatorName) (\(key.domain) \(key.version)) \(key.reason)")
      lines.append("    \(list(group.nodes))")
    }
    if groups.count > ImportProblems.shownGroups {
      lines.append("  and \(groups.count - ImportProblems.shownGroups) more operators")
    }
    lines += remedies(groups.prefix(ImportProblems.shownGroups).map(\.key))
    var error = ImportError(code, lines.joined(separator: "\n"))
    error.problems = all
    return error
  }

  private static let shownGroups = 100

  /// One line per remedy, with the operators that it is for.
  private func remedies(_ keys: [Key]) -> [String] {
    var remedies: [(text: String, operators: [String])] = []
    for key in keys {
      guard let text = key.remedy else { continue }
      if let index = remedies.firstIndex(where: { $0.text == text }) {
        remedies[index].operators.append(key.operatorName)
      } else {
        remedies.append((text, [key.operatorName]))
      }
    }
    return remedies.map {
      "  what to do about \($0.operators.joined(separator: ", ")): \($0.text)"
    }
  }

  private func list(_ nodes: [String]) -> String {
    let shown = nodes.prefix(20).map(\.quoted).joined(separator: ", ")
    let rest = nodes.count > 20 ? " and \(nodes.count - 20) more" : ""
    return (nodes.count == 1 ? "node " : "\(nodes.count) nodes: ") + shown + rest
  }

  /// What nodes that share a line have in common.
  private struct Key: Hashable {
    var operatorName: String
    var domain: String
    var version: Int
    var reason: String
    var remedy: String?

    init(_ problem: ImportProblem) {
      operatorName = problem.operatorName
      domain = problem.domain
      version = problem.version
      reason = problem.reason
      remedy = problem.remedy
    }
  }
}

/// What to say of an operator that the catalogue does not have.
enum UnknownOperator {
  /// - Parameter searching: look for an operator with a similar name.
  static func explain(
    domain: String, name: String, searching: Bool
  ) -> (reason: String, remedy: String?) {
    if let known = families.first(where: { $0.matches(domain, name) }) {
      return (known.reason, known.remedy)
    }
    if searching, let near = nearest(domain: domain, name: name) {
      return ("is not an operator that Apus reads", "is it \(near)?")
    }
    if domain != "ai.onnx" {
      return (
        "is an operator of the domain \(domain.quoted), which Apus does not read",
        "export the model without operators of that domain, or with their ONNX functions"
      )
    }
    return (
      "is not an operator that Apus reads",
      "fold constants (an exporter's or simplifier's constant folding may remove it), or express "
        + "it with other operators"
    )
  }

  private struct Family {
    var domain: String?
    var names: [String]
    var reason: String
    var remedy: String

    func matches(_ domain: String, _ name: String) -> Bool {
      (self.domain == nil || self.domain == domain)
        && (names.isEmpty
          || names.contains {
            $0.hasSuffix("*") ? name.hasPrefix($0.dropLast()) : name == $0
          })
    }
  }

  private static let families: [Family] = [
    Family(
      domain: "ai.onnx", names: ["String*", "RegexFullMatch"],
      reason: "works on text, and Apus has no tensors of strings",
      remedy: "do this step outside of the model; begin or end the graph with the numeric part"),
    Family(
      domain: "ai.onnx.ml", names: [],
      reason: "is a classical machine-learning operator, which Apus does not read",
      remedy: "keep the neural part in this model and run the rest beside it"),
    Family(
      domain: "ai.onnx.preview.training", names: [],
      reason: "belongs to training",
      remedy: "export the model for inference (model.eval())"),
    Family(
      domain: nil, names: ["ATen", "PythonOp"],
      reason: "is a fallback that only PyTorch can run",
      remedy: "export with operator_export_type=ONNX and a newer opset"),
    Family(
      domain: nil, names: ["EfficientNMS_TRT", "BatchedNMS_TRT", "BatchedNMSDynamic_TRT"],
      reason: "is a plug-in of another runtime",
      remedy: "export without end-to-end NMS and give --postprocess instead"),
    Family(
      domain: "com.microsoft.nchwc", names: [],
      reason: "is made by ONNX Runtime's optimiser for one machine",
      remedy: "use the model as it was before it was optimised"),
    Family(
      domain: "com.microsoft", names: ["Fused*"],
      reason: "is made by ONNX Runtime's optimiser",
      remedy: "use the model as it was before it was optimised (or optimise at level basic)"),
  ]

  /// The operator whose name is nearest, if one is near enough to be meant.
  private static func nearest(domain: String, name: String) -> String? {
    let all: [any Operator.Type] = OperatorCatalog.all + OperatorCatalog.hosted
    if let other = all.first(where: { $0.name == name }) {
      return "\(name) of the domain \(ONNXOpset.domainName(other.domain))"
    }
    let known = all.filter { ONNXOpset.domainName($0.domain) == domain }
    return Suggestion.nearest(name, in: known.map { $0.name })
  }
}
