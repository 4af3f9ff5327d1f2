/// A rectangle in pixels, measured at pixel edges: a picture of width w spans 0...w.
public struct Box: Sendable, Hashable {
  public var x1: Float
  public var y1: Float
  public var x2: Float
  public var y2: Float

  public init(x1: Float, y1: Float, x2: Float, y2: Float) {
    self.x1 = x1
    self.y1 = y1
    self.x2 = x2
    self.y2 = y2
  }

  /// The area; 0 where the corners are exchanged.
  public var area: Float { max(x2 - x1, 0) * max(y2 - y1, 0) }

  /// Returns the intersection over the union with another box; 0 where both are empty.
  public func overlap(with other: Box) -> Float {
    let width = max(min(x2, other.x2) - max(x1, other.x1), 0)
    let height = max(min(y2, other.y2) - max(y1, other.y1), 0)
    let common = width * height
    return common / (area + other.area - common + 1e-9)
  }

  var isFinite: Bool { x1.isFinite && y1.isFinite && x2.isFinite && y2.isFinite }
}

/// One object that a model found in a picture.
public struct Detection: Sendable, Hashable {
  /// The index of the class among the kit's labels.
  public var classIndex: Int
  /// The name of the class; nil where the kit has no labels.
  public var label: String?
  public var score: Float
  /// In pixels of the source picture, inside it. Classifications name the whole picture.
  public var box: Box

  public init(classIndex: Int, label: String?, score: Float, box: Box) {
    self.classIndex = classIndex
    self.label = label
    self.score = score
    self.box = box
  }
}

/// Says why outputs do not become objects.
public struct DetectionError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of the fault; new kinds may come.
  public struct Code: Sendable, Hashable {
    let name: String
    /// Outputs whose names, types or shapes do not fit the kit.
    public static let unfitOutputs = Code(name: "unfitOutputs")
    /// A NaN or an infinity among the outputs.
    public static let notFinite = Code(name: "notFinite")
    /// A file of labels that cannot be read.
    public static let labels = Code(name: "labels")
  }

  public let code: Code
  /// What does not fit, both sides, and the remedy.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
