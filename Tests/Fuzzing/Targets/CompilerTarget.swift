import Compilation
import Graphs
import Importers

/// The importer and the compiler: a model of any content is either compiled or refused.
enum CompilerTarget: FuzzTarget {
  static let name = "compiler"

  static func run(_ bytes: UnsafeRawBufferPointer) {
    var limits = ONNXLimits()
    limits.nodes = 2000
    limits.densifiedBytes = 16 << 20
    guard let graph = try? Graph(onnxBytes: Array(bytes), limits: limits),
      let compiled = try? Compiler().compile(graph),
      let contents = try? ModelAssembly.contents(of: [compiled])
    else { return }
    // What the compiler plans must be a program that sessions accept.
    precondition((try? ModelAssembly.model(of: contents)) != nil, "a compiled model is refused")
  }
}
