import Glibc
import Instructions
import Tensors

/// A model file that is open for reading: mapped, its section table checked, its contents read on
/// demand.
///
/// Sendable because nothing changes after `init`.
public final class ModelArchive: @unchecked Sendable {
  /// One section of the file.
  public struct Section: Sendable {
    package var kind: SectionKind
    public var name: String
    public var offset: Int
    public var byteCount: Int
    package var hash: [UInt8]
  }

  /// The file's name; empty for bytes in memory.
  public let path: String
  public let byteCount: Int
  public private(set) var sections: [Section] = []
  /// The heads of the programs, in the order of the file.
  public private(set) var programs: [ProgramHead] = []
  private let bytes: UnsafeRawBufferPointer
  private let owner: AnyObject

  /// Maps a model file. Reads the tables only: cheap for files of any size.
  ///
  /// - Throws: `ModelFileError` for a file that cannot be read, is no model file, was written by a
  ///   newer release, or is damaged.
  public convenience init(mapping path: String) throws(ModelFileError) {
    do throws(ModelFileError) {
      let mapping = try MappedFile(path)
      try self.init(mapping.bytes, path: path, owner: mapping)
    } catch {
      throw error.at(path)
    }
  }

  /// Says whether bytes begin as a model file does.
  public static func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= FileFormat.magic.count
      && bytes.prefix(FileFormat.magic.count).elementsEqual(FileFormat.magic)
  }

  /// Reads a model file in memory, which `owner` keeps valid and unchanged: 64-byte aligned.
  package init(
    _ bytes: UnsafeRawBufferPointer, path: String = "", owner: AnyObject
  ) throws(ModelFileError) {
    self.bytes = bytes
    self.path = path
    self.owner = owner
    byteCount = bytes.count
    try readHeader()
    for section in sections where section.kind == .program {
      programs.append(try ProgramReader.head(contents(of: section), section: section.name))
    }
  }

  private func readHeader() throws(ModelFileError) {
    guard ModelArchive.matches(bytes) else {
      throw ModelFileError(.notAModel, "it does not begin as a model file does")
    }
    guard bytes.count >= FileFormat.headerByteCount else {
      throw ModelFileError(.truncated, "it has \(bytes.count) bytes, less than its header")
    }
    let version: UInt32 = load(8)
    guard (1...FileFormat.version).contains(version) else {
      throw ModelFileError(
        version > FileFormat.version ? .newerVersion : .corrupt,
        "it has format \(version), and this release reads up to format \(FileFormat.version)"
          + (version > FileFormat.version ? "; use a newer release" : ""))
    }
    let claimed: UInt64 = load(16)
    guard claimed == UInt64(bytes.count) else {
      throw ModelFileError(
        claimed > UInt64(bytes.count) ? .truncated : .corrupt,
        "it should have \(claimed) bytes and has \(bytes.count); copy it again")
    }
    let count = Int(load(12) as UInt32)
    guard count <= FileFormat.largestSectionCount,
      FileFormat.headerByteCount + count * FileFormat.entryByteCount <= bytes.count
    else {
      throw ModelFileError(.corrupt, "it cannot have \(count) sections")
    }
    var end = FileFormat.headerByteCount + count * FileFormat.entryByteCount
    for index in 0..<count {
      let section = try entry(FileFormat.headerByteCount + index * FileFormat.entryByteCount)
      guard section.offset >= end else {
        throw corrupt(section.name, "it overlaps what comes before it")
      }
      end = section.offset + section.byteCount
      sections.append(section)
    }
  }

  private func entry(_ start: Int) throws(ModelFileError) -> Section {
    let nameStart = start + FileFormat.entryByteCount - FileFormat.nameByteCount
    let nameBytes = bytes[nameStart..<nameStart + FileFormat.nameByteCount].prefix { $0 != 0 }
    let name = String(decoding: nameBytes, as: UTF8.self)
    let offset: UInt64 = load(start + 8)
    let length: UInt64 = load(start + 16)
    guard let offset = Int(exactly: offset), let length = Int(exactly: length),
      offset % FileFormat.alignment == 0, offset <= bytes.count, length <= bytes.count - offset
    else {
      throw corrupt(name, "\(length) bytes at \(offset) of a file of \(bytes.count)")
    }
    return Section(
      kind: SectionKind(rawValue: load(start)), name: name, offset: offset, byteCount: length,
      hash: Array(bytes[start + 32..<start + 32 + FileFormat.hashByteCount]))
  }

  private func corrupt(_ section: String, _ message: String) -> ModelFileError {
    ModelFileError(
      .corrupt, "\(message); the file is damaged, compile it again", path: path,
      place: "section \"\(section)\"")
  }

  private func load<T: FixedWidthInteger>(_ offset: Int) -> T {
    T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  package func contents(of section: Section) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      rebasing: bytes[section.offset..<section.offset + section.byteCount])
  }

  private func contents(_ kind: SectionKind) -> UnsafeRawBufferPointer? {
    sections.first { $0.kind == kind }.map(contents)
  }

  // MARK: Contents

  /// The generated text for people.
  public var manifest: String {
    String(decoding: contents(.manifest) ?? .init(start: nil, count: 0), as: UTF8.self)
  }

  /// The text of the calibration table; nil for none.
  public var calibration: String? {
    contents(.calibration).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Decodes a program. It is not yet checked against its memory: a session does that.
  package func program(_ index: Int) throws(ModelFileError) -> Program {
    let sections = sections.filter { $0.kind == .program }
    guard sections.indices.contains(index) else {
      throw ModelFileError(.corrupt, "there is no program \(index)", path: path)
    }
    do throws(ModelFileError) {
      return try ProgramReader.program(
        contents(of: sections[index]), section: sections[index].name)
    } catch {
      throw error.at(path)
    }
  }

  /// The preprocessing by input, and the postprocessing.
  public func processing() throws(ModelFileError) -> Processing {
    guard let bytes = contents(.processing) else { return Processing() }
    return try located { () throws(ModelFileError) in try MetadataReader.processing(bytes) }
  }

  /// Where the model comes from.
  public func origin() throws(ModelFileError) -> [String: String] {
    guard let bytes = contents(.origin) else { return [:] }
    return try located { () throws(ModelFileError) in try MetadataReader.origin(bytes).1 }
  }

  /// Whether it was shown to compute what the source model does.
  public func proof() throws(ModelFileError) -> ProofStatus {
    guard let bytes = contents(.origin) else { return .unproven }
    return try located { () throws(ModelFileError) in try MetadataReader.origin(bytes).0 }
  }

  /// The source model, in a file without programs; nil in others. It borrows the file's bytes and
  /// keeps it open.
  public func source() throws(ModelFileError) -> SourceModel? {
    guard let bytes = contents(.source) else { return nil }
    return try located { () throws(ModelFileError) in
      try MetadataReader.source(bytes, owner: owner)
    }
  }

  /// Says whether the file holds a source model instead of programs.
  public var holdsSource: Bool { sections.contains { $0.kind == .source } }

  /// The self-test vectors. The tensors borrow the file's bytes and keep it open.
  public func selfTests() throws(ModelFileError) -> [SelfTest] {
    guard let bytes = contents(.selfTests) else { return [] }
    return try located { () throws(ModelFileError) in
      try MetadataReader.selfTests(bytes, owner: owner)
    }
  }

  private func located<R>(
    _ body: () throws(ModelFileError) -> R
  ) throws(ModelFileError) -> R {
    do throws(ModelFileError) { return try body() } catch { throw error.at(path) }
  }

  /// The memory that constants lie in, without the slack behind it; empty where there is none.
  package func weights() throws(ModelFileError) -> UnsafeRawBufferPointer {
    guard let bytes = contents(.weights) else {
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    guard bytes.count >= FileFormat.weightSlackByteCount else {
      throw corrupt("weights", "\(bytes.count) bytes are too few")
    }
    return UnsafeRawBufferPointer(rebasing: bytes.dropLast(FileFormat.weightSlackByteCount))
  }

  // MARK: Verification

  /// Compares all hashes and the zeros between sections. Reads the whole file.
  ///
  /// - Throws: `ModelFileError` naming the first section that is not as it was written.
  public func verify() throws(ModelFileError) {
    let tableEnd = FileFormat.headerByteCount + sections.count * FileFormat.entryByteCount
    var hasher = SHA256()
    hasher.update(UnsafeRawBufferPointer(rebasing: bytes[..<FileFormat.hashedHeaderByteCount]))
    hasher.update(UnsafeRawBufferPointer(rebasing: bytes[FileFormat.headerByteCount..<tableEnd]))
    let recorded = bytes[FileFormat.hashedHeaderByteCount..<FileFormat.headerByteCount]
    guard recorded.elementsEqual(hasher.finish()) else { throw mismatch("section table") }
    var end = tableEnd
    for section in sections {
      guard bytes[end..<section.offset].allSatisfy({ $0 == 0 }) else {
        throw mismatch("the gap before \(section.name)")
      }
      guard SHA256.hash(contents(of: section)) == section.hash else {
        throw mismatch(section.name)
      }
      end = section.offset + section.byteCount
    }
    guard bytes[end...].allSatisfy({ $0 == 0 }) else { throw mismatch("the end") }
  }

  private func mismatch(_ section: String) -> ModelFileError {
    ModelFileError(
      .hashMismatch, "the contents are not those that were written; copy or compile it again",
      path: path, place: "section \"\(section)\"")
  }
}
