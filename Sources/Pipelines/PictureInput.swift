public import Imaging
public import ModelFile
public import Runtime

/// Puts pictures into the one input of a session, as the model's preprocessing declares.
///
/// Belongs to one thread at a time, as the session does.
public final class PictureInput {
  private let session: Session
  private let preprocessor: Preprocessor
  /// The samples of one run.
  public let batchSize: Int

  /// - Parameter preprocessing: by input name, as the model file stores it.
  /// - Throws: `configuration` where the model has several inputs, or says nothing about pictures.
  public init(_ session: Session, _ preprocessing: Processing) throws(PipelineError) {
    guard session.inputs.count == 1, let port = session.inputs.first else {
      throw PipelineError(
        .configuration,
        "the model has \(session.inputs.count) inputs; pictures go to models with one")
    }
    guard let text = preprocessing.inputs.first(where: { $0.name == port.name })?.text else {
      throw PipelineError(
        .configuration,
        "the model does not say how a picture becomes its input \"\(port.name)\" (\(port.type) "
          + "\(port.shape)); compile it with --preprocess")
    }
    do throws(SpecificationError) {
      preprocessor = Preprocessor(
        try Preprocessing(parsing: text).resolved(
          input: port.name, shape: port.shape, type: port.type))
    } catch {
      throw PipelineError(.configuration, error.message)
    }
    self.session = session
    batchSize = port.shape.dimensions.first ?? 1
  }

  /// Writes a frame as one sample of the next run.
  ///
  /// - Returns: where the frame lies in the input, to map boxes back.
  public func write(
    _ frame: Frame, sample: Int
  ) throws(RuntimeError) -> InputMapping {
    let (size, preprocessor) = (preprocessor.sampleByteCount, preprocessor)
    return try session.withInput(0) { bytes in
      preprocessor.process(
        frame,
        into: UnsafeMutableRawBufferPointer(
          rebasing: bytes[sample * size..<(sample + 1) * size]))
    }
  }
}
