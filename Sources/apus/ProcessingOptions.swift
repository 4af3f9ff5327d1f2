import Detections
import Files
import Instructions
import ModelFile
import Options
import Tensors

/// `--preprocess` and `--postprocess`, as several verbs take them.
struct ProcessingOptions {
  private let preprocess: [(input: String?, specification: Preprocessing)]
  private let postprocess: Postprocessing?

  init(_ given: Given) throws {
    preprocess = try given[SharedOptions.preprocess].map { try Preprocessing.option($0) }
    postprocess = try given[SharedOptions.postprocess].map { text in
      var specification = try Postprocessing(parsing: text)
      if let path = specification.classesPath {
        specification.labels = try Detector.labels(at: path)
      }
      return specification
    }
  }

  var isEmpty: Bool { preprocess.isEmpty && postprocess == nil }

  /// Fits the options to a program's inputs.
  ///
  /// - Throws: an unknown input name, an input that is no picture, a size that does not fit.
  func processing(
    for inputs: [Program.Port], outputs: [Program.Port], over stored: Processing = Processing()
  ) throws -> Processing {
    var result = stored
    for (name, specification) in preprocess {
      let port = try port(name, among: inputs)
      let resolved = try specification.resolved(
        input: port.name, shape: port.shape, type: port.type)
      result.inputs.removeAll { $0.name == port.name }
      result.inputs.append(
        Processing.Input(name: port.name, text: resolved.specification.description))
    }
    if let postprocess { result.postprocessing = postprocess.serialised }
    return result
  }

  private func port(_ name: String?, among inputs: [Program.Port]) throws -> Program.Port {
    let names = inputs.map(\.name).joined(separator: ", ")
    guard let name else {
      guard inputs.count == 1 else {
        throw UsageError("--preprocess needs a name, as NAME:KEY=VALUE: the inputs are \(names)")
      }
      return inputs[0]
    }
    guard let port = inputs.first(where: { $0.name == name }) else {
      throw UsageError("--preprocess: there is no input '\(name)'; the inputs are \(names)")
    }
    return port
  }
}
