import Glibc
import Instructions
import Tensors

/// Writes model files. The same contents give the same bytes.
public enum ModelWriter {
  /// Writes a model file under a temporary name beside `path` and renames it when it is complete.
  ///
  /// - Throws: `ModelFileError`, `diskFull` or `notWritable` among others; nothing is left behind.
  public static func write(_ contents: ModelContents, to path: String) throws(ModelFileError) {
    do throws(ModelFileError) {
      let sections = try sections(of: contents)
      let file = try PendingFile(replacing: path)
      try emit(sections, contents) { (bytes, offset) throws(ModelFileError) in
        try file.write(bytes, at: offset)
      }
      try file.commit()
    } catch {
      throw error.at(path)
    }
  }

  /// The bytes of a model file, in memory.
  public static func bytes(of contents: ModelContents) throws(ModelFileError) -> [UInt8] {
    let sections = try sections(of: contents)
    var result = [UInt8](repeating: 0, count: plan(sections, contents).byteCount)
    try emit(sections, contents) { (bytes, offset) throws(ModelFileError) in
      result.withUnsafeMutableBytes { target in
        guard let base = target.baseAddress, let source = bytes.baseAddress else { return }
        (base + offset).copyMemory(from: source, byteCount: bytes.count)
      }
    }
    return result
  }

  /// A section that is small enough to be made in memory; the weights are streamed.
  private struct Section {
    var kind: SectionKind
    var name: String
    var bytes: [UInt8]
    /// What comes behind the bytes, in rising order, with zeros between; streamed.
    var pieces: [(offset: Int, tensor: TensorBuffer)] = []

    var byteCount: Int {
      pieces.reduce(bytes.count) { max($0, $1.offset + $1.tensor.byteCount) }
    }
  }

  private static func sections(
    of contents: ModelContents
  ) throws(ModelFileError) -> [Section] {
    var sections = [
      Section(kind: .manifest, name: "manifest", bytes: Array(Manifest.text(contents).utf8)),
      Section(kind: .origin, name: "origin", bytes: MetadataWriter.origin(contents)),
      Section(
        kind: .processing, name: "processing",
        bytes: MetadataWriter.processing(contents.processing)),
    ]
    if let text = contents.calibration {
      sections.append(Section(kind: .calibration, name: "calibration", bytes: Array(text.utf8)))
    }
    for (index, variant) in contents.variants.enumerated() {
      sections.append(
        Section(
          kind: .program, name: "program \(index)",
          bytes: try ProgramWriter.bytes(of: variant)))
    }
    sections.append(
      Section(
        kind: .selfTests, name: "self-tests", bytes: MetadataWriter.selfTests(contents.selfTests)))
    if let source = contents.source {
      let (head, pieces) = MetadataWriter.source(source)
      sections.append(Section(kind: .source, name: "source", bytes: head, pieces: pieces))
    }
    guard sections.count < FileFormat.largestSectionCount else {
      throw ModelFileError(.invalidContents, "\(contents.variants.count) programs are too many")
    }
    return sections
  }

  private struct Plan {
    var offsets: [Int] = []
    var weightOffset = 0
    var weightByteCount = 0
    var byteCount = 0
  }

  private static func plan(_ sections: [Section], _ contents: ModelContents) -> Plan {
    var plan = Plan()
    var offset = FileFormat.aligned(
      FileFormat.headerByteCount + (sections.count + 1) * FileFormat.entryByteCount)
    for section in sections {
      plan.offsets.append(offset)
      offset = FileFormat.aligned(offset + section.byteCount)
    }
    plan.weightOffset = offset
    plan.weightByteCount = contents.weights.byteCount + FileFormat.weightSlackByteCount
    plan.byteCount = FileFormat.aligned(offset + plan.weightByteCount)
    return plan
  }

