import Compilation
import Graphs
import Importers
import Instructions
import Kernels
import ModelFile
import Options
import Runtime
import Synchronization
import Tensors
import Texts

/// Times one model.
struct ModelBench {
  private let given: Given
  private let path: String
  private let isas: Set<ISA>
  private static let clock = ContinuousClock()

  init(_ given: Given) throws {
    self.given = given
    path = given[BenchVerb.model]
    isas = try SharedOptions.isas(given)
  }

  func run() throws -> ExitCode {
    // Read at first for the shapes only, so that its memory is free while the model loads.
    let shapes = try inputShapes(given[BenchVerb.input].map { try TensorSample($0) })
    let start = ModelBench.clock.now
    let model = try OpenedModel(
      path, shapes: InputShapes(shapes), precision: given[SharedOptions.precision])
    let index = try model.model.index(
      precision: given[SharedOptions.precision]?.rawValue, shapes: model.graph == nil ? shapes : [:]
    )
    let options = Session.Options(threads: given[SharedOptions.threads], isas: isas)
    let session = try model.model.session(index, options: options)
    let load = (ModelBench.clock.now - start).milliseconds
    var sessions = [session]
    try fill(sessions, model, index)
    let first = try time(session)
    for _ in 1..<(given[BenchVerb.streams] ?? 1) {
      sessions.append(try model.model.session(index, options: options))
    }
    try fill(Array(sessions.dropFirst()), model, index)
    try warmUp(session)
    let (times, elapsed) = try timed(sessions)
    let sorted = times.sorted()
    var report = BenchReport(
      model: path, head: model.model.programs[index],
      threads: session.threadCount, isa: isas.max { $0.rawValue < $1.rawValue } ?? .portable,
      loadMs: load, firstMs: first, times: sorted,
      samplesPerSecond: Double(times.count) / (elapsed / 1000), memory: session.memory)
    if given[BenchVerb.layers] {
      report.layers = try BenchLayers(
        session, precision: model.model.programs[index].precision)
    }
    try Console.output(given[SharedOptions.json] ? report.json : report.text)
    return .done
  }

  private func inputShapes(_ sample: TensorSample?) throws -> [String: Shape] {
    let names: [String]
    var result: [String: Shape] = [:]
    if OpenedModel.isSource(path) {
      let graph = try Graph(onnxFile: path)
      names = graph.inputs.map { graph[$0].name }
      if let shape = given[BenchVerb.shape] {
        result = try InputShapes(shape, for: graph).shapes
      }
    } else {
      names = try ModelArchive(mapping: path).programs.first?.inputs.map(\.name) ?? []
      for (name, extents) in given[BenchVerb.shape]?.shapes ?? [] {
        result[name.isEmpty && names.count == 1 ? names[0] : name] = Shape(extents)
      }
    }
    if let sample { result.merge(try sample.shapes(inputs: names)) { first, _ in first } }
    return result
  }

  /// The file's own self-test inputs, else seeded random ones.
  private func stored(
    _ model: OpenedModel, _ index: Int, _ session: Session
  ) throws -> [TensorBuffer] {
    if let archive = model.model.archive {
      for test in try archive.selfTests() where test.program == index {
        let tensors = Dictionary(test.inputs.map { ($0.name, $0.tensor) }) { first, _ in first }
        let ordered = session.inputs.compactMap { tensors[$0.name] }
        if ordered.count == session.inputs.count { return ordered }
      }
    }
    var random = RandomInputs()
    return random.tensors(for: session.inputs)
  }

  /// Copies the inputs into sessions; they take no memory of their own afterwards.
  private func fill(_ sessions: [Session], _ model: OpenedModel, _ index: Int) throws {
    guard let first = sessions.first else { return }
    let inputs =
      try given[BenchVerb.input].map { try TensorSample($0).ordered(for: first.inputs) }
      ?? stored(model, index, first)
    for session in sessions {
      for (place, tensor) in inputs.enumerated() { try session.setInput(place, tensor) }
    }
  }

  private func time(_ session: Session) throws -> Double {
    let start = ModelBench.clock.now
    try session.run()
    return (ModelBench.clock.now - start).milliseconds
  }

  private func warmUp(_ session: Session) throws {
    let start = ModelBench.clock.now
    var count = 0
    while count < 3 || (ModelBench.clock.now - start).milliseconds < 400 {
      try session.run()
      count += 1
    }
  }

  /// Runs all sessions side by side; returns the times of their runs and how long it took.
  private func timed(_ sessions: [Session]) throws -> (times: [Double], elapsed: Double) {
    let runs = given[BenchVerb.runs]
    let budget = (given[BenchVerb.seconds] ?? 2) * 1000
    let results = Mutex<(times: [Double], error: (any Error)?)>(([], nil))
    let start = ModelBench.clock.now
    let body: @Sendable (Session) -> Void = { session in
      var times: [Double] = []
      times.reserveCapacity(1 << 16)
      do {
        while times.count < runs ?? Int.max {
          if runs == nil, (ModelBench.clock.now - start).milliseconds >= budget, times.count >= 5 {
            break
          }
          let begin = ModelBench.clock.now
          try session.run()
          times.append((ModelBench.clock.now - begin).milliseconds)
        }
        results.withLock { $0.times += times }
      } catch {
        results.withLock { $0.error = error }
      }
    }
    if sessions.count == 1 {
      body(sessions[0])
    } else {
      SideBySide.run(sessions.count) { body(sessions[$0]) }
    }
    let elapsed = (ModelBench.clock.now - start).milliseconds
    return try results.withLock { result in
      if let error = result.error { throw error }
      return (result.times, elapsed)
    }
  }
}
