import Graphs
import Operators

/// The nodes of a model that cannot be imported: gathered, so that one error names all of them.
struct ImportProblems {
  private(set) var all: [ImportProblem] = []
  private var code = ImportError.Code.invalidNode

  mutating func add(_ problem: ImportProblem, code: ImportError.Code = .unsupported) {
    all.append(problem)
    // A contradiction in the file weighs more than a gap in what is supported.
    if code == .malformed || self.code != .malformed && code == .unsupported { self.code = code }
  }

  /// Adds a node whose operator is not in the catalogue.
  mutating func addUnknown(_ problem: ImportProblem) {
    var problem = problem
    (problem.reason, problem.remedy) = UnknownOperator.explain(
      domain: problem.domain, name: problem.operatorName)
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
    for group in groups {
      let key = group.key
      lines.append("  \(key.operatorName) (\(key.domain) \(key.version)) \(key.reason)")
      if let remedy = key.remedy { lines.append("    what to do: \(remedy)") }
      lines.append("    \(list(group.nodes))")
    }
    var error = ImportError(code, lines.joined(separator: "\n"))
    error.problems = all
    return error
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
  static func explain(domain: String, name: String) -> (reason: String, remedy: String?) {
    if let known = families.first(where: { $0.matches(domain, name) }) {
      return (known.reason, known.remedy)
    }
    if let near = nearest(domain: domain, name: name) {
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
        && (names.isEmpty || names.contains { name == $0 || $0.hasSuffix("*") && name.hasPrefix($0.dropLast()) })
    }
  }

  private static let families: [Family] = [
    Family(
      domain: "ai.onnx", names: ["Sequence*", "SplitToSequence", "ConcatFromSequence"],
      reason: "works on sequences of tensors, which Apus does not have",
      remedy: "index tensors instead of lists in the source, or unroll the loop before export"),
    Family(
      domain: "ai.onnx", names: ["Optional*"],
      reason: "works on optional values, which Apus does not have",
      remedy: "pass a tensor with a flag instead"),
    Family(
      domain: "ai.onnx", names: ["String*", "RegexFullMatch", "TfIdfVectorizer", "ImageDecoder"],
      reason: "works on text or files",
      remedy: "do this step before the model; end the graph after the numeric part"),
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
    let short = domain == "ai.onnx" ? "" : domain
    var best: (distance: Int, name: String)?
    for type in OperatorCatalog.all {
      if type.name == name, type.domain != short {
        return "\(type.name) of the domain \(ONNXOpset.domainName(type.domain))"
      }
      guard type.domain == short, abs(type.name.utf8.count - name.utf8.count) <= 2 else { continue }
      let distance = editDistance(type.name, name)
      if distance <= min(2, name.utf8.count / 3), distance < best?.distance ?? .max {
        best = (distance, type.name)
      }
    }
    return best?.name
  }

  private static func editDistance(_ a: String, _ b: String) -> Int {
    let a = Array(a.lowercased().utf8)
    let b = Array(b.lowercased().utf8)
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let cost = min(row[j] + 1, row[j + 1] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
        diagonal = row[j + 1]
        row[j + 1] = cost
      }
    }
    return row[b.count]
  }
}