  private static func emit(
    _ sections: [Section], _ contents: ModelContents,
    to sink: (UnsafeRawBufferPointer, Int) throws(ModelFileError) -> Void
  ) throws(ModelFileError) {
    let plan = plan(sections, contents)
    var table = ByteWriter()
    for (section, offset) in zip(sections, plan.offsets) {
      let hash = try emit(section, at: offset, to: sink)
      entry(section.kind, section.name, offset, section.byteCount, hash, into: &table)
    }
    let hash = try emitWeights(contents.weights, at: plan, to: sink)
    entry(.weights, "weights", plan.weightOffset, plan.weightByteCount, hash, into: &table)

    var header = ByteWriter()
    header.raw(FileFormat.magic)
    header.fixed(FileFormat.version)
    header.fixed(UInt32(sections.count + 1))
    header.fixed(UInt64(plan.byteCount))
    header.fixed(UInt64(0))
    var hasher = SHA256()
    header.bytes.withUnsafeBytes { hasher.update($0) }
    table.bytes.withUnsafeBytes { hasher.update($0) }
    header.raw(hasher.finish())
    header.raw(table.bytes)
    try put(header.bytes, 0, sink)
  }

  /// Writes one section; returns its hash.
  private static func emit(
    _ section: Section, at offset: Int,
    to sink: (UnsafeRawBufferPointer, Int) throws(ModelFileError) -> Void
  ) throws(ModelFileError) -> [UInt8] {
    var hasher = SHA256()
    section.bytes.withUnsafeBytes { hasher.update($0) }
    try put(section.bytes, offset, sink)
    var position = section.bytes.count
    for piece in section.pieces {
      [UInt8](repeating: 0, count: piece.offset - position).withUnsafeBytes { hasher.update($0) }
      try piece.tensor.withBytes { (bytes) throws(ModelFileError) in
        hasher.update(bytes)
        try sink(bytes, offset + piece.offset)
      }
      position = piece.offset + piece.tensor.byteCount
    }
    return hasher.finish()
  }

  private static func put(
    _ bytes: [UInt8], _ offset: Int,
    _ sink: (UnsafeRawBufferPointer, Int) throws(ModelFileError) -> Void
  ) throws(ModelFileError) {
    try bytes.span.bytes.withUnsafeBytes { (buffer) throws(ModelFileError) in
      try sink(buffer, offset)
    }
  }

  /// Writes the distinct constants one after the other; returns the hash of the section.
  private static func emitWeights(
    _ weights: WeightLayout, at plan: Plan,
    to sink: (UnsafeRawBufferPointer, Int) throws(ModelFileError) -> Void
  ) throws(ModelFileError) -> [UInt8] {
    var hasher = SHA256()
    var position = 0
    let zeros = [UInt8](repeating: 0, count: FileFormat.alignment)
    for item in weights.items {
      zeros.withUnsafeBytes {
        hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<(item.offset - position)]))
      }
      try item.tensor.withBytes { (bytes) throws(ModelFileError) in
        hasher.update(bytes)
        try sink(bytes, plan.weightOffset + item.offset)
      }
      position = item.offset + item.tensor.byteCount
    }
    zeros.withUnsafeBytes {
      hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<(plan.weightByteCount - position)]))
    }
    // The last zeros also give the file its length.
    let end = [UInt8](repeating: 0, count: plan.byteCount - plan.weightOffset - position)
    try put(end, plan.weightOffset + position, sink)
    return hasher.finish()
  }

  private static func entry(
    _ kind: SectionKind, _ name: String, _ offset: Int, _ byteCount: Int, _ hash: [UInt8],
    into table: inout ByteWriter
  ) {
    table.fixed(kind.rawValue)
    table.fixed(UInt32(0))
    table.fixed(UInt64(offset))
    table.fixed(UInt64(byteCount))
    table.fixed(UInt64(0))
    table.raw(hash)
    let start = table.bytes.count
    table.raw(Array(name.utf8.prefix(FileFormat.nameByteCount)))
    table.zeros(to: start + FileFormat.nameByteCount)
  }
}
