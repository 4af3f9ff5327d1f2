public import Imaging
public import ModelFile
public import Runtime
internal import Tensors

/// Puts pictures into the one input of a session, as the model's preprocessing declares.
///
/// Where the program begins with a conversion of the input (to 8 bits, to bfloat16, to channels
/// last), the picture is written as the result of that conversion, and the session no longer does
/// it: pixels go from the decoder's frame to what the first layer reads in one pass. Outputs have
/// the same bits either way.
///
/// Belongs to one thread at a time, as the session does. Every run needs its pictures written anew.
public final class PictureInput {
  private let session: Session
  private let preprocessor: Preprocessor
  /// The samples of one run.
  public let batchSize: Int
  /// Whether the session's own conversion of the input is left out.
  public let isDirect: Bool

  /// - Parameter preprocessing: by input name, as the model file stores it.
  /// - Throws: `configuration` where the model has several inputs, or says nothing about pictures.
  public convenience init(
    _ session: Session, _ preprocessing: Processing
  ) throws(PipelineError) {
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
    let specification: ResolvedPreprocessing
    do throws(SpecificationError) {
      specification = try Preprocessing(parsing: text).resolved(
        input: port.name, shape: port.shape, type: port.type)
    } catch {
      throw PipelineError(.configuration, error.message)
    }
    self.init(session, specification)
  }

  /// - Parameters:
  ///   - specification: fits the session's first and only input.
  ///   - isDirect: false: the input is written as it is declared, whatever the program makes of it.
  public init(_ session: Session, _ specification: ResolvedPreprocessing, isDirect: Bool = true) {
    self.session = session
    let extents = session.inputs.first?.shape.dimensions ?? []
    batchSize = extents.count == 4 ? extents[0] : 1
    if isDirect, let direct = PictureInput.takeDirect(session, specification) {
      preprocessor = direct
      self.isDirect = true
    } else {
      preprocessor = Preprocessor(specification, isas: session.isas)
      self.isDirect = false
    }
  }

  /// Takes the direct form of the session's input; nil where it has none that pictures can have.
  private static func takeDirect(
    _ session: Session, _ specification: ResolvedPreprocessing
  ) -> Preprocessor? {
    do throws(RuntimeError) {
      guard let direct = try session.directInput(0), direct.axes.count == 4,
        let form = form(of: direct, specification)
      else { return nil }
      let preprocessor = try Preprocessor(
        specification, form: form, isas: session.isas
      ) { (numbers: TensorBuffer) throws(RuntimeError) in try direct.converted(numbers) }
      guard try session.takeDirectInput(0) != nil else { return nil }
      return preprocessor
    } catch {
      // The conversion refuses a row of numbers: the program will do it.
      return nil
    }
  }

  private static func form(
    of direct: DirectInput, _ specification: ResolvedPreprocessing
  ) -> Preprocessor.Form? {
    guard [.uint8, .bfloat16, .float32].contains(direct.type), direct.axes.first == 0 else {
      return nil
    }
    let channel = specification.arrangement == .planar ? 1 : 3
    // Height and width keep their order; the channels may move.
    let others = [0, 1, 2, 3].filter { $0 != channel }
    guard direct.axes.filter({ $0 != channel }).elementsEqual(others) else { return nil }
    switch direct.axes.firstIndex(of: channel) {
    case 1: return Preprocessor.Form(direct.type, .planar)
    case 3: return Preprocessor.Form(direct.type, .interleaved)
    default: return nil
    }
  }

  /// What is written, e.g. `uint8 interleaved`.
  public var form: String {
    "\(preprocessor.form.type) "
      + (preprocessor.form.arrangement == .planar ? "planar" : "interleaved")
  }

  /// Writes a frame as one sample of the next run.
  ///
  /// - Returns: where the frame lies in the input, to map boxes back.
  public func write(
    _ frame: Frame, sample: Int
  ) throws(RuntimeError) -> InputMapping {
    let (size, preprocessor) = (preprocessor.sampleByteCount, preprocessor)
    let body: (UnsafeMutableRawBufferPointer) -> InputMapping = { bytes in
      preprocessor.process(
        frame,
        into: UnsafeMutableRawBufferPointer(
          rebasing: bytes[sample * size..<(sample + 1) * size]))
    }
    return isDirect
      ? try session.withDirectInput(0, body) : try session.withInput(0, body)
  }
}
