import Glibc
import Instructions
import ModelFile
import Planner
import Tensors
import Testing

@testable import Runtime

@Suite struct ModelFileRoundTripTests {
  @Test func `a file gives the results of the program in memory`() throws {
    let contents = try Samples.contents()
    let folder = try TemporaryFolder()
    let path = folder.path + "/model.apus"
    try ModelWriter.write(contents, to: path)
    let x = TensorBuffer([2, 3], [1, 2, 3, 4, 5, 6])
    let expected = try Model(contents).session().run([x])[0].floats()
    let model = try Model(mapping: path)
    #expect(model.precisions == ["fp32", "bf16"])
    for index in model.programs.indices {
      #expect(try model.session(index).run([x])[0].floats() == expected)
    }
    try model.archive?.verify()
    #expect(folder.names == ["model.apus"], "nothing is left beside the file")
  }

  @Test func `reads back everything it was given`() throws {
    let contents = try Samples.contents()
    let archive = try Samples.archive(try ModelWriter.bytes(of: contents))
    #expect(try archive.processing() == contents.processing)
    #expect(try archive.origin() == contents.origin)
    #expect(try archive.proof() == contents.proof)
    #expect(archive.calibration == contents.calibration)
    #expect(archive.manifest.contains("program 1: bf16"))
    let tests = try archive.selfTests()
    #expect(tests.count == 1)
    #expect(tests[0].inputs[0].name == "x")
    #expect(tests[0].inputs[0].tensor.floats() == [1, 2, 3, 4, 5, 6])
    #expect(tests[0].outputs[0].tensor.shape == [3, 4])
    #expect(archive.programs[1].operationCount == 34)
    for (index, variant) in contents.variants.enumerated() {
      let program = try archive.program(index)
      #expect(program.origins == variant.program.origins)
      #expect(program.tensors.map(\.storage) == variant.program.tensors.map(\.storage))
      #expect(program.tensors.map(\.rowStride) == variant.program.tensors.map(\.rowStride))
    }
  }

  @Test func `the same contents give the same bytes`() throws {
    let first = try ModelWriter.bytes(of: try Samples.contents())
    let second = try ModelWriter.bytes(of: try Samples.contents())
    #expect(first == second)
    #expect(first.count % 4096 == 0)
    let folder = try TemporaryFolder()
    try ModelWriter.write(try Samples.contents(), to: folder.path + "/a.apus")
    #expect(try folder.bytes(of: "a.apus") == first)
  }

  @Test func `programs share equal weights`() throws {
    let contents = try Samples.contents()
    #expect(try Model(contents).weights.byteCount == 64)
  }

  @Test func `a newer file is refused with both versions`() throws {
    var bytes = try ModelWriter.bytes(of: try Samples.contents())
    bytes[8] = 9
    let error = #expect(throws: ModelFileError.self) { try Samples.archive(bytes) }
    #expect(error?.code == .newerVersion)
    #expect(error?.message.contains("format 9") == true)
    #expect(error?.message.contains("format \(FileFormat.version)") == true)
  }

  @Test func `verify finds every flipped byte`() throws {
    let original = try ModelWriter.bytes(of: try Samples.contents())
    for index in stride(from: 0, to: original.count, by: 7) {
      var bytes = original
      bytes[index] ^= 0x40
      let found: Bool
      do {
        try Samples.archive(bytes).verify()
        found = false
      } catch {
        found = true
      }
      #expect(found, "byte \(index)")
    }
  }

