import Testing

@testable import Runtime

@Suite struct MemoryBlockTests {
  @Test func `blocks of every size are zero, aligned, and writable to the last byte`() throws {
    let (small, huge) = (1 << 18, 1 << 21)
    let sizes = [
      0, 1, 64, 65, small - 1, small, small + 1, huge / 4 * 3, huge - 1, huge, huge + 1,
      huge + huge / 4 * 3 - 1, huge + huge / 4 * 3, 3 * huge + 4097,
    ]
    for size in sizes {
      let block = try MemoryBlock(byteCount: size, purpose: "a test")
      #expect(block.byteCount >= size)
      #expect(UInt(bitPattern: block.base) % 64 == 0)
      let bytes = UnsafeMutableRawBufferPointer(start: block.base, count: size)
      #expect(bytes.allSatisfy { $0 == 0 })
      for index in stride(from: 0, to: size, by: 4096) { bytes[index] = 1 }
      if size > 0 { bytes[size - 1] = 1 }
    }
  }

  @Test func `what cannot be had is refused with the numbers`() {
    let error = #expect(throws: RuntimeError.self) {
      let block = try MemoryBlock(byteCount: Int.max, purpose: "a test")
      #expect(block.byteCount == 0)
    }
    #expect(error?.code == .outOfMemory)
    #expect(error?.message.contains("\(Int.max)") == true)
  }
}
