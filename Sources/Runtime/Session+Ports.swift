import Instructions
import Planner
import Tensors

extension Session {
  /// The inputs, in the source model's order.
  public var inputs: [Program.Port] { program.inputs }
  /// The outputs, in the source model's order.
  public var outputs: [Program.Port] { program.outputs }

  // MARK: Copies

  /// Copies a tensor into an input.
  ///
  /// - Throws: `RuntimeError` for another type or shape, naming both.
  public func setInput(_ index: Int, _ tensor: TensorBuffer) throws(RuntimeError) {
    try claimed { () throws(RuntimeError) in
      let port = try declaredInput(index)
      guard port.type == tensor.type, port.shape == tensor.shape else {
        throw RuntimeError(
          .wrongTensor,
          "the model wants \(port.type) \(port.shape), the given tensor is \(tensor.type) "
            + "\(tensor.shape)",
          place: "input \"\(port.name)\"")
      }
      tensor.withBytes { bytes in
        guard let source = bytes.baseAddress, let target = table[Int(port.operand.index)] else {
          return
        }
        target.copyMemory(from: source, byteCount: bytes.count)
      }
    }
  }

  /// A copy of an output after a run.
  public func output(_ index: Int) throws(RuntimeError) -> TensorBuffer {
    try claimed { () throws(RuntimeError) in
      copy(of: try port(index, of: program.outputs, "output").operand)
    }
  }

  /// Runs the program on copies of `tensors`, in the order of the inputs; returns copies of the
  /// outputs, in order.
  public func run(_ tensors: [TensorBuffer]) throws(RuntimeError) -> [TensorBuffer] {
    guard tensors.count == program.inputs.count else {
      throw RuntimeError(
        .wrongTensor, "\(tensors.count) tensors for \(program.inputs.count) inputs")
    }
    for (index, tensor) in tensors.enumerated() { try setInput(index, tensor) }
    try run()
    var results: [TensorBuffer] = []
    for index in program.outputs.indices { results.append(try output(index)) }
    return results
  }

  /// Runs the program on copies of `tensors`, by name; returns copies of the outputs by name.
  ///
  /// - Throws: `RuntimeError` for a missing or unknown name, listing the model's.
  public func run(_ tensors: [String: TensorBuffer]) throws(RuntimeError)
    -> [String: TensorBuffer]
  {
    let names = program.inputs.map { "\"\($0.name)\"" }.joined(separator: ", ")
    for name in tensors.keys.sorted() where !program.inputs.contains(where: { $0.name == name }) {
      throw RuntimeError(
        .unknownPort, "the model has no input \"\(name)\"; its inputs are \(names)")
    }
    var ordered: [TensorBuffer] = []
    for port in program.inputs {
      guard let tensor = tensors[port.name] else {
        throw RuntimeError(
          .unknownPort, "no tensor is given for it; the model's inputs are \(names)",
          place: "input \"\(port.name)\"")
      }
      ordered.append(tensor)
    }
    let results = try run(ordered)
    return Dictionary(
      zip(program.outputs.map(\.name), results), uniquingKeysWith: { first, _ in first })
  }

  // MARK: No copies

  /// The bytes of an input, to be filled in place; valid inside `body` only.
  public func withInput<R>(
    _ index: Int, _ body: (UnsafeMutableRawBufferPointer) -> R
  ) throws(RuntimeError) -> R {
    try claimed { () throws(RuntimeError) in
      body(bytes(of: try declaredInput(index).operand))
    }
  }

