import Graphs
import Importers
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Models of the shared data folder, which is beside the package and not part of it.
enum RealModels {
  static let directory: String = {
    let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let beside = "/\(package)/../shared/data/models"
    return realpath(beside, nil).map { path in
      defer { free(path) }
      return String(cString: path)
    } ?? ""
  }()

  static let all: [String] =
    names(in: directory) + names(in: directory + "/qdq").map { "qdq/" + $0 }

  private static func names(in directory: String) -> [String] {
    guard let handle = opendir(directory) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasSuffix(".onnx") { names.append(name) }
    }
    return names.sorted()
  }
}

struct RealModelsTests {
  @Test(
    .enabled(if: !RealModels.all.isEmpty, "NO MODELS: ../shared/data/models is absent"),
    arguments: RealModels.all)
  func `every real model becomes a sound graph`(name: String) throws {
    let graph = try Graph(onnxFile: "\(RealModels.directory)/\(name)")
    try GraphVerifier.verify(graph)
    #expect(!graph.inputs.isEmpty && !graph.outputs.isEmpty && !graph.nodes.isEmpty)
    #expect(graph.text.contains("out %"))
  }
}
