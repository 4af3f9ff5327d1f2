import Graphs

/// Names files that are not ONNX models, so that the error says what was given.
enum ForeignFormat {
  private struct Signature {
    var offset = 0
    var bytes: [UInt8]
    var what: String

    init(_ text: String, at offset: Int = 0, _ what: String) {
      self.offset = offset
      bytes = Array(text.utf8)
      self.what = what
    }

    init(_ bytes: [UInt8], _ what: String) {
      self.bytes = bytes
      self.what = what
    }
  }

  /// Beginnings that no ONNX model has.
  private static let signatures: [Signature] = [
    Signature(
      "PK\u{3}\u{4}", "a zip archive (PyTorch .pt, Keras .keras or .npz): export it to ONNX"),
    Signature([0x89, 0x48, 0x44, 0x46], "HDF5 (Keras .h5): export it to ONNX with tf2onnx"),
    Signature("TFL3", at: 4, "TensorFlow Lite: convert it with tf2onnx --tflite"),
    Signature("ORTM", at: 4, "ONNX Runtime's own .ort format: use the .onnx it was made from"),
    Signature("GGUF", "GGUF, a format for language models"),
    Signature([0x80, 0x02, 0x8A, 0x0A], "a PyTorch pickle: export it to ONNX with torch.onnx"),
    Signature([0x1F, 0x8B], "gzip-compressed data: unpack it first"),
    Signature([0x7F, 0x45, 0x4C, 0x46], "a program or library (ELF)"),
    Signature("\u{93}NUMPY", "a NumPy array"),
    Signature("version https://git-lfs", "a Git LFS pointer: fetch the file with git lfs pull"),
    Signature("<!DOCTYPE", "a web page: the download went wrong"),
    Signature("<!doctype", "a web page: the download went wrong"),
    Signature("<html", "a web page: the download went wrong"),
    Signature("<?xml", "XML (perhaps an OpenVINO model)"),
    Signature("<net", "an OpenVINO model"),
    Signature("7767517", "an ncnn .param file"),
  ]

  /// The error for bytes that are certainly another format.
  static func certain(_ bytes: UnsafeRawBufferPointer) -> ImportError? {
    if bytes.isEmpty { return ImportError(.malformed, "the file is empty") }
    for signature in signatures
    where bytes.count >= signature.offset + signature.bytes.count
      && bytes[signature.offset..<signature.offset + signature.bytes.count]
        .elementsEqual(signature.bytes)
    {
      return notONNX(signature.what)
    }
    return nil
  }

  /// The error for bytes that were not understood as ONNX and look like something else.
  static func likely(_ bytes: UnsafeRawBufferPointer) -> ImportError? {
    let head = bytes.prefix(256)
    let isText = head.allSatisfy { $0 >= 32 && $0 < 127 || (9...13).contains($0) }
    if isText {
      let text = String(decoding: head, as: UTF8.self)
      let word = text.drop { $0.isWhitespace }.prefix { $0.isLetter || $0 == "_" || $0 == "<" }
      switch word {
      case "ir_version", "graph", "opset_import", "producer_name":
        return notONNX("a model in protobuf's text form: save it in the binary form")
      case "name", "layer", "layers", "input":
        return notONNX("a Caffe .prototxt")
      default:
        return notONNX(text.first == "{" ? "JSON" : "text")
      }
    }
    // A frozen TensorFlow graph is a list of nodes, a Caffe model begins with its name; the first
    // field of an ONNX model is a number.
    if bytes[0] == 0x0A { return notONNX("a TensorFlow GraphDef or a .caffemodel") }
    return nil
  }

  private static func notONNX(_ what: String) -> ImportError {
    ImportError(.malformed, "this is not an ONNX model; it looks like \(what)")
  }
}
