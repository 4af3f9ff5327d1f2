import Archives
import Detections
import Files
import Imaging
import Instructions
import Options
import Tensors

/// Everything that a run on pictures and video writes, one file per `-o`.
final class ResultSinks {
  private let targets: [any ResultSink]

  /// Prepares the outputs.
  ///
  /// - Throws: `UsageError` for an output that does not fit what runs.
  init(
    _ paths: [String], sources: [FrameInput], detector: Detector?, outputs: [Program.Port]
  ) throws {
    let isSingle = sources.count == 1 && sources[0].frameCount == 1
    var targets: [any ResultSink] = []
    for path in paths {
      let kind = path.hasSuffix("/") ? "/" : Picture.fileExtension(of: path)
      if kind != "npz", detector == nil {
        throw UsageError(
          "-o \(path): without postprocessing outputs are no objects; add --postprocess KIT, or "
            + "write .npz")
      }
      switch kind {
      case "npz": targets.append(TensorSink(path, outputs))
      case "jsonl": targets.append(try JSONLinesSink(path))
      case "json" where isSingle: targets.append(JSONSink(path))
      case "jpg" where isSingle, "jpeg" where isSingle: targets.append(PictureSink(path))
      case "json", "jpg", "jpeg":
        throw UsageError(
          "-o \(path) holds one result, but there may be more; use .jsonl, or a directory as DIR/")
      case "mp4":
        guard sources.count == 1 else {
          throw UsageError("-o \(path): a video is made of one source; \(sources.count) are given")
        }
        targets.append(
          try AnnotatedVideoSink(path, rate: sources[0].rate ?? FrameRate(25)))
      case "/": targets.append(try DirectorySink(path))
      default:
        throw UsageError(
          "-o \(path): the ending says what to write: .npz, .json, .jsonl, .jpg, .mp4, or DIR/")
      }
    }
    if paths.isEmpty { targets.append(ConsoleSink()) }
    self.targets = targets
  }

  func begin(_ source: FrameInput) throws {
    for target in targets { try target.begin(source) }
  }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    for target in targets { try target.take(result, frame, outputs, sample: sample) }
  }

  func end(_ source: FrameInput) throws {
    for target in targets { try target.end(source) }
  }

  func finish() throws {
    for target in targets { try target.finish() }
  }
}

/// One output of a run.
protocol ResultSink: AnyObject {
  func begin(_ source: FrameInput) throws
  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int) throws
  func end(_ source: FrameInput) throws
  /// Gives the file its name.
  func finish() throws
}

extension ResultSink {
  func begin(_ source: FrameInput) throws {}
  func end(_ source: FrameInput) throws {}
  func finish() throws {}
}

/// Prints JSON Lines on standard output.
final class ConsoleSink: ResultSink {
  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    try Console.output(result.jsonLine + "\n")
  }
}

/// `OUT.jsonl`: one line per frame.
final class JSONLinesSink: ResultSink {
  private var file: AtomicFile
  init(_ path: String) throws { file = try AtomicFile(replacing: path) }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    try file.write(result.jsonLine + "\n")
  }

  func finish() throws { try file.commit() }
}

/// `OUT.json`: the objects of the one picture.
final class JSONSink: ResultSink {
  private let path: String
  init(_ path: String) { self.path = path }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    try AtomicFile.write(JSONText.document(result.objects) + "\n", to: path)
  }
}

/// Draws the objects of a frame.
private struct Drawing {
  private let annotator: Annotator

  init() {
    do {
      annotator = Annotator(font: try LabelFont())
    } catch {
      Console.diagnose("labels are not drawn: \(error)\n")
      annotator = Annotator(font: nil)
    }
  }

  func frame(_ result: FrameDetections, on frame: Frame) throws -> Frame {
    try annotator.drawing(
      result.objects.map { object in
        let score = Int((object.score * 100).rounded())
        return Annotation(
          x1: object.box.x1, y1: object.box.y1, x2: object.box.x2, y2: object.box.y2,
          text: "\(object.label ?? "class \(object.classIndex)") \(score) %",
          color: Color.ofClass(object.classIndex))
      }, on: frame)
  }
}

/// `OUT.jpg`: the one picture with its objects drawn.
final class PictureSink: ResultSink {
  private let path: String
  private let drawing = Drawing()
  init(_ path: String) { self.path = path }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    try Picture.write(try drawing.frame(result, on: frame), to: path)
  }
}

/// `DIR/`: per frame a picture with its objects drawn, and the objects as JSON.
final class DirectorySink: ResultSink {
  private let path: String
  private let drawing = Drawing()
  private var used: Set<String> = []

  init(_ path: String) throws {
    self.path = path
    try FileKind.makeDirectory(path)
  }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    var name = result.stream
    if result.frame > 0 || used.contains(name) {
      var number = result.frame
      repeat {
        let digits = String(number)
        name =
          result.stream + "-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
        number += 1
      } while used.contains(name)
    }
    used.insert(name)
    try Picture.write(try drawing.frame(result, on: frame), to: "\(path)\(name).jpg")
    try AtomicFile.write(JSONText.document(result.objects) + "\n", to: "\(path)\(name).json")
  }
}

/// `OUT.mp4`: the frames with their objects drawn.
final class AnnotatedVideoSink: ResultSink {
  private let sink: VideoSink
  private let drawing = Drawing()

  init(_ path: String, rate: FrameRate?) throws {
    guard let rate else { throw VerbError(.internalError, "no frame rate for \(path)") }
    sink = try VideoSink(path, rate: rate)
  }

  func take(
    _ result: FrameDetections, _ frame: Frame, _ outputs: [TensorBuffer], sample: Int
  ) throws {
    try sink.write(try drawing.frame(result, on: frame))
  }

  func finish() throws { try sink.finish() }
}

/// `OUT.npz`: the outputs of all frames along their leading dimension.
final class TensorSink: ResultSink {
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
