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

  /// The index of a source model, its length before it, and the places of the files behind it,
  /// 64-byte aligned.
  static func source(
    _ source: SourceModel
  ) -> (head: [UInt8], pieces: [(offset: Int, tensor: TensorBuffer)]) {
    var index = ByteWriter()
    index.string(source.format)
    index.string(source.precision)
    index.count(source.parts.count)
    var offset = 0
    var offsets: [Int] = []
    for part in source.parts {
      index.string(part.name)
      index.count(offset)
      index.count(part.tensor.byteCount)
      offsets.append(offset)
      offset = (offset + part.tensor.byteCount + 63) & ~63
    }
    var out = ByteWriter()
    out.fixed(UInt64(index.bytes.count))
    out.raw(index.bytes)
    let start = (out.bytes.count + 63) & ~63
    out.zeros(to: start)
    let pieces = zip(source.parts, offsets).map { (offset: start + $1, tensor: $0.tensor) }
    return (out.bytes, pieces)
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

  /// The index at the beginning of a section, and the data behind it.
  private static func indexed(
    _ bytes: UnsafeRawBufferPointer, section: String
  ) throws(ModelFileError) -> (index: ByteReader, data: UnsafeRawBufferPointer) {
    var head = ByteReader(bytes, section: section)
    let length = try head.fixed(UInt64.self)
    guard let indexLength = Int(exactly: length), indexLength <= head.remaining else {
      throw head.corrupt("an index of \(length) bytes")
    }
    let start = min((8 + indexLength + 63) & ~63, bytes.count)
    return (
      ByteReader(
        UnsafeRawBufferPointer(rebasing: bytes[8..<8 + indexLength]), section: section),
      UnsafeRawBufferPointer(rebasing: bytes[start...])
    )
  }

  /// The parts borrow the bytes, which `owner` keeps valid.
  static func source(
    _ bytes: UnsafeRawBufferPointer, owner: AnyObject
  ) throws(ModelFileError) -> SourceModel {
    var (input, data) = try indexed(bytes, section: "source")
    var source = SourceModel(
      format: try input.string(), precision: try input.string(), parts: [])
    for _ in 0..<(try input.count(smallest: 3)) {
      let name = try input.string()
      let offset = try input.size()
      let size = try input.size()
      guard offset <= data.count, size <= data.count - offset else {
        throw input.corrupt("the file \"\(name)\" lies outside the section")
      }
      guard !source.parts.contains(where: { $0.name == name }) else {
        throw input.corrupt("the file \"\(name)\" is there twice")
      }
      let part = UnsafeRawBufferPointer(rebasing: data[offset..<offset + size])
      source.parts.append(
        NamedTensor(name, TensorBuffer(borrowing: part, type: .uint8, shape: [size], owner: owner)))
    }
    try input.end()
    return source
  }

  /// The tensors borrow the bytes, which `owner` keeps valid.
  static func selfTests(
    _ bytes: UnsafeRawBufferPointer, owner: AnyObject
  ) throws(ModelFileError) -> [SelfTest] {
    var (input, data) = try indexed(bytes, section: "self-tests")
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
