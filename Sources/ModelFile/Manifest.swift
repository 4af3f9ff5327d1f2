import Instructions
import Tensors

/// The text for people at the head of a model file. Generated, never parsed.
enum Manifest {
  static func text(_ contents: ModelContents) -> String {
    var lines = ["Apus model file, format \(FileFormat.version)", ""]
    lines.append((contents.proof.isProven ? "proven: " : "NOT PROVEN: ") + contents.proof.sentence)
    for (key, value) in contents.origin.sorted(by: { $0.key < $1.key }) {
      lines.append("\(key): \(value)")
    }
    for input in contents.processing.inputs {
      lines.append("preprocessing of \(input.name): \(input.text)")
    }
    if let text = contents.processing.postprocessing { lines.append("postprocessing: \(text)") }
    if let source = contents.source {
      let size = source.parts.reduce(0) { $0 + $1.tensor.byteCount }
      lines += [
        "",
        "no program: the source model itself (\(source.format), \(size) bytes), to be compiled "
          + "to \(source.precision) where it runs",
      ]
    }
    for (index, variant) in contents.variants.enumerated() {
      let program = variant.program
      lines += [
        "",
        "program \(index): \(variant.precision), \(program.instructions.count) instructions, "
          + "\(variant.operationCount) operations",
        "  memory: \(program.arenaByteCount) bytes of arena, \(variant.weightByteCount) bytes of "
          + "weights",
      ]
      for port in program.inputs { lines.append("  input  \(describe(port))") }
      for port in program.outputs { lines.append("  output \(describe(port))") }
    }
    lines += ["", "self-test vectors: \(contents.selfTests.count)", ""]
    // A name may hold a line break or worse; the text stays one line per fact.
    return lines.map { line in String(line.map { $0.isNewline ? " " : $0 }) }
      .joined(separator: "\n")
  }

  private static func describe(_ port: Program.Port) -> String {
    "\(port.name): \(port.type) \(port.shape)"
  }
}
