// Objects as JSON: {"objects":[{"class","label","score","box":[x1,y1,x2,y2]}]}, and JSON Lines:
// {"stream","frame","pts_ms","width","height","objects":[…]}. Numbers are the shortest text that
// gives the same float back; a missing label is null.
internal import Texts

/// The objects of one frame of a stream.
public struct FrameDetections: Sendable, Hashable {
  public var stream: String
  /// The number of the frame in its stream, from 0.
  public var frame: Int
  /// The presentation time in milliseconds; nil for pictures.
  public var timeMs: Double?
  /// The width of the source in pixels.
  public var width: Int
  /// The height of the source in pixels.
  public var height: Int
  public var objects: [Detection]

  public init(
    stream: String, frame: Int, timeMs: Double?, width: Int, height: Int, objects: [Detection]
  ) {
    self.stream = stream
    self.frame = frame
    self.timeMs = timeMs
    self.width = width
    self.height = height
    self.objects = objects
  }

  /// One line of JSON, without the line's end.
  public var jsonLine: String {
    "{\"stream\":\(JSONWriter.quoted(stream)),\"frame\":\(frame),"
      + "\"pts_ms\":\(timeMs.map { JSONText.number($0) } ?? "null"),"
      + "\"width\":\(width),\"height\":\(height),\"objects\":\(JSONText.objects(objects))}"
  }
}

/// Writes objects as JSON text.
public enum JSONText {
  /// The document `{"objects":[…]}`.
  public static func document(_ detections: [Detection]) -> String {
    "{\"objects\":\(objects(detections))}"
  }

  /// The array of objects.
  static func objects(_ detections: [Detection]) -> String {
    "[" + detections.map(object).joined(separator: ",") + "]"
  }

  private static func object(_ detection: Detection) -> String {
    let box = detection.box
    let numbers = [box.x1, box.y1, box.x2, box.y2].map { number($0) }.joined(separator: ",")
    return "{\"class\":\(detection.classIndex),"
      + "\"label\":\(detection.label.map(JSONWriter.quoted) ?? "null"),"
      + "\"score\":\(number(detection.score)),\"box\":[\(numbers)]}"
  }

  /// A number; null for what JSON cannot express.
  static func number<Value: BinaryFloatingPoint & LosslessStringConvertible>(
    _ value: Value
  ) -> String {
    guard value.isFinite else { return "null" }
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