  /// The bytes of an output after a run, not copied; valid inside `body` only.
  public func withOutput<R>(
    _ index: Int, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(RuntimeError) -> R {
    try claimed { () throws(RuntimeError) in
      body(
        UnsafeRawBufferPointer(bytes(of: try port(index, of: program.outputs, "output").operand)))
    }
  }

  /// Makes runs read an input from the caller's memory, without a copy, until it is bound anew.
  ///
  /// - Parameter bytes: 64-byte aligned, dense, the size of the input and
  ///   `MemoryPlanner.slackByteCount` more readable bytes; stays valid until bound anew. Nil: the
  ///   session's own memory again.
  public func bind(
    input index: Int, to bytes: UnsafeRawBufferPointer?
  ) throws(RuntimeError) {
    try claimed { () throws(RuntimeError) in
      let port = try declaredInput(index)
      try bind(port, "input", to: bytes.map { UnsafeMutableRawBufferPointer(mutating: $0) })
    }
  }

  /// Makes runs write an output to the caller's memory, without a copy, until it is bound anew.
  ///
  /// - Parameter bytes: as for inputs; the bytes behind the output are read at most.
  public func bind(
    output index: Int, to bytes: UnsafeMutableRawBufferPointer?
  ) throws(RuntimeError) {
    try claimed { () throws(RuntimeError) in
      try bind(try port(index, of: program.outputs, "output"), "output", to: bytes)
    }
  }

  private func bind(
    _ port: Program.Port, _ kind: String, to bytes: UnsafeMutableRawBufferPointer?
  ) throws(RuntimeError) {
    let owner = port.operand.index
    let needed = program.tensors[Int(owner)].byteCount + MemoryPlanner.slackByteCount
    if let bytes {
      let isAligned = Int(bitPattern: bytes.baseAddress) % MemoryPlanner.alignment == 0
      guard bytes.baseAddress != nil, bytes.count >= needed, isAligned else {
        throw RuntimeError(
          .wrongTensor,
          "memory to bind must be 64-byte aligned and have \(needed) bytes "
            + "(\(MemoryPlanner.slackByteCount) of them behind the tensor); it has \(bytes.count)"
            + (isAligned ? "" : " and is not aligned") + ". Or copy instead",
          place: "\(kind) \"\(port.name)\"")
      }
    }
    for index in program.tensors.indices where roots.root[index] == owner {
      table[index] = bytes?.baseAddress.map { $0 + roots.byteOffset[index] } ?? home(of: index)
    }
  }

  // MARK: Inside

  /// A dense copy of any tensor, as it lies in memory now. After a run it holds what the last
  /// instruction that used its memory left there; plan with `keepingAll` to see all results.
  package func contents(of operand: Operand) throws(RuntimeError) -> TensorBuffer {
    try claimed { () throws(RuntimeError) in copy(of: operand) }
  }

  func bytes(of operand: Operand) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      start: table[Int(operand.index)], count: program.tensors[Int(operand.index)].byteCount)
  }

  private func copy(of operand: Operand) -> TensorBuffer {
    let spec = program.tensors[Int(operand.index)]
    let result = TensorBuffer(zeros: spec.type, spec.shape)
    guard let source = table[Int(operand.index)], spec.shape.elementCount > 0 else { return result }
    let rowByteCount = spec.type.byteCount(of: spec.rowLength) ?? 0
    let step = spec.type.byteCount(of: spec.rowStride) ?? 0
    result.withMutableBytes { target in
      guard let start = target.baseAddress else { return }
      if spec.isDense {
        start.copyMemory(from: source, byteCount: target.count)
      } else {
        for row in 0..<spec.rowCount {
          (start + row * rowByteCount).copyMemory(
            from: source + row * step, byteCount: rowByteCount)
        }
      }
    }
    return result
  }

  /// An input that is given as it is declared.
  private func declaredInput(_ index: Int) throws(RuntimeError) -> Program.Port {
    let port = try port(index, of: program.inputs, "input")
    guard taken[index] == nil else {
      throw RuntimeError(
        .inputTaken, "this session's input was taken in its direct form; use withDirectInput",
        place: "input \"\(port.name)\"")
    }
    return port
  }

  func port(
    _ index: Int, of ports: [Program.Port], _ kind: String
  ) throws(RuntimeError) -> Program.Port {
    guard ports.indices.contains(index) else {
      throw RuntimeError(.unknownPort, "there is no \(kind) \(index); there are \(ports.count)")
    }
    return ports[index]
  }
}
