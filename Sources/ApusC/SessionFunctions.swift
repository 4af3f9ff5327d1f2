// apus.h: sessions.
// The names are C's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CApus
import Kernels
import Tensors

/// Reads a structure of which the caller knows `size` bytes; the rest is zero.
func known<T: BitwiseCopyable>(
  _ pointer: UnsafePointer<T>, size: Int, zero: T, _ name: StaticString
) throws(Failure) -> T {
  guard size >= MemoryLayout<Int>.size, size <= 1 << 16 else {
    throw Failure(
      APUS_INVALID_ARGUMENT, "\(name)->size is \(size); set it to sizeof of the structure")
  }
  var value = zero
  withUnsafeMutableBytes(of: &value) { target in
    target.copyMemory(
      from: UnsafeRawBufferPointer(start: pointer, count: min(size, target.count)))
  }
  return value
}

/// Reads `NAME=1x3x640x640,NAME=…`; the name may be missing where there is one input.
package func shapes(parsing text: String) throws(Failure) -> [String: Shape] {
  var result: [String: Shape] = [:]
  for part in text.split(separator: ",", omittingEmptySubsequences: false) {
    let equals = part.lastIndex(of: "=")
    let name = equals.map { String(part[..<$0]) } ?? ""
    let sides = equals.map { part[part.index(after: $0)...] } ?? part
    var extents: [Int] = []
    if sides != "scalar" {
      for side in sides.split(separator: "x", omittingEmptySubsequences: false) {
        guard let extent = Int(side), extent >= 0 else {
          throw Failure(
            APUS_INVALID_ARGUMENT,
            "shapes: '\(part)' is not NAME=1x3x640x640 (or NAME=scalar for rank 0)")
        }
        extents.append(extent)
      }
    }
    guard result.updateValue(Shape(extents), forKey: name) == nil else {
      throw Failure(APUS_INVALID_ARGUMENT, "shapes: the input '\(name)' is named twice")
    }
  }
  return result
}

private func request(
  _ options: UnsafePointer<apus_session_options>?
) throws(Failure) -> SessionRequest {
  var request = SessionRequest()
  guard let options else { return request }
  let given = try known(
    options, size: options.pointee.size, zero: apus_session_options(), "options")
  request.precision = try text(given.precision, "precision")
  if let list = try text(given.shapes, "shapes") { request.shapes = try shapes(parsing: list) }
  if let name = try text(given.isa, "isa") {
    guard let isa = ISA(name: name) else {
      throw Failure(
        APUS_INVALID_ARGUMENT,
        "isa: '\(name)' is unknown; known are "
          + ISA.allCases.map(\.description).joined(separator: ", "))
    }
    let missing = isa.missingFlags
    guard missing.isEmpty else {
      throw Failure(
        APUS_UNAVAILABLE,
        "isa \(name) is not available here: this processor lacks "
          + missing.joined(separator: ", ")
          + "; available are \(ISA.available.map(\.description).joined(separator: ", "))")
    }
    request.isas = isa.included
  }
  guard given.threads >= 0 else {
    throw Failure(APUS_INVALID_ARGUMENT, "threads is \(given.threads); 0 takes what there is")
  }
  request.threads = given.threads == 0 ? nil : Int(given.threads)
  return request
}

@c @implementation public func apus_session_open(
  _ model: apus_model, _ options: UnsafePointer<apus_session_options>?,
  _ session: UnsafeMutablePointer<apus_session>?
) -> apus_status {
  answer {
    let session = try required(session, "session")
    let runner = try HandleTable.model(model).session(request(options))
    session.pointee = try HandleTable.insert(SessionObject(runner), .session)
  }
}

@c @implementation public func apus_session_release(_ session: apus_session) -> apus_status {
  answer {
    try HandleTable.remove(session, .session) { object throws(Failure) in
      try (object as? SessionObject)?.claim()
    }
  }
}

/// Runs `body` on a session that no other thread is using.
private func using(
  _ session: apus_session, _ body: (any Runner) throws -> Void
) -> apus_status {
  answer { try HandleTable.session(session).claimed(body) }
}

/// An index that exists.
private func checked(_ index: Int, _ ports: PortTable, _ kind: String) throws(Failure) -> Int {
  guard index >= 0, index < ports.count else {
    throw Failure(
      APUS_INVALID_ARGUMENT, "there is no \(kind) \(index); there are \(ports.count)")
  }
  return index
}

@c @implementation public func apus_session_input_count(
  _ session: apus_session, _ count: UnsafeMutablePointer<Int>?
) -> apus_status {
  using(session) { try required(count, "count").pointee = $0.inputs.count }
}

