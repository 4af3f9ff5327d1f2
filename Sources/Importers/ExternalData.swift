import Graphs

#if canImport(Glibc)
  import Glibc
#endif

/// The files beside a model that hold its large weights, mapped when first asked for.
///
/// A model names these files, and a model is not to be trusted: a name stays inside the model's
/// directory. It is walked one component at a time from that directory, without `..`, links of
/// either kind, or anything but directories and a regular file.
struct ExternalData {
  /// The directory of the model; nil for a model that came as bytes.
  let directory: String?
  let limit: Int
  /// The files that were asked for, or came with the model.
  private(set) var files: [String: ByteSource]

  init(directory: String?, limit: Int, files: [String: ByteSource] = [:]) {
    self.directory = directory
    self.limit = limit
    self.files = files
  }

  /// Returns the file and the range of bytes that a tensor of `byteCount` bytes lies in.
  ///
  /// - Parameter entries: `external_data` of the tensor; `checksum` is not verified.
  mutating func range(
    _ entries: [(key: String, value: String)], byteCount: Int
  ) throws(ImportError) -> (ByteSource, Range<Int>) {
    var location: String?
    var offset = 0
    var length = byteCount
    for (key, value) in entries {
      switch key {
      case "location": location = value
      case "offset": offset = try number(value, key)
      case "length": length = try number(value, key)
      default: break
      }
    }
    guard let location, !location.isEmpty else {
      throw ImportError(.malformed, "external data without a location")
    }
    guard length == byteCount else {
      throw ImportError(
        .malformed, "external data of \(length) bytes, but the tensor needs \(byteCount)")
    }
    let file = try file(location)
    let (end, overflow) = offset.addingReportingOverflow(length)
    guard !overflow, end <= file.bytes.count else {
      throw ImportError(
        .malformed,
        "\(length) bytes at \(offset) lie outside \(location.quoted), "
          + "which has \(file.bytes.count) bytes: is the file complete?")
    }
    return (file, offset..<end)
  }

  private func number(_ text: String, _ key: String) throws(ImportError) -> Int {
    guard let value = Int(text), value >= 0 else {
      throw ImportError(.malformed, "external data with the \(key) \(text.quoted)")
    }
    return value
  }

  private mutating func file(_ location: String) throws(ImportError) -> ByteSource {
    if let file = files[location] { return file }
    guard let directory else {
      throw ImportError(
        .unreadable,
        "the data lie in the file \(location.quoted), and a model given as bytes "
          + "has no directory: import the file by its path, or name the directory")
    }
    let file = try open(location, in: directory)
    files[location] = file
    return file
  }

  private func open(_ location: String, in directory: String) throws(ImportError) -> ByteSource {
    let components = location.split(separator: "/", omittingEmptySubsequences: false)
    let isPlain = components.allSatisfy { !$0.isEmpty && $0 != ".." && !$0.utf8.contains(0) }
    guard isPlain, components.count <= 32 else {
      throw ImportError(
        .malformed,
        "the location \(location.quoted) of external data is not a plain path "
          + "inside the model's directory")
    }
    var folder = Glibc.open(directory, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
    guard folder >= 0 else { throw unreadable(directory) }
    defer { close(folder) }
    for component in components.dropLast() where component != "." {
      let next = openat(
        folder, String(component), O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW)
      guard next >= 0 else { throw unreadable(location) }
      close(folder)
      folder = next
    }
    let descriptor = openat(
      folder, String(components[components.count - 1]),
      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { throw unreadable(location) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw unreadable(location) }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1 else {
      throw ImportError(
        .malformed,
        "external data \(location.quoted) must be a regular file with a single name "
          + "(no link, directory or device)")
    }
    return try ByteSource(mapping: descriptor, name: location, limit: limit)
  }

  private func unreadable(_ path: String) -> ImportError {
    if errno == ELOOP || errno == ENOTDIR {
      return ImportError(
        .malformed,
        "the path \(path.quoted) of external data leads through a symbolic link or "
          + "a file: copy the file itself into the model's directory")
    }
    return ImportError(
      .unreadable, "cannot open the external data \(path.quoted): \(ByteSource.lastError)")
  }
}