  @Test func `no truncated file is accepted`() throws {
    let original = try ModelWriter.bytes(of: try Samples.contents())
    for length in 0..<original.count where length < 1200 || length % 61 == 0 {
      #expect(throws: ModelFileError.self) {
        try Samples.archive(Array(original[..<length]))
      }
    }
  }

  @Test func `damaged files never crash`() throws {
    let original = try ModelWriter.bytes(of: try Samples.contents())
    let seed: UInt64 = 7
    var random = SplitMix(seed)
    let interesting = try Samples.interestingOffsets(original)
    var accepted = 0
    for _ in 0..<20_000 {
      var bytes = original
      for _ in 0...random.below(3) {
        let index = interesting[random.below(interesting.count)]
        switch random.below(3) {
        case 0: bytes[index] = UInt8(random.below(256))
        case 1: bytes[index] ^= UInt8(1 << random.below(8))
        default: bytes[index] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)]
        }
      }
      do {
        let archive = try Samples.archive(bytes)
        _ = try archive.processing()
        _ = try archive.origin()
        _ = try archive.selfTests()
        let model = try Model(archive)
        for index in model.programs.indices {
          let session = try model.session(index, options: .init(threads: 1))
          try session.run()
        }
        accepted += 1
      } catch is ModelFileError {
      } catch is RuntimeError {
      }
    }
    #expect(accepted > 0, "seed \(seed): names may change without harm")
    #expect(accepted < 20_000, "seed \(seed): most damage is seen")
  }

  @Test func `a missing file and a folder are named`() throws {
    let folder = try TemporaryFolder()
    let missing = #expect(throws: ModelFileError.self) {
      try Model(mapping: folder.path + "/none.apus")
    }
    #expect(missing?.code == .notFound)
    #expect(missing?.description.contains("none.apus") == true)
    let directory = #expect(throws: ModelFileError.self) { try Model(mapping: folder.path) }
    #expect(directory?.code == .unreadable)
  }

  @Test func `a place that cannot be written to is an error`() throws {
    let folder = try TemporaryFolder()
    let contents = try Samples.contents()
    let error = #expect(throws: ModelFileError.self) {
      try ModelWriter.write(contents, to: folder.path + "/no/such/folder.apus")
    }
    #expect(error?.code == .notWritable)
    let device = #expect(throws: ModelFileError.self) {
      try ModelWriter.write(contents, to: "/dev/full")
    }
    #expect(device?.code == .notWritable)
  }

  @Test func `int8 programs are exact, others are not for their name`() throws {
    var (program, constants) = Samples.transposeAndJoin()
    try MemoryPlanner.plan(&program)
    var contents = ModelContents()
    for precision in ["fp32", "bf16", "int8"] {
      contents.add(program, constants: constants, precision: precision, operationCount: 12)
    }
    let folder = try TemporaryFolder()
    try ModelWriter.write(contents, to: folder.path + "/model.apus")
    let archive = try ModelArchive(mapping: folder.path + "/model.apus")
    #expect(try (0..<3).map { try archive.program($0).isExact } == [false, false, true])
  }

  @Test func `a full disk leaves nothing behind`() async throws {
    // The limit on the size of files stands for the disk: the kernel refuses in the same way.
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 8192, rlim_max: 8192)
      setrlimit(__rlimit_resource_t(1), &limit)
      do {
        try ModelWriter.write(try Samples.contents(), to: folder.path + "/model.apus")
        exit(2)
      } catch let error as ModelFileError {
        guard error.code == .diskFull, folder.names.isEmpty else { exit(3) }
      }
    }
  }
}

extension Samples {
  static func contents() throws -> ModelContents {
    var (program, constants) = transposeAndJoin()
    try MemoryPlanner.plan(&program)
    var contents = ModelContents()
    contents.add(program, constants: constants, precision: "fp32", operationCount: 12)
    contents.add(program, constants: constants, precision: "bf16", operationCount: 34)
    contents.processing = Processing(
      inputs: [.init(name: "x", text: "size=3x2,mean=1/2/3")],
      postprocessing: "yolov8:score=0.25")
    contents.calibration = "# apus ranges 1\n"
    contents.origin = ["source": "model.onnx", "compiler": "apus 0.1"]
    contents.proof = ProofStatus(isProven: true, sentence: "cosine 1.0 on 4 samples")
    contents.selfTests = [
      SelfTest(
        program: 0, inputs: [NamedTensor("x", TensorBuffer([2, 3], [1, 2, 3, 4, 5, 6]))],
        outputs: [NamedTensor("y", TensorBuffer([3, 4], [Float](repeating: 2, count: 12)))])
    ]
    return contents
  }

  /// Opens a file in memory.
  @discardableResult
  static func archive(_ bytes: [UInt8]) throws -> ModelArchive {
    let buffer = TensorBuffer(.uint8, [bytes.count], bytes)
    return try buffer.withBytes { try ModelArchive($0, owner: buffer) }
  }

  /// The bytes that are not padding: header, table, and sections that are parsed.
  static func interestingOffsets(_ bytes: [UInt8]) throws -> [Int] {
    let archive = try archive(bytes)
    var offsets = Array(0..<(64 + 128 * archive.sections.count))
    for section in archive.sections where section.name != "manifest" {
      // Programs several times: they have the most to say.
      for _ in 0..<(section.name.hasPrefix("program") ? 8 : 1) {
        offsets += section.offset..<(section.offset + section.byteCount)
      }
    }
    return offsets
  }
}

/// A folder that disappears with its owner.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw RuntimeError(.outOfMemory, "no temporary folder")
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in names { unlink(path + "/" + name) }
    rmdir(path)
  }

  var names: [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  func bytes(of name: String) throws -> [UInt8] {
    guard let file = fopen(path + "/" + name, "r") else {
      throw RuntimeError(.unknownPort, "no file \(name)")
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    }
  }
}

/// A small seeded generator (Steele, Lea and Flood 2014).
struct SplitMix {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(limit, 1))) }
}
