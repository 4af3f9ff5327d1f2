import Tensors
import Testing

@testable import Archives

@Suite struct `Files that NumPy wrote` {
  @Test(arguments: ["stored.npz", "deflated.npz"])
  func `are read in every type and order`(name: String) throws {
    let tensors = try Archive.read(fixture(name))
    #expect(tensors.count == 12 + 9 + 4 + 2)
    #expect(tensors.first?.name == "little/b1")
    for named in tensors where named.name.contains("/") {
      #expect(named.tensor.shape == [2, 3, 4], "\(named.name)")
      let expected = (0..<24).map { named.name == "little/b1" ? Float($0 % 2) : Float($0) }
      #expect(named.tensor.floats() == expected, "\(named.name) \(named.tensor.type)")
    }
    let types = Set(tensors.map(\.tensor.type))
    #expect(types.count == 12)
    let scalar = tensors.first { $0.name == "scalar" }?.tensor
    #expect(scalar?.shape == [] && scalar?.floats() == [7])
    #expect(tensors.last?.tensor.shape == [0, 5])
  }

  @Test func `as single arrays are read, of later versions too`() throws {
    let plain = try Archive.read(fixture("plain.npy"))
    #expect(plain.map(\.name) == [""])
    #expect(plain[0].tensor.floats() == (0..<24).map { Float($0) })
    let later = try Archive.read(fixture("version3.npy"))
    #expect(later[0].tensor.integers() == Array(0..<24))
  }

  @Test func `show a member's header without reading it`() throws {
    let reader = try NpzReader(fixture("deflated.npz"))
    let index = try #require(reader.index(of: "fortran/f2"))
    let header = try reader.header(at: index)
    #expect(header.type == .float16 && header.shape == [2, 3, 4])
    #expect(try reader.tensor(at: index).floats() == (0..<24).map { Float($0) })
  }
}

@Suite struct `Written files` {
  private static let sample: [NamedTensor] = [
    NamedTensor("/model.0/Conv_output_0", TensorBuffer([2, 2], [1, -2, .nan, .infinity])),
    NamedTensor("zählung", TensorBuffer([7, 8, 9])),
    NamedTensor("", TensorBuffer(.bool, [], [UInt8(1)])),
    NamedTensor("void", TensorBuffer(zeros: .float64, [3, 0])),
  ]

  @Test(arguments: [false, true])
  func `come back as they were, in order`(usesZip64: Bool) throws {
    let scratch = Scratch()
    let path = "\(scratch.path)/out.npz"
    var writer = try NpzWriter(replacing: path, usesZip64: usesZip64)
    for named in Self.sample { try writer.add(named.name, named.tensor) }
    #expect(!scratch.names.contains("out.npz"))
    try writer.commit()
    #expect(scratch.names == ["out.npz"])
    let read = try Archive.read(path)
    #expect(read.map(\.name) == Self.sample.map(\.name))
    for (got, wanted) in zip(read, Self.sample) {
      #expect(got.tensor.type == wanted.tensor.type && got.tensor.shape == wanted.tensor.shape)
      let bytes = got.tensor.withBytes { Array($0) }
      #expect(bytes == wanted.tensor.withBytes { Array($0) }, "\(got.name)")
    }
  }

  @Test func `hold bfloat16 as float32`() throws {
    let scratch = Scratch()
    let path = "\(scratch.path)/one.npy"
    let values = [BFloat16(1.5), BFloat16(-0.25)]
    try Archive.write([NamedTensor("x", TensorBuffer(.bfloat16, [2], values))], to: path)
    let read = try Archive.read(path)[0].tensor
    #expect(read.type == .float32 && read.floats() == [1.5, -0.25])
  }

  @Test func `are the same bytes for the same tensors`() throws {
    let scratch = Scratch()
    try Archive.write(Self.sample, to: "\(scratch.path)/a.npz")
    try Archive.write(Self.sample, to: "\(scratch.path)/b.npz")
    let bytes = try ["a", "b"].map { try bytesOf("\(scratch.path)/\($0).npz") }
    #expect(bytes[0] == bytes[1])
  }

  @Test func `refuse what they cannot hold, and leave nothing behind`() throws {
    let scratch = Scratch()
    let path = "\(scratch.path)/out.npz"
    let twice = [Self.sample[0], Self.sample[0]]
    #expect(throws: ArchiveError.self) { try Archive.write(twice, to: path) }
    let packed = NamedTensor("x", TensorBuffer(zeros: .int4, [4]))
    #expect(throws: ArchiveError.self) { try Archive.write([packed], to: path) }
    #expect(throws: ArchiveError.self) {
      try Archive.write(Self.sample, to: "\(scratch.path)/four.npy")
    }
    #expect(scratch.names.isEmpty)
  }

  @Test func `say when the disk is full or the place does not exist`() {
    let full = #expect(throws: ArchiveError.self) {
      try Archive.write(Self.sample, to: "/dev/full")
    }
    #expect(full?.code == .diskFull)
    let missing = #expect(throws: ArchiveError.self) {
      try Archive.write(Self.sample, to: "/nonexistent/out.npz")
    }
    #expect(missing?.code == .notWritable)
  }
}
