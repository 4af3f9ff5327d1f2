import CApus
import Detections
import Imaging
import ModelFile
import Runtime

/// Why a call of the C interface fails: what it answers, and the message that it leaves.
package struct Failure: Error, CustomStringConvertible {
  package var status: apus_status
  /// What failed, with which numbers, and what to do.
  package var description: String

  package init(_ status: apus_status, _ description: String) {
    self.status = status
    self.description = description
  }

  /// A failure of what is below.
  package init(_ error: any Error) {
    switch error {
    case let error as Failure: self = error
    case let error as RuntimeError: self.init(Failure.status(of: error.code), error.description)
    case let error as ModelFileError: self.init(Failure.status(of: error.code), error.description)
    case let error as SpecificationError: self.init(APUS_INVALID_ARGUMENT, error.description)
    case let error as ImagingError: self.init(APUS_INVALID_ARGUMENT, error.description)
    case let error as DetectionError: self.init(APUS_WRONG_TENSOR, error.description)
    default: self.init(APUS_INTERNAL, "\(error)")
    }
  }

  private static func status(of code: RuntimeError.Code) -> apus_status {
    switch code {
    case .invalidProgram: APUS_MALFORMED
    case .unknownPort: APUS_INVALID_ARGUMENT
    case .wrongTensor, .inputTaken: APUS_WRONG_TENSOR
    case .noSuchProgram: APUS_NO_SUCH_PROGRAM
    case .outOfMemory: APUS_OUT_OF_MEMORY
    case .outOfThreads: APUS_OUT_OF_THREADS
    case .fault: APUS_FAULT
    case .inUse: APUS_BUSY
    case .cancelled: APUS_CANCELLED
    default: APUS_INTERNAL
    }
  }

  private static func status(of code: ModelFileError.Code) -> apus_status {
    switch code {
    case .notFound, .unreadable: APUS_UNREADABLE
    case .notAModel, .truncated, .corrupt, .hashMismatch: APUS_MALFORMED
    case .newerVersion: APUS_UNSUPPORTED
    case .notWritable: APUS_NOT_WRITABLE
    case .diskFull: APUS_DISK_FULL
    default: APUS_INTERNAL
    }
  }
}

/// Runs the body of a call: its failure becomes the thread's message and the call's answer.
package func answer(_ body: () throws -> Void) -> apus_status {
  do {
    try body()
    return APUS_OK
  } catch {
    let failure = Failure(error)
    var text = failure.description
    text.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { capus_set_message($0.baseAddress, $0.count) }
    }
    return failure.status
  }
}

/// The pointer of an argument.
///
/// - Throws: `Failure` naming the argument where it is null.
package func required<P>(_ pointer: P?, _ name: StaticString) throws(Failure) -> P {
  guard let pointer else { throw Failure(APUS_INVALID_ARGUMENT, "\(name) must not be NULL") }
  return pointer
}

/// The text of an argument; nil where it is null.
///
/// - Throws: `Failure` where it is no UTF-8.
package func text(
  _ pointer: UnsafePointer<CChar>?, _ name: StaticString
) throws(Failure) -> String? {
  guard let pointer else { return nil }
  guard let text = String(validatingCString: pointer) else {
    throw Failure(APUS_INVALID_ARGUMENT, "\(name) is not UTF-8 text")
  }
  return text
}
