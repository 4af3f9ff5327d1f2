import ApusC
import CApus
import Compilation
import Graphs
import Staging

extension Failure {
  /// What the compiler's rooms throw, as the C interface answers it.
  init(source error: any Error) {
    switch error {
    case let error as ImportError:
      self.init(Failure.status(of: error.code), error.description)
    case let error as CompileError:
      self.init(Failure.status(of: error.code), error.description)
    case let error as StagingError:
      self.init(Failure.status(of: error.code), error.description)
    case let error as GraphError:
      self.init(APUS_INVALID_MODEL, error.description)
    default: self.init(error)
    }
  }

  private static func status(of code: ImportError.Code) -> apus_status {
    switch code {
    case .unreadable: APUS_UNREADABLE
    case .malformed: APUS_MALFORMED
    case .unsupported: APUS_UNSUPPORTED
    case .invalidNode: APUS_INVALID_MODEL
    default: APUS_INTERNAL
    }
  }

  private static func status(of code: CompileError.Code) -> apus_status {
    switch code {
    case .invalidModel: APUS_INVALID_MODEL
    case .shapes: APUS_SHAPES
    case .unsupported, .dataDependent: APUS_UNSUPPORTED
    case .invalidData: APUS_WRONG_TENSOR
    default: APUS_INTERNAL
    }
  }
}

extension Failure {
  fileprivate static func status(of code: StagingError.Code) -> apus_status {
    switch code {
    case .wrongInput: APUS_WRONG_TENSOR
    case .invalidModel: APUS_INVALID_MODEL
    case .limit, .fault: APUS_FAULT
    case .noResources: APUS_OUT_OF_MEMORY
    case .inUse: APUS_BUSY
    case .cancelled: APUS_CANCELLED
    default: APUS_INTERNAL
    }
  }
}

/// Runs `body`, whose errors become failures.
func reporting<R>(_ body: () throws -> R) throws(Failure) -> R {
  do {
    return try body()
  } catch {
    throw Failure(source: error)
  }
}
