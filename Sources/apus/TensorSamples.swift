import Archives
import Graphs
import Instructions
import Options
import Tensors
import Texts

/// The inputs of one run, read from an `.npz` or `.npy` file.
struct TensorSample {
  let path: String
  let tensors: [NamedTensor]

  /// Says whether the file holds tensors, which bypass preprocessing.
  static func isTensorFile(_ path: String) -> Bool {
    let lower = path.lowercased()
    return lower.hasSuffix(".npz") || lower.hasSuffix(".npy")
  }

  init(_ path: String) throws {
    self.path = path
    tensors = try Archive.read(path)
  }

  /// The shapes by input name; an unnamed tensor is that of the only input.
  func shapes(inputs: [String]) throws -> [String: Shape] {
    var result: [String: Shape] = [:]
    for (name, tensor) in try named(inputs: inputs) { result[name] = tensor.shape }
    return result
  }

  /// The tensors in the order of the ports, checked against names, types and shapes.
  ///
  /// - Throws: exit 65 with both sides where something does not fit.
  func ordered(for ports: [Program.Port]) throws -> [TensorBuffer] {
    let byName = try named(inputs: ports.map(\.name))
    return try ports.map { port in
      guard let tensor = byName[port.name] else {
        throw VerbError(
          .badInput,
          "\(path) lacks the input \"\(port.name)\" (\(port.type) \(port.shape)); it holds "
            + held)
      }
      guard tensor.type == port.type, tensor.shape == port.shape else {
        throw VerbError(
          .badInput,
          "\(path): \"\(port.name)\" is \(tensor.type) \(tensor.shape), but the model takes "
            + "\(port.type) \(port.shape)")
      }
      return tensor
    }
  }

  /// The samples of the file: every array is the input's shape with its leading dimension
  /// multiplied by their number.
  ///
  /// - Throws: exit 65 where names, types or shapes do not fit, or the numbers of samples differ.
  func samples(for ports: [Program.Port]) throws -> [[TensorBuffer]] {
    let byName = try named(inputs: ports.map(\.name))
    guard let first = ports.first, let tensor = byName[first.name] else {
      return [try ordered(for: ports)]
    }
    let lead = max(first.shape.dimensions.first ?? 1, 1)
    let count = max((tensor.shape.dimensions.first ?? 1) / lead, 1)
    return try (0..<count).map { index in
      try ports.map { port in
        guard let tensor = byName[port.name] else {
          throw VerbError(.badInput, "\(path) lacks the input \"\(port.name)\"; it holds \(held)")
        }
        return try TensorSample.slice(tensor, index, of: count, to: port, path: path)
      }
    }
  }

  /// Sample `index` of `count` in an array that holds them along its leading dimension.
  static func slice(
    _ tensor: TensorBuffer, _ index: Int, of count: Int, to port: Program.Port, path: String
  ) throws -> TensorBuffer {
    var whole = port.shape
    if whole.rank == 0 { whole = [count] } else { whole[0] *= count }
    let isScalar = count == 1 && tensor.shape == port.shape
    guard tensor.type == port.type, tensor.shape == whole || isScalar else {
      throw VerbError(
        .badInput,
        "\(path): \"\(port.name)\" is \(tensor.type) \(tensor.shape), but \(count) sample"
          + (count == 1 ? "" : "s") + " of the model's \(port.type) \(port.shape) are \(whole)")
    }
    let size = tensor.byteCount / count
    let result = TensorBuffer(zeros: port.type, port.shape)
    tensor.withBytes { source in
      result.withMutableBytes { target in
        target.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[index * size..<(index + 1) * size]))
      }
    }
    return result
  }

  private var held: String {
    tensors.isEmpty
      ? "nothing"
      : tensors.map { "\"\($0.name)\" (\($0.tensor.type) \($0.tensor.shape))" }
        .joined(separator: ", ")
  }

  private func named(inputs: [String]) throws -> [String: TensorBuffer] {
    if tensors.count == 1, inputs.count == 1, tensors[0].name.isEmpty {
      return [inputs[0]: tensors[0].tensor]
    }
    var result: [String: TensorBuffer] = [:]
    for item in tensors {
      guard inputs.contains(item.name) else {
        throw VerbError(
          .badInput,
          "\(path): the model has no input \"\(item.name)\"; it has "
            + inputs.map { "\"\($0)\"" }.joined(separator: ", ") + "."
            + Suggestion.question(item.name, in: inputs))
      }
      result[item.name] = item.tensor
    }
    return result
  }
}
