// What has to be equal before two runs can be compared.
import Files
import Runtime
import Texts

/// The machine and the model that figures belong to.
public struct MachineDescription: Sendable, Hashable {
  /// The processor's name as the system gives it.
  public var processor = ""
  /// The processors that the process may use.
  public var cores = 0
  /// The instruction set that kernels were chosen from.
  public var isa = ""
  public var model = ""
  /// SHA-256 of the model, in hexadecimal digits.
  public var modelHash = ""
  public var precision = ""
  /// The threads that work on frames.
  public var threads = 0
  /// The version of the program.
  public var version = ""

  public init() {}

  /// The name of this machine's processor, from the contents of `/proc/cpuinfo`: the model name, or
  /// implementer and part where (on ARM) there is none.
  package static func processor(in text: String) -> String {
    var fields: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      let (key, value) = (trimmed(parts[0]), trimmed(parts[1]))
      if fields[key] == nil { fields[key] = value }
    }
    if let name = fields["model name"] ?? fields["Hardware"] ?? fields["cpu model"] { return name }
    guard let implementer = fields["CPU implementer"], let part = fields["CPU part"] else {
      return "unknown"
    }
    return "implementer \(implementer) part \(part)"
  }

  /// The name of this machine's processor.
  package static var processorHere: String {
    processor(in: (try? FileContents.text(of: "/proc/cpuinfo", limit: 16 << 20)) ?? "")
  }

  private static func trimmed(_ text: Substring) -> String {
    text.split(separator: " ").joined(separator: " ").filter { $0 != "\t" }
  }

  /// Refuses to compare runs of different kinds.
  ///
  /// - Throws: `input`, naming every difference.
  public func requireSame(as earlier: MachineDescription) throws(PipelineError) {
    let differences = differences(from: earlier)
    guard differences.isEmpty else {
      throw PipelineError(
        .input, "the runs cannot be compared: \(differences.joined(separator: "; "))")
    }
  }

  /// Why figures of another run cannot be compared with this one's; empty where they can.
  func differences(from earlier: MachineDescription) -> [String] {
    var differences: [String] = []
    func compare(_ what: String, _ now: String, _ then: String) {
      if now != then { differences.append("\(what): \(then) then, \(now) now") }
    }
    compare("processor", processor, earlier.processor)
    compare("processors", "\(cores)", "\(earlier.cores)")
    compare("instruction set", isa, earlier.isa)
    compare("precision", precision, earlier.precision)
    compare("threads", "\(threads)", "\(earlier.threads)")
    if modelHash != earlier.modelHash {
      differences.append(
        "model: \(earlier.model) (\(earlier.modelHash.prefix(12))) then, \(model) "
          + "(\(modelHash.prefix(12))) now")
    }
    return differences
  }
}
