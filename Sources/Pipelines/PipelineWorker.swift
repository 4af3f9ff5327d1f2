import Detections
import Imaging
import ModelFile
import Runtime
internal import Tensors

/// Takes frames through the model: preprocess, infer, postprocess.
///
/// A worker carries a batch all the way, on one core and with a session of its own, so that a core
/// is idle only where no frame waits, and results leave before new frames are begun.
///
/// Sendable because all but `cancel` is called by the one thread that it belongs to.
final class PipelineWorker: @unchecked Sendable {
  /// A frame that lies in the model's input.
  struct Prepared {
    let taken: Batcher<StreamFrame>.Taken
    let mapping: InputMapping
    let time: (wall: Duration, cpu: Duration)
  }

  private let session: Session
  private let input: PictureInput
  private let detector: Detector
  /// The outputs where the session writes them; valid from one run to the next.
  private let outputs: [KitOutput]
  var batchSize: Int { input.batchSize }

  init(_ session: Session, _ processing: Processing, _ detector: Detector) throws(PipelineError) {
    self.session = session
    self.detector = detector
    input = try PictureInput(session, processing)
    var outputs: [KitOutput] = []
    do throws(RuntimeError) {
      for (index, port) in session.outputs.enumerated() {
        let tensor = try session.withOutput(index) { bytes in
          TensorBuffer(borrowing: bytes, type: port.type, shape: port.shape, owner: session)
        }
        outputs.append(KitOutput(name: port.name, tensor: tensor))
      }
    } catch {
      throw PipelineError(.model, error.description)
    }
    self.outputs = outputs
  }

  /// Ends the run that is going on.
  func cancel() { session.cancel() }

  /// Runs the model once on a black picture, so that its memory is there and its outputs are
  /// checked.
  ///
  /// - Throws: `model` where the outputs do not fit the postprocessing.
  func warmUp() throws(PipelineError) {
    let black: Frame
    do throws(ImagingError) {
      black = try Frame(.i420, width: 64, height: 64)
    } catch {
      throw PipelineError(.memory, error.description)
    }
    var mapping: InputMapping
    do throws(RuntimeError) {
      mapping = try input.write(black, sample: 0)
      for sample in 1..<max(1, batchSize) { mapping = try input.write(black, sample: sample) }
      try session.run()
    } catch {
      throw PipelineError(.model, error.description)
    }
    do throws(DetectionError) {
      _ = try detector.detect(in: outputs, sample: 0, mapping: mapping)
    } catch {
      // What becomes of a black picture's numbers says nothing of others'.
      if error.code != .notFinite { throw PipelineError(.model, error.message) }
    }
  }

  // MARK: The stages

  /// Writes a frame into the input, as this sample of the next run.
  func prepare(
    _ taken: Batcher<StreamFrame>.Taken, sample: Int, _ core: PipelineCore
  ) throws(RuntimeError) -> Prepared {
    let watch = Stopwatch(core.now)
    let mapping = try input.write(taken.element.frame, sample: sample)
    return Prepared(taken: taken, mapping: mapping, time: watch.split(core.now))
  }

  /// Runs the model on what the input holds.
  func infer() throws(RuntimeError) { try session.run() }

  /// Finds the objects of one sample of the last run.
  func detect(sample: Int, _ mapping: InputMapping) throws(DetectionError) -> [Detection] {
    try detector.detect(in: outputs, sample: sample, mapping: mapping)
  }
}
