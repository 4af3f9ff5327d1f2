import Archives
import Compilation
import Detections
import Files
import Graphs
import Imaging
import ModelFile
import Options
import Pipelines
import Runtime
import Staging

/// The command line tool: its verbs, and what their errors mean to scripts.
package enum ApusTool {
  /// The version of the toolkit.
  static let version = "0.1.0"

  /// Runs what the process was started with; returns its exit code.
  package static func main() -> Int32 {
    Interruption.handle()
    return run(Array(CommandLine.arguments.dropFirst()))
  }

  static func run(_ words: [String]) -> Int32 {
    let tool = Tool(
      "apus", summary: "from a trained network to results on the computer at the edge",
      version: version,
      verbs: [
        CompileVerb.self, CalibrateVerb.self, RunVerb.self, PipelineVerb.self, BenchVerb.self,
        InspectVerb.self, CompareVerb.self, EvalVerb.self, VerifyVerb.self, VersionVerb.self,
      ], diagnose: diagnose)
    return tool.run(words).rawValue
  }

  /// The message and exit code of an error that no verb has dealt with.
  @Sendable static func diagnose(_ error: any Error) -> (message: String, code: ExitCode) {
    switch error {
    case let error as VerbError: (error.message, error.code)
    case let error as ImportError: (error.description, exitCode(error))
    case let error as CompileError: (error.description, exitCode(error))
    case let error as ArchiveError: (error.description, exitCode(error))
    case let error as ModelFileError: (error.description, exitCode(error))
    case let error as RuntimeError: (error.description, exitCode(error))
    case let error as StagingError: (error.description, exitCode(error))
    case let error as ImagingError:
      (error.description, ExitCode(rawValue: error.code.exitStatus) ?? .badInput)
    case let error as PipelineError:
      (error.description, ExitCode(rawValue: error.code.exitStatus) ?? .internalError)
    case let error as DetectionError: (error.description, .badInput)
    case let error as SpecificationError: (error.description, .usage)
    case let error as FileError: (error.message, ExitCode(error.code))
    default: ("\(error)", .internalError)
    }
  }

  private static func exitCode(_ error: ImportError) -> ExitCode {
    error.code == .unreadable ? .inputMissing : .badInput
  }

  private static func exitCode(_ error: CompileError) -> ExitCode {
    switch error.code {
    case .shapes: .usage
    case .internalError: .internalError
    default: .badInput
    }
  }

  private static func exitCode(_ error: StagingError) -> ExitCode {
    switch error.code {
    case .noResources: .unavailable
    case .internalError: .internalError
    default: .badInput
    }
  }

  private static func exitCode(_ error: ArchiveError) -> ExitCode {
    switch error.code {
    case .notFound, .unreadable: .inputMissing
    case .notWritable, .diskFull: .outputFailed
    default: .badInput
    }
  }

  private static func exitCode(_ error: ModelFileError) -> ExitCode {
    switch error.code {
    case .notFound, .unreadable: .inputMissing
    case .notWritable, .diskFull: .outputFailed
    default: .badInput
    }
  }

  private static func exitCode(_ error: RuntimeError) -> ExitCode {
    switch error.code {
    case .outOfMemory, .outOfThreads: .unavailable
    case .noSuchProgram: .usage
    default: .badInput
    }
  }
}

/// What a verb finds wrong by itself, with the exit code of the contract.
struct VerbError: Error {
  var code: ExitCode
  var message: String

  init(_ code: ExitCode, _ message: String) {
    self.code = code
    self.message = message
  }
}