@c @implementation public func apus_session_output_count(
  _ session: apus_session, _ count: UnsafeMutablePointer<Int>?
) -> apus_status {
  using(session) { try required(count, "count").pointee = $0.outputs.count }
}

@c @implementation public func apus_session_input(
  _ session: apus_session, _ index: Int, _ info: UnsafeMutablePointer<apus_tensor_info>?,
  _ size: Int
) -> apus_status {
  using(session) {
    try $0.inputs.write(index, "input", to: required(info, "info"), size: size)
  }
}

@c @implementation public func apus_session_output(
  _ session: apus_session, _ index: Int, _ info: UnsafeMutablePointer<apus_tensor_info>?,
  _ size: Int
) -> apus_status {
  using(session) {
    try $0.outputs.write(index, "output", to: required(info, "info"), size: size)
  }
}

@c @implementation public func apus_session_describe(
  _ session: apus_session, _ info: UnsafeMutablePointer<apus_session_info>?, _ size: Int
) -> apus_status {
  using(session) {
    let memory = $0.memory
    try fill(
      required(info, "info"),
      with: apus_session_info(
        weight_size: Int64(memory.weights), arena_size: Int64(memory.arena),
        scratch_size: Int64(memory.scratch), io_size: Int64(memory.io),
        thread_count: Int32($0.threadCount)),
      size: size)
  }
}

@c @implementation public func apus_session_set_input(
  _ session: apus_session, _ index: Int, _ tensor: UnsafePointer<apus_tensor>?
) -> apus_status {
  using(session) {
    let view = try TensorView(required(tensor, "tensor").pointee, "tensor")
    try $0.set(checked(index, $0.inputs, "input"), view)
  }
}

@c @implementation public func apus_session_set_value(
  _ session: apus_session, _ index: Int, _ value: apus_value
) -> apus_status {
  using(session) {
    try $0.set(checked(index, $0.inputs, "input"), HandleTable.value(value))
  }
}

@c @implementation public func apus_session_input_memory(
  _ session: apus_session, _ index: Int, _ tensor: UnsafeMutablePointer<apus_tensor>?
) -> apus_status {
  using(session) {
    let tensor = try required(tensor, "tensor")
    tensor.pointee = try $0.inputMemory(checked(index, $0.inputs, "input")).exported()
  }
}

@c @implementation public func apus_session_bind_input(
  _ session: apus_session, _ index: Int, _ tensor: UnsafePointer<apus_tensor>?
) -> apus_status {
  using(session) {
    let index = try checked(index, $0.inputs, "input")
    let view = try tensor.map { pointer in try TensorView(pointer.pointee, "tensor") }
    try $0.bind(input: index, view, size: tensor?.pointee.size ?? 0)
  }
}

@c @implementation public func apus_session_bind_output(
  _ session: apus_session, _ index: Int, _ tensor: UnsafePointer<apus_tensor>?
) -> apus_status {
  using(session) {
    let index = try checked(index, $0.outputs, "output")
    let view = try tensor.map { pointer in try TensorView(pointer.pointee, "tensor") }
    try $0.bind(output: index, view, size: tensor?.pointee.size ?? 0)
  }
}

@c @implementation public func apus_session_run(_ session: apus_session) -> apus_status {
  using(session) { try $0.run() }
}

@c @implementation public func apus_session_cancel(_ session: apus_session) -> apus_status {
  answer { try HandleTable.session(session).cancel() }
}

@c @implementation public func apus_session_output_view(
  _ session: apus_session, _ index: Int, _ tensor: UnsafeMutablePointer<apus_tensor>?
) -> apus_status {
  using(session) {
    let tensor = try required(tensor, "tensor")
    tensor.pointee = try $0.outputView(checked(index, $0.outputs, "output")).exported()
  }
}

@c @implementation public func apus_session_copy_output(
  _ session: apus_session, _ index: Int, _ data: UnsafeMutableRawPointer?, _ size: Int
) -> apus_status {
  using(session) {
    let view = try $0.outputView(checked(index, $0.outputs, "output"))
    guard view.byteCount == size else {
      throw Failure(
        APUS_WRONG_TENSOR,
        "output \"\($0.outputs.ports[index].name)\" is \(view.type) \(view.shape), "
          + "\(view.byteCount) bytes; size is \(size)")
    }
    guard size > 0, let source = view.base else { return }
    try required(data, "data").copyMemory(from: source, byteCount: size)
  }
}

@c @implementation public func apus_session_output_value(
  _ session: apus_session, _ index: Int, _ value: UnsafeMutablePointer<apus_value>?
) -> apus_status {
  using(session) {
    let value = try required(value, "value")
    let object = ValueObject(try $0.output(checked(index, $0.outputs, "output")))
    value.pointee = try HandleTable.insert(object, .value)
  }
}
