/// Writes protobuf messages for tests, right ones and wrong ones.
struct Message {
  var bytes: [UInt8] = []

  init() {}

  init(_ fill: (inout Message) -> Void) { fill(&self) }

  mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 128 {
      bytes.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func tag(_ field: Int, _ wire: UInt64) { varint(UInt64(field) << 3 | wire) }

  mutating func int(_ field: Int, _ value: Int) {
    tag(field, 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func float(_ field: Int, _ value: Float) {
    tag(field, 5)
    append(value.bitPattern)
  }

  mutating func data(_ field: Int, _ content: [UInt8]) {
    tag(field, 2)
    varint(UInt64(content.count))
    bytes += content
  }

  mutating func text(_ field: Int, _ content: String) { data(field, Array(content.utf8)) }

  mutating func message(_ field: Int, _ content: Message) { data(field, content.bytes) }

  mutating func packed(_ field: Int, _ values: [Int]) {
    data(field, Message { m in for v in values { m.varint(UInt64(bitPattern: Int64(v))) } }.bytes)
  }

  mutating func append<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }
}

func raw<T: BitwiseCopyable>(_ values: [T]) -> [UInt8] {
  values.withUnsafeBytes { Array($0) }
}

/// Parts of ONNX models for tests, by the field numbers of onnx.proto.
enum ONNX {
  /// A model of one graph; `more` adds fields to the model.
  static func model(
    opset: Int = 17, ir: Int = 8, functions: [Message] = [], _ graph: Message
  ) -> [UInt8] {
    Message { m in
      m.int(1, ir)
      m.text(2, "test")
      m.message(7, graph)
      m.message(8, Message { $0.int(2, opset) })
      for function in functions { m.message(25, function) }
      m.message(
        8,
        Message {
          $0.text(1, "local")
          $0.int(2, 1)
        })
    }.bytes
  }

  static func graph(
    nodes: [Message] = [], constants: [Message] = [], sparse: [Message] = [],
    inputs: [Message] = [], outputs: [Message] = [], hints: [Message] = []
  ) -> Message {
    Message { m in
      m.text(2, "main")
      for node in nodes { m.message(1, node) }
      for constant in constants { m.message(5, constant) }
      for input in inputs { m.message(11, input) }
      for output in outputs { m.message(12, output) }
      for hint in hints { m.message(13, hint) }
      for tensor in sparse { m.message(15, tensor) }
    }
  }

  static func node(
    _ op: String, _ inputs: [String], _ outputs: [String], name: String = "", domain: String = "",
    _ attributes: [Message] = []
  ) -> Message {
    Message { m in
      for input in inputs { m.text(1, input) }
      for output in outputs { m.text(2, output) }
      if !name.isEmpty { m.text(3, name) }
      m.text(4, op)
      for attribute in attributes { m.message(5, attribute) }
      if !domain.isEmpty { m.text(7, domain) }
    }
  }

  /// A value of float32; an extent of nil is open without a name.
  static func value(_ name: String, _ extents: [Any] = [1], type: Int = 1) -> Message {
    let shape = Message { m in
      for extent in extents {
        m.message(
          1,
          Message {
            if let number = extent as? Int { $0.int(1, number) }
            if let symbol = extent as? String { $0.text(2, symbol) }
          })
      }
    }
    let tensor = Message {
      $0.int(1, type)
      $0.message(2, shape)
    }
    return Message {
      $0.text(1, name)
      $0.message(2, Message { $0.message(1, tensor) })
    }
  }

  static func tensor(
    _ name: String, _ type: Int, _ dimensions: [Int], raw: [UInt8]? = nil,
    _ more: (inout Message) -> Void = { _ in }
  ) -> Message {
    Message { m in
      for extent in dimensions { m.int(1, extent) }
      m.int(2, type)
      m.text(8, name)
      if let raw { m.data(9, raw) }
      more(&m)
    }
  }

  static func external(
    _ name: String, _ dimensions: [Int], _ entries: [(String, String)]
  ) -> Message {
    tensor(name, 1, dimensions) { m in
      for (key, value) in entries {
        m.message(
          13,
          Message {
            $0.text(1, key)
            $0.text(2, value)
          })
      }
      m.int(14, 1)
    }
  }

  enum Attribute {
    static func int(_ name: String, _ value: Int) -> Message { make(name, 2) { $0.int(3, value) } }
    static func float(_ name: String, _ value: Float) -> Message {
      make(name, 1) { $0.float(2, value) }
    }
    static func text(_ name: String, _ value: String) -> Message {
      make(name, 3) { $0.text(4, value) }
    }
    static func ints(_ name: String, _ values: [Int]) -> Message {
      make(name, 7) { m in for value in values { m.int(8, value) } }
    }
    static func tensor(_ name: String, _ value: Message) -> Message {
      make(name, 4) { $0.message(5, value) }
    }
    static func graph(_ name: String, _ value: Message) -> Message {
      make(name, 5) { $0.message(6, value) }
    }
    static func reference(_ name: String, to other: String, type: Int) -> Message {
      make(name, type) { $0.text(21, other) }
    }
    static func make(_ name: String, _ type: Int, _ fill: (inout Message) -> Void) -> Message {
      Message { m in
        m.text(1, name)
        fill(&m)
        m.int(20, type)
      }
    }
  }

  static func function(
    _ name: String, _ inputs: [String], _ outputs: [String], _ nodes: [Message],
    attributes: [String] = [], defaults: [Message] = []
  ) -> Message {
    Message { m in
      m.text(1, name)
      for input in inputs { m.text(4, input) }
      for output in outputs { m.text(5, output) }
      for attribute in attributes { m.text(6, attribute) }
      for node in nodes { m.message(7, node) }
      m.text(10, "local")
      for attribute in defaults { m.message(11, attribute) }
    }
  }
}
