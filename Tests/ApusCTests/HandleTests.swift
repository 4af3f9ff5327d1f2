import ApusC
import CApus
import Synchronization
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// The sentence of the last failure on this thread.
func lastMessage() -> String { String(cString: apus_last_message()) }

@Suite struct `Handles` {
  @Test func `of nothing are answered`() {
    for handle: UInt64 in [0, 1, 42, .max, 1 << 60, 2 << 60 | 1, 9 << 60 | 7 << 32 | 1] {
      #expect(apus_model_release(handle) == APUS_INVALID_HANDLE)
      #expect(apus_session_run(handle) == APUS_INVALID_HANDLE)
      #expect(apus_session_cancel(handle) == APUS_INVALID_HANDLE)
      #expect(apus_value_release(handle) == APUS_INVALID_HANDLE)
      #expect(apus_preprocessor_release(handle) == APUS_INVALID_HANDLE)
      #expect(apus_detector_release(handle) == APUS_INVALID_HANDLE)
    }
    #expect(apus_session_run(0) == APUS_INVALID_HANDLE)
    #expect(lastMessage().contains("0 is no handle of a session"))
  }

  @Test func `are stale after their release, also when the slot is used again`() {
    var first: apus_value = 0
    #expect(apus_value_absent(&first) == APUS_OK)
    #expect(apus_value_release(first) == APUS_OK)
    #expect(apus_value_release(first) == APUS_INVALID_HANDLE)
    #expect(lastMessage().contains("released"))
    var others: [apus_value] = []
    for _ in 0..<8 {
      var other: apus_value = 0
      #expect(apus_value_absent(&other) == APUS_OK)
      #expect(other != first)
      others.append(other)
    }
    var kind = APUS_TENSOR
    #expect(apus_value_kind(first, &kind) == APUS_INVALID_HANDLE)
    for other in others { #expect(apus_value_release(other) == APUS_OK) }
  }

  @Test func `of another kind are named`() {
    var value: apus_value = 0
    #expect(apus_value_absent(&value) == APUS_OK)
    defer { apus_value_release(value) }
    #expect(apus_session_run(value) == APUS_INVALID_HANDLE)
    #expect(lastMessage() == "the handle is of a value, and a session is wanted")
    var count = 0
    #expect(apus_value_count(value, &count) == APUS_INVALID_ARGUMENT)
    #expect(lastMessage().contains("no sequence"))
  }

  @Test func `nest in sequences`() throws {
    var data: [Float] = [1, 2, 3]
    var tensor = apus_tensor()
    tensor.type = APUS_FLOAT32
    tensor.rank = 1
    tensor.dims.0 = 3
    var element: apus_value = 0
    data.withUnsafeMutableBytes { bytes in
      tensor.data = bytes.baseAddress
      tensor.size = bytes.count
      #expect(apus_value_tensor(&tensor, &element) == APUS_OK)
      tensor.size = 11
      var none: apus_value = 0
      #expect(apus_value_tensor(&tensor, &none) == APUS_WRONG_TENSOR)
      #expect(lastMessage().contains("needs 12 bytes") && none == 0)
    }
    data[0] = 9
    var list: apus_value = 0
    let elements = [element, element]
    #expect(apus_value_sequence(elements, 2, &list) == APUS_OK)
    #expect(apus_value_release(element) == APUS_OK)
    var count = 0
    #expect(apus_value_count(list, &count) == APUS_OK && count == 2)
    var inner: apus_value = 0
    #expect(apus_value_element(list, 2, &inner) == APUS_INVALID_ARGUMENT)
    #expect(apus_value_element(list, 1, &inner) == APUS_OK)
    #expect(apus_value_release(list) == APUS_OK)
    var view = apus_tensor()
    #expect(apus_value_view(inner, &view) == APUS_OK)
    let base = try #require(view.data)
    #expect(
      Array(
        UnsafeBufferPointer(
          start: base.assumingMemoryBound(to: Float.self), count: 3)) == [1, 2, 3])
    #expect(view.rank == 1 && view.dims.0 == 3 && view.size == 12)
    #expect(apus_value_release(inner) == APUS_OK)
  }

  @Test func `and null pointers are answered by every function`() {
    #expect(apus_model_open(nil, nil) == APUS_INVALID_ARGUMENT)
    var model: apus_model = 0
    #expect(apus_model_open(nil, &model) == APUS_INVALID_ARGUMENT)
    #expect(lastMessage() == "path must not be NULL")
    #expect(apus_model_open_memory(nil, 5, nil, &model) == APUS_INVALID_ARGUMENT)
    #expect(apus_value_tensor(nil, &model) == APUS_INVALID_ARGUMENT)
    #expect(apus_value_absent(nil) == APUS_INVALID_ARGUMENT)
    #expect(apus_count_live(nil) == APUS_INVALID_ARGUMENT)
    #expect(apus_detector_open(nil, &model) == APUS_INVALID_ARGUMENT)
    #expect(apus_preprocessor_open(nil, nil, &model) == APUS_INVALID_ARGUMENT)
    #expect(model == 0)
  }

  @Test func `statuses and types have their names and sizes`() {
    #expect(String(cString: apus_status_name(APUS_BUSY)) == "APUS_BUSY")
    #expect(String(cString: apus_status_name(apus_status(rawValue: 999))) == "APUS_?")
    #expect(apus_type_bits(APUS_INT4) == 4 && apus_type_bits(APUS_FLOAT64) == 64)
    #expect(apus_type_bits(APUS_STRING) == 0 && apus_type_bits(apus_type(rawValue: 300)) == 0)
    #expect(String(cString: apus_version()) == "0.1.0")
  }

  @Test func `memory to bind is aligned, zero and ends behind its slack`() {
    for size in [0, 1, 63, 64, 65, 1000] {
      guard let memory = apus_allocate(size) else {
        Issue.record("no memory for \(size) bytes")
        continue
      }
      #expect(Int(bitPattern: memory) % 64 == 0)
      let bytes = UnsafeRawBufferPointer(start: memory, count: size + 64)
      #expect(bytes.allSatisfy { $0 == 0 })
      apus_free(memory)
    }
    #expect(apus_allocate(Int.max) == nil)
    apus_free(nil)
  }
}
