/// Delivers frames, one after the other: a video, a camera, a list of pictures.
///
/// Belongs to one thread at a time.
public protocol FrameSource: AnyObject {
  /// The name for messages: the file or address.
  var name: String { get }

  /// Returns the next frame, or nil after the last.
  ///
  /// - Throws: `ImagingError`; after it, the source has ended.
  func next() throws(ImagingError) -> Frame?
}

/// Takes frames, one after the other.
///
/// Belongs to one thread at a time. A sink that is dropped unfinished leaves no file behind.
public protocol FrameSink: AnyObject {
  /// The name for messages: the file or address.
  var name: String { get }

  /// Takes one frame.
  func write(_ frame: Frame) throws(ImagingError)

  /// Writes what is left; until then no file bears the final name.
  func finish() throws(ImagingError)
}
