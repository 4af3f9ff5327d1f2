import Instructions
import Kernels
import ModelFile
import Planner
import Runtime

/// Model files: tables, metadata, programs; what a session accepts also runs.
enum ModelFileTarget: FuzzTarget {
  static let name = "model-file"
  /// Programs that want more are not run: the fuzzer has a bound on memory of its own.
  private static let largestArena = 64 << 20

  private final class Copy {
    let bytes: UnsafeMutableRawBufferPointer

    init(_ source: UnsafeRawBufferPointer) {
      bytes = .allocate(byteCount: max(source.count, 1), alignment: 64)
      bytes.copyMemory(from: source)
    }

    deinit { bytes.deallocate() }
  }

  static func run(_ bytes: UnsafeRawBufferPointer) {
    let copy = Copy(bytes)
    let view = UnsafeRawBufferPointer(rebasing: copy.bytes[..<bytes.count])
    guard let archive = try? ModelArchive(view, owner: copy) else { return }
    try? archive.verify()
    _ = archive.manifest
    _ = archive.calibration
    _ = try? archive.processing()
    _ = try? archive.origin()
    _ = try? archive.proof()
    _ = try? archive.selfTests()
    guard let model = try? Model(archive) else { return }
    for index in model.programs.indices.prefix(2) { run(model, index) }
  }

  private static func run(_ model: Model, _ index: Int) {
    let options = Session.Options(threads: 1, isas: ISA.portable.included)
    guard let program = try? model.program(index), program.arenaByteCount <= largestArena,
      program.instructions.count <= 500,
      let session = try? model.session(index, options: options)
    else { return }
    let work = program.tensors.reduce(0) { $0 &+ min($1.byteCount, 1 << 24) }
    guard work <= 1 << 26 else { return }
    try? session.run()
  }
}
