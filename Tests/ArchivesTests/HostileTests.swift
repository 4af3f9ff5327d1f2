import Files
import Tensors
import Testing

@testable import Archives

@Suite struct `Hostile archives` {
  @Test(arguments: [
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}", "promises"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 2)}", "absurd"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "absurd"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "extent"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "promises"),
    ("{'descr': '<f4', 'fortran_order': False}", "lacks"),
    ("{'descr': '<f4', 'fortran_order': 7, 'shape': (2,)}", "True nor False"),
    ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "twice"),
    ("{'descr': '<U8', 'fortran_order': False, 'shape': (2,)}", "texts"),
    ("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", "objects"),
    ("{'descr': '<V2', 'fortran_order': False, 'shape': (2,)}", "float32"),
    ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "fields"),
    ("{'descr': '|b1', 'fortran_order': False, 'shape': (8,)}", "neither 0 nor 1"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} + 1", "after its end"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,", "lacks"),
    ("", "lacks"),
  ])
  func `with a wrong header are refused by name`(header: String, word: String) throws {
    let scratch = Scratch()
    let path = try scratch.file("x.npy", npy(header, [1, 1, 1, 1, 9, 1, 1, 1]))
    let error = try #require(failure(path))
    #expect(error.code == .badData && error.message.hasPrefix(path))
    #expect(error.message.contains(word), "\(error.message)")
  }

  @Test func `cut off anywhere are errors`() throws {
    let scratch = Scratch()
    for name in ["plain.npy", "version3.npy", "deflated.npz"] {
      let bytes = try bytesOf(fixture(name))
      for count in stride(from: 0, to: bytes.count - 1, by: max(1, bytes.count / 150)) {
        let path = try scratch.file("cut", Array(bytes[..<count]))
        #expect(failure(path) != nil, "\(name) cut to \(count) bytes")
      }
    }
  }

  @Test func `with any byte changed never crash`() throws {
    let scratch = Scratch()
    let bytes = try bytesOf(fixture("deflated.npz"))
    var generator = SystemRandomNumberGenerator()
    let seed = generator.next()
    var state = seed
    var failures = 0
    for _ in 0..<400 {
      var changed = bytes
      for _ in 0..<3 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        changed[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 24)
      }
      let path = try scratch.file("changed", changed)
      if let error = failure(path) {
        failures += 1
        #expect(error.message.hasPrefix(path), "seed \(seed): \(error.message)")
      }
    }
    #expect(failures > 100, "seed \(seed): only \(failures) of 400 were noticed")
  }

  @Test func `that expand beyond the limit are refused before they do`() throws {
    let scratch = Scratch()
    let path = "\(scratch.path)/large.npz"
    try Archive.write([NamedTensor("x", TensorBuffer(zeros: .uint8, [4096]))], to: path)
    let error = try #require(failure(path, byteLimit: 4095))
    #expect(error.member == "x" && error.message.contains("4095"))
    #expect(failure(path, byteLimit: 4096) == nil)
  }

  @Test func `whose directory claims more than the file holds are refused`() throws {
    let scratch = Scratch()
    let good = "\(scratch.path)/good.npz"
    try Archive.write([NamedTensor("x", TensorBuffer(zeros: .uint8, [64]))], to: good)
    var bytes = try bytesOf(good)
    // The directory's two sizes stand 20 bytes after its signature.
    let directory = try #require(
      bytes.indices.dropLast(4).last { Array(bytes[$0..<($0 + 4)]) == [0x50, 0x4B, 1, 2] })
    for size in [0xFFFF_FF00, 0x4000_0000, 0x1_0000] as [UInt32] {
      withUnsafeBytes(of: size.littleEndian) {
        bytes.replaceSubrange((directory + 24)..<(directory + 28), with: $0)
      }
      let error = try #require(failure(try scratch.file("lie.npz", bytes)))
      #expect(error.code == .badData, "\(error.message)")
    }
  }

  @Test func `with two members of one name or with other files are refused`() throws {
    let scratch = Scratch()
    var bytes: [UInt8] = []
    let path = "\(scratch.path)/two.npz"
    let one = TensorBuffer(zeros: .uint8, [1])
    try Archive.write([NamedTensor("aaa", one), NamedTensor("bbb", one)], to: path)
    bytes = try bytesOf(path)
    for index in bytes.indices.dropLast(3)
    where bytes[index..<(index + 3)].elementsEqual("bbb".utf8) {
      bytes.replaceSubrange(index..<(index + 3), with: "aaa".utf8)
    }
    let twice = try #require(failure(try scratch.file("twice.npz", bytes)))
    #expect(twice.message.contains("two members called aaa"), "\(twice.message)")
    for index in bytes.indices.dropLast(4)
    where bytes[index..<(index + 4)].elementsEqual(".npy".utf8) {
      bytes.replaceSubrange(index..<(index + 4), with: ".txt".utf8)
    }
    let other = try #require(failure(try scratch.file("other.npz", bytes)))
    #expect(other.message.contains("aaa.txt is no .npy array"), "\(other.message)")
  }

  @Test func `and missing ones are told apart`() throws {
    let scratch = Scratch()
    #expect(failure("\(scratch.path)/none.npz")?.code == .notFound)
    #expect(failure(scratch.path)?.code == .unreadable)
    #expect(failure(try scratch.file("text", Array("hello".utf8)))?.code == .badData)
    #expect(failure(try scratch.file("empty", []))?.code == .badData)
  }
}
