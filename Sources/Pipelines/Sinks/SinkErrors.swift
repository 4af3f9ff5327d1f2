import Files
import Imaging

extension PipelineError.Code {
  /// A library or device that is not there.
  public static let unavailable = PipelineError.Code(name: "unavailable", exitStatus: 71)
}

extension PipelineError {
  /// Takes over the error of a file that could not be written.
  init(writing error: FileError) {
    let prefix = error.path + ": "
    let message =
      error.message.hasPrefix(prefix)
      ? String(error.message.dropFirst(prefix.count)) : error.message
    self.init(.sink, message, place: error.path)
  }

  /// Takes over the error of a picture or video that could not be written.
  init(writing error: ImagingError, to path: String) {
    let code: Code =
      switch error.code {
      case .mediaLibrary: .unavailable
      case .memory: .memory
      default: .sink
      }
    self.init(code, error.message, place: error.place ?? path)
  }
}
