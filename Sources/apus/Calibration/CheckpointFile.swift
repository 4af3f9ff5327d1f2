import Compilation
import Files
import ModelFile
import Options
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// The file beside a table in the making that lets an interrupted calibration go on.
final class CheckpointFile: Sendable {
  let path: String
  private let key: [UInt8]
  private let lastSave = Mutex(ContinuousClock.now)

  /// Time between two checkpoints: what an interruption may cost.
  private static let interval = Duration.seconds(10)
  private static let limit = 1 << 32

  /// - Parameters:
  ///   - table: the table in the making.
  ///   - model: the model's file.
  ///   - source: the samples.
  ///   - options: what else decides about the statistics, as text.
  init(beside table: String, model: String, _ source: CalibrationSource, options: String) throws {
    path = table + ".partial"
    var hash = SHA256()
    func add(_ text: String) {
      var text = text + "\n"
      text.withUTF8 { hash.update(UnsafeRawBufferPointer($0)) }
    }
    var file = try ReadableFile(model)
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    var count = 0
    repeat {
      count = try chunk.withUnsafeMutableBytes { (buffer) throws(FileError) in
        try file.read(into: buffer)
      }
      chunk[..<count].withUnsafeBytes { hash.update($0) }
    } while count == chunk.count
    add(options)
    for file in source.preprocessing { add(file?.specification.description ?? "none") }
    for index in 0..<source.count {
      add(source.name(at: index))
      for file in source.files(at: index) { add(CheckpointFile.stamp(of: file)) }
    }
    key = hash.finish()
  }

  /// The saved checkpoint; nil where there is none for this work.
  func read(_ calibrator: Calibrator) -> CalibrationCheckpoint? {
    guard let bytes = try? FileContents.bytes(of: path, limit: CheckpointFile.limit) else {
      return nil
    }
    return calibrator.checkpoint(bytes, key: key)
  }

  /// Saves what was seen, unless that was done just before.
  func saveIfDue(_ calibrator: Calibrator, _ observers: [RangeObserver]) throws {
    let now = ContinuousClock.now
    let isDue = lastSave.withLock { last in
      guard now - last >= CheckpointFile.interval else { return false }
      last = now
      return true
    }
    if isDue { try save(calibrator, observers) }
  }

  /// Saves what was seen.
  func save(_ calibrator: Calibrator, _ observers: [RangeObserver]) throws {
    try AtomicFile.write(calibrator.checkpoint(observers).bytes(key: key), to: path)
  }

  /// Takes the file away: the work is done.
  func remove() { unlink(path) }

  /// Size and time of a file, which change with its contents.
  private static func stamp(of path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "absent" }
    return "\(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
  }
}
