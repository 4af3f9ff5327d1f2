import Testing

@testable import ModelFile

@Suite struct SHA256Tests {
  private func hash(_ text: String) -> String {
    SHA256.hexadecimal(Array(text.utf8).withUnsafeBytes { SHA256.hash($0) })
  }

  @Test func `gives the standard's own examples`() {
    #expect(hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    #expect(
      hash(String(repeating: "a", count: 1_000_000))
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func `does not depend on how the message is cut`() {
    let message = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let whole = message.withUnsafeBytes { SHA256.hash($0) }
    for cut in 0...message.count {
      var hasher = SHA256()
      Array(message[..<cut]).withUnsafeBytes { hasher.update($0) }
      Array(message[cut...]).withUnsafeBytes { hasher.update($0) }
      #expect(hasher.finish() == whole, "cut at \(cut)")
    }
  }
}
