internal import CKernels

/// An instruction-set architecture that kernels are written for.
///
/// Raw values rise with speed among those that one machine can have.
public enum ISA: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  case portable = 0
  case avx2 = 1
  case avxvnni = 2
  case avx512 = 3
  case avx512vnni = 4
  case avx512bf16 = 5
  case neon = 16
  case neondot = 17

  /// The name on the command line.
  public var description: String {
    switch self {
    case .portable: "portable"
    case .avx2: "avx2"
    case .avxvnni: "avxvnni"
    case .avx512: "avx512"
    case .avx512vnni: "avx512vnni"
    case .avx512bf16: "avx512bf16"
    case .neon: "neon"
    case .neondot: "neondot"
    }
  }

  public init?(name: String) {
    guard let isa = ISA.allCases.first(where: { $0.description == name }) else { return nil }
    self = isa
  }

  /// The ISAs whose kernels may be used when this one is asked for: itself and what it contains.
  public var included: Set<ISA> {
    switch self {
    case .portable: [.portable]
    case .avx2: [.portable, .avx2]
    case .avxvnni: [.portable, .avx2, .avxvnni]
    case .avx512: [.portable, .avx2, .avx512]
    case .avx512vnni: [.portable, .avx2, .avx512, .avx512vnni]
    case .avx512bf16: [.portable, .avx2, .avx512, .avx512vnni, .avx512bf16]
    case .neon: [.portable, .neon]
    case .neondot: [.portable, .neon, .neondot]
    }
  }

  /// The processor flags that this machine lacks for the ISA, by their names in `/proc/cpuinfo`.
  public var missingFlags: [String] {
    switch self {
    case .portable: []
    case .avx2: missing(["avx2", "fma"])
    case .avxvnni: missing(["avx2", "fma", "avx_vnni"])
    case .avx512: missing(["avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512dq"])
    case .avx512vnni: ISA.avx512.missingFlags + missing(["avx512_vnni"])
    case .avx512bf16: ISA.avx512vnni.missingFlags + missing(["avx512_bf16"])
    case .neon: missing(["asimd"])
    case .neondot: missing(["asimd", "asimddp"])
    }
  }

  private func missing(_ flags: [String]) -> [String] {
    flags.filter { flag in flag.withCString { apus_cpu_has($0) } == 0 }
  }

  /// Says whether this machine can execute the ISA.
  public var isAvailable: Bool { missingFlags.isEmpty }

  /// Every ISA that this machine can execute, slowest first.
  public static let available: [ISA] = ISA.allCases.filter(\.isAvailable)

  /// The kernels that the machine may use by default: those of every available ISA.
  public static let host: Set<ISA> = Set(available)
}
