import Archives

#if canImport(Glibc)
  import Glibc
#endif

/// `.npz` and `.npy` files.
enum ArchiveTarget: FuzzTarget {
  static let name = "archive"
  private static let path = "/dev/shm/apus-fuzz-\(getpid()).npz"

  static func run(_ bytes: UnsafeRawBufferPointer) {
    guard let file = fopen(path, "wb") else { return }
    fwrite(bytes.baseAddress, 1, bytes.count, file)
    fclose(file)
    defer { unlink(path) }
    _ = try? Archive.read(path, byteLimit: 64 << 20)
  }
}
