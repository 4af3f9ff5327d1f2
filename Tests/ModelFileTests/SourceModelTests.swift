import Tensors
import Testing

@testable import ModelFile

/// The section that holds a source model.
@Suite struct SourceModelTests {
  private func tensor(_ bytes: [UInt8]) -> TensorBuffer {
    TensorBuffer(.uint8, [bytes.count], bytes)
  }

  private func contents() -> ModelContents {
    var contents = ModelContents()
    contents.source = SourceModel(
      format: "onnx", precision: "bf16",
      parts: [
        NamedTensor("", tensor((0..<100).map { UInt8($0) })),
        NamedTensor("folder/weights", tensor((0..<5000).map { UInt8($0 % 251) })),
        NamedTensor("empty", tensor([])),
      ])
    return contents
  }

  /// Opens bytes as a model file.
  private func archive(_ bytes: [UInt8]) throws(ModelFileError) -> ModelArchive {
    let owner = tensor(bytes)
    return try ModelArchive(owner.withBytes { $0 }, owner: owner)
  }

  @Test func `gives back every file`() throws {
    let contents = contents()
    let archive = try archive(ModelWriter.bytes(of: contents))
    try archive.verify()
    #expect(archive.holdsSource)
    #expect(archive.programs.isEmpty)
    let source = try #require(try archive.source())
    #expect(source.format == "onnx")
    #expect(source.precision == "bf16")
    let parts = try #require(contents.source?.parts)
    #expect(source.parts.map(\.name) == parts.map(\.name))
    for (part, given) in zip(source.parts, parts) {
      #expect(part.tensor.elements(as: UInt8.self) == given.tensor.elements(as: UInt8.self))
      #expect(part.tensor.withBytes { Int(bitPattern: $0.baseAddress) % 64 } == 0)
    }
    #expect(archive.manifest.contains("the source model itself (onnx, 5100 bytes)"))
  }

  @Test func `is absent from other files`() throws {
    let archive = try archive(ModelWriter.bytes(of: ModelContents()))
    #expect(!archive.holdsSource)
    let source = try archive.source()
    #expect(source.map(\.format) == nil)
  }

  @Test func `never reaches outside itself`() throws {
    let bytes = try ModelWriter.bytes(of: contents())
    let archive = try archive(bytes)
    let section = try #require(archive.sections.first { $0.kind == .source })
    var refused = 0
    // Every byte of the index, with every bit turned, and with none left.
    for place in section.offset..<section.offset + 64 {
      for value in (0..<8).map({ bytes[place] ^ (1 << $0) }) + [0, 0xFF] {
        var damaged = bytes
        damaged[place] = value
        do throws(ModelFileError) {
          let source = try self.archive(damaged).source()
          for part in source?.parts ?? [] {
            #expect(part.tensor.byteCount <= section.byteCount)
            _ = part.tensor.elements(as: UInt8.self)
          }
        } catch {
          #expect(error.code == .corrupt)
          refused += 1
        }
      }
    }
    #expect(refused > 100, "\(refused) damaged files were refused")
  }
}
