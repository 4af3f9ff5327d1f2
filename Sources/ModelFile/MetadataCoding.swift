import Tensors

/// The small sections beside the programs.
enum MetadataWriter {
  static func origin(_ contents: ModelContents) -> [UInt8] {
    var out = ByteWriter()
    out.byte(contents.proof.isProven ? 1 : 0)
    out.string(contents.proof.sentence)
    out.count(contents.origin.count)
    for (key, value) in contents.origin.sorted(by: { $0.key < $1.key }) {
      out.string(key)
      out.string(value)
    }
    return out.bytes
  }

  static func processing(_ processing: Processing) -> [UInt8] {
    var out = ByteWriter()
    out.count(processing.inputs.count)
    for input in processing.inputs {
      out.string(input.name)
      out.string(input.text)
    }
    out.byte(processing.postprocessing == nil ? 0 : 1)
    if let text = processing.postprocessing { out.string(text) }
    return out.bytes
  }

  /// The index, its length before it, and the tensors behind it, 64-byte aligned, equal ones once.
  static func selfTests(_ tests: [SelfTest]) -> [UInt8] {
    var layout = WeightLayout()
    var index = ByteWriter()
    index.count(tests.count)
    for test in tests {
      index.count(test.program)
      for tensors in [test.inputs, test.outputs] {
        index.count(tensors.count)
        for item in tensors {
          index.string(item.name)
          index.byte(item.tensor.type.rawValue)
          index.count(item.tensor.shape.rank)
          for extent in item.tensor.shape.dimensions { index.count(extent) }
          index.count(layout.place(item.tensor))
        }
      }
    }
    var out = ByteWriter()
    out.fixed(UInt64(index.bytes.count))
    out.raw(index.bytes)
    let start = (out.bytes.count + 63) & ~63
    for item in layout.items {
      out.zeros(to: start + item.offset)
      item.tensor.withBytes { out.raw(Array($0)) }
    }
    out.zeros(to: start + layout.byteCount)
    return out.bytes
  }
}

/// Reads what `MetadataWriter` wrote.
enum MetadataReader {
  static func origin(
    _ bytes: UnsafeRawBufferPointer
  ) throws(ModelFileError) -> (ProofStatus, [String: String]) {
    var input = ByteReader(bytes, section: "origin")
    let proof = ProofStatus(isProven: try input.bool(), sentence: try input.string())
    var origin: [String: String] = [:]
    for _ in 0..<(try input.count(smallest: 2)) {
      let key = try input.string()
      origin[key] = try input.string()
    }
    try input.end()
    return (proof, origin)
  }

  static func processing(
    _ bytes: UnsafeRawBufferPointer
  ) throws(ModelFileError) -> Processing {
    var input = ByteReader(bytes, section: "processing")
    var processing = Processing()
    for _ in 0..<(try input.count(smallest: 2)) {
      processing.inputs.append(
        Processing.Input(name: try input.string(), text: try input.string()))
    }
    if try input.bool() { processing.postprocessing = try input.string() }
    try input.end()
    return processing
  }

  /// The tensors borrow the bytes, which `owner` keeps valid.
  static func selfTests(
    _ bytes: UnsafeRawBufferPointer, owner: AnyObject
  ) throws(ModelFileError) -> [SelfTest] {
    var head = ByteReader(bytes, section: "self-tests")
    let length = try head.fixed(UInt64.self)
    guard let indexLength = Int(exactly: length), indexLength <= head.remaining else {
      throw head.corrupt("an index of \(length) bytes")
    }
    let start = min((8 + indexLength + 63) & ~63, bytes.count)
    let data = UnsafeRawBufferPointer(rebasing: bytes[start...])
    var input = ByteReader(
      UnsafeRawBufferPointer(rebasing: bytes[8..<8 + indexLength]), section: "self-tests")
    var tests: [SelfTest] = []
    for _ in 0..<(try input.count(smallest: 3)) {
      tests.append(
        SelfTest(
          program: try input.size(), inputs: try tensors(&input, data, owner),
          outputs: try tensors(&input, data, owner)))
    }
    try input.end()
    return tests
  }

  private static func tensors(
    _ input: inout ByteReader, _ data: UnsafeRawBufferPointer, _ owner: AnyObject
  ) throws(ModelFileError) -> [NamedTensor] {
    var tensors: [NamedTensor] = []
    for _ in 0..<(try input.count(smallest: 4)) {
      let name = try input.string()
      let type = try input.elementType()
      let shape = try input.shape()
      let offset = try input.size()
      guard type != .string, let size = type.byteCount(of: shape.elementCount),
        offset <= data.count, size <= data.count - offset
      else {
        throw input.corrupt("the tensor \"\(name)\" lies outside the section")
      }
      let bytes = UnsafeRawBufferPointer(rebasing: data[offset..<offset + size])
      tensors.append(
        NamedTensor(name, TensorBuffer(borrowing: bytes, type: type, shape: shape, owner: owner)))
    }
    return tensors
  }
}
