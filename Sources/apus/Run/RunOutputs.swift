import Archives
import Detections
import Files
import Imaging
import Instructions
import Options
import Pictures
import Pipelines
import Tensors

/// Everything that a run on pictures and video writes, one file per `-o`.
final class RunOutputs {
  private let targets: [any RunOutput]

  /// Prepares the outputs.
  ///
  /// - Throws: `UsageError` for an output that does not fit what runs.
  init(
    _ paths: [String], sources: [FrameInput], detector: Detector?, outputs: [Program.Port]
  ) throws {
    let isSingle = sources.count == 1 && sources[0].frameCount == 1
    var targets: [any RunOutput] = []
    for path in paths {
      let kind = path.hasSuffix("/") ? "/" : Picture.fileExtension(of: path)
      if kind != "npz", detector == nil {
        throw UsageError(
          "-o \(path): without postprocessing outputs are no objects; add --postprocess KIT, or "
            + "write .npz")
      }
      switch kind {
      case "npz": targets.append(TensorSink(path, outputs))
      case "jsonl": targets.append(ResultFile(try JSONLinesSink(path)))
      case "json" where isSingle: targets.append(JSONSink(path))
      case "jpg" where isSingle, "jpeg" where isSingle: targets.append(PictureSink(path))
      case "json", "jpg", "jpeg":
        throw UsageError(
          "-o \(path) holds one result, but there may be more; use .jsonl, or a directory as DIR/")
      case "mp4":
        guard sources.count == 1 else {
          throw UsageError("-o \(path): a video is made of one source; \(sources.count) are given")
        }
        targets.append(ResultFile(try AnnotatedVideoSink(path, rate: sources[0].rate)))
      case "/": targets.append(ResultFile(try PictureFolderSink(path, isNumbered: false)))
      default:
        throw UsageError(
          "-o \(path): the ending says what to write: .npz, .json, .jsonl, .jpg, .mp4, or DIR/")
      }
    }
    if paths.isEmpty { targets.append(ConsoleSink()) }
    let draws = paths.contains { $0.hasSuffix("/") || $0.hasSuffix(".mp4") || $0.hasSuffix("jpg") }
    if draws, let reason = ObjectDrawing.missingFont {
      Console.diagnose("labels are not drawn: \(reason)\n")
    }
    self.targets = targets
  }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    for target in targets { try target.take(result, frame, outputs, sample: sample) }
  }

  func finish() throws {
    for target in targets { try target.finish() }
  }
}

/// One output of a run.
private protocol RunOutput: AnyObject {
  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int) throws
  /// Gives the file its name.
  func finish() throws
}

/// An output that wants only what was found.
private final class ResultFile: RunOutput {
  private let sink: any ResultSink
  init(_ sink: any ResultSink) { self.sink = sink }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    try sink.take(result, frame)
  }

  func finish() throws { try sink.finish() }
}

/// Prints JSON Lines on standard output.
private final class ConsoleSink: RunOutput {
  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    try Console.output(result.jsonLine + "\n")
  }

  func finish() throws {}
}

/// `OUT.json`: the objects of the one picture.
private final class JSONSink: RunOutput {
  private let path: String
  init(_ path: String) { self.path = path }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    try AtomicFile.write(JSONText.document(result.objects) + "\n", to: path)
  }

  func finish() throws {}
}

/// `OUT.jpg`: the one picture with its objects drawn.
private final class PictureSink: RunOutput {
  private let path: String
  private let drawing = ObjectDrawing()
  init(_ path: String) { self.path = path }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    try Picture.write(try drawing.frame(result, on: frame), to: path)
  }

  func finish() throws {}
}

/// `OUT.npz`: the outputs of all frames along their leading dimension.
private final class TensorSink: RunOutput {
  private let path: String
  private let ports: [Program.Port]
  private var parts: [[TensorBuffer]] = []

  init(_ path: String, _ ports: [Program.Port]) {
    self.path = path
    self.ports = ports
  }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    // A batch arrives once per sample, always with all of its samples.
    if sample == 0 { parts.append(outputs) }
  }

  func finish() throws {
    let arrays = try ports.indices.map { index in
      NamedTensor(ports[index].name, try TensorRun.joined(parts.map { $0[index] }))
    }
    try Archive.write(arrays, to: path)
  }
}
