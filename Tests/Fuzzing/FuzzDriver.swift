import CFuzzing

#if canImport(Glibc)
  import Glibc
#endif

/// A parser that is given hostile bytes.
protocol FuzzTarget {
  /// What it is called on the command line.
  static var name: String { get }
  /// Must return, whatever the bytes are, without a crash, a hang or boundless memory.
  static func run(_ bytes: UnsafeRawBufferPointer)
}

/// `apus-fuzz TARGET [options of libFuzzer] [folders of inputs]`.
enum FuzzDriver {
  static var targets: [any FuzzTarget.Type] {
    [
      ArchiveTarget.self, CompilerTarget.self, ModelFileTarget.self, ProtobufTarget.self,
      RangesTableTarget.self,
    ]
  }

  /// The one that runs; libFuzzer's callback has no place for it. Set once, before it starts.
  nonisolated(unsafe) private static var chosen: any FuzzTarget.Type = ProtobufTarget.self

  static func run() -> Int32 {
    let arguments = CommandLine.arguments
    guard arguments.count > 1, let target = targets.first(where: { $0.name == arguments[1] }) else {
      let names = targets.map { $0.name }.joined(separator: ", ")
      print("usage: apus-fuzz TARGET [libFuzzer options] [folders]; targets: \(names)")
      return 64
    }
    chosen = target
    // libFuzzer sees the program's name and what follows the target.
    var count = Int32(arguments.count - 1)
    var rest: [UnsafeMutablePointer<CChar>?] = []
    for (index, argument) in arguments.enumerated() where index != 1 {
      rest.append(strdup(argument))
    }
    rest.append(nil)
    return rest.withUnsafeMutableBufferPointer { buffer in
      var pointer = buffer.baseAddress
      return LLVMFuzzerRunDriver(&count, &pointer) { bytes, count in
        FuzzDriver.chosen.run(UnsafeRawBufferPointer(start: bytes, count: count))
        return 0
      }
    }
  }
}
