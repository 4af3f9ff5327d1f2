@testable import Importers

/// The reader of the ONNX format's messages, without what they mean.
enum ProtobufTarget: FuzzTarget {
  static let name = "protobuf"

  static func run(_ bytes: UnsafeRawBufferPointer) {
    let source = ByteSource(copying: bytes)
    var parser = ONNXParser(source.bytes, limits: ONNXLimits())
    _ = try? parser.model(0..<source.bytes.count)
  }
}
