internal import CZip
import Files
import Tensors

/// An open `.npz` file: lists its members, reads them one at a time.
///
/// The sizes in a zip's directory are claims. A member is believed only as far as its compressed
/// bytes fit into the file and could expand to what it claims; then what is read must agree.
package final class NpzReader {
  /// One array of the file.
  package struct Member: Sendable {
    /// The name without `.npy`, as in Python.
    package let name: String
    let index: UInt64
    let byteCount: Int
  }

  package let path: String
  /// The arrays in the order of the file's directory.
  package let members: [Member]
  private let archive: OpaquePointer

  /// No deflate stream expands further than this.
  private static let highestRatio = 1032

  /// Opens the file at `path` and checks its directory.
  package init(_ path: String) throws(ArchiveError) {
    self.path = path
    let place = ArchivePlace(path: path)
    let fileByteCount: Int
    do throws(FileError) {
      fileByteCount = try ReadableFile(path).byteCount ?? 0
    } catch { throw ArchiveError(error) }
    guard apus_zip_library_open() != 0 else {
      throw place.error("needs libzip, which cannot be opened (apt install libzip4)")
    }
    var code: Int32 = 0
    guard let archive = apus_zip_open(path, ZIP_RDONLY, &code) else {
      var error = zip_error_t()
      apus_zip_error_init_with_code(&error, code)
      let reason = String(cString: apus_zip_error_strerror(&error))
      apus_zip_error_fini(&error)
      throw place.error(
        "is no usable .npz (\(reason)); the file is cut off or damaged: copy or save it again")
    }
    self.archive = archive
    // A throw before every field is set leaves nothing for deinit; the archive is closed here.
    do throws(ArchiveError) {
      members = try NpzReader.members(of: archive, fileByteCount, place)
    } catch {
      apus_zip_discard(archive)
      throw error
    }
  }

  deinit { apus_zip_discard(archive) }

  /// Reads the member at `index` of `members`.
  package func tensor(
    at index: Int, byteLimit: Int = Archive.defaultByteLimit
  ) throws(ArchiveError) -> TensorBuffer {
    var source = try MemberSource(archive, members[index], path)
    return try source.readTensor(byteCount: members[index].byteCount, limit: byteLimit)
  }

  /// Reads only the element type and the shape of the member at `index` of `members`.
  package func header(at index: Int) throws(ArchiveError) -> (type: ElementType, shape: Shape) {
    var source = try MemberSource(archive, members[index], path)
    let (header, _) = try source.readHeader()
    return (header.type, header.shape)
  }

  /// Returns the index of the member called `name`, or nil.
  package func index(of name: String) -> Int? { members.firstIndex { $0.name == name } }

  private static func members(
    of archive: OpaquePointer, _ fileByteCount: Int, _ place: ArchivePlace
  ) throws(ArchiveError) -> [Member] {
    var members: [Member] = []
    var names = Set<String>()
    for index in 0..<UInt64(max(apus_zip_get_num_entries(archive, 0), 0)) {
      var status = zip_stat_t()
      guard apus_zip_stat_index(archive, index, 0, &status) == 0, let rawName = status.name else {
        throw place.error("member \(index) has no readable entry in the directory; save it again")
      }
      let member = try member(status, String(cString: rawName), index, fileByteCount, place)
      guard names.insert(member.name).inserted else {
        throw place.error("holds two members called \(member.name); give each array its own name")
      }
      members.append(member)
    }
    return members
  }

  private static func member(
    _ status: zip_stat_t, _ fileName: String, _ index: UInt64, _ fileByteCount: Int,
    _ place: ArchivePlace
  ) throws(ArchiveError) -> Member {
    guard fileName.hasSuffix(".npy") else {
      throw place.error(
        "member \(fileName) is no .npy array; keep only arrays in it (numpy.savez makes such)")
    }
    let name = String(fileName.dropLast(4))
    let place = ArchivePlace(path: place.path, member: name)
    let known = UInt64(
      ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD)
    guard status.valid & known == known, let byteCount = Int(exactly: status.size),
      let packedByteCount = Int(exactly: status.comp_size)
    else { throw place.error("has no sizes in the directory; save it again") }
    guard status.encryption_method == 0 else {
      throw place.error("is encrypted; save it without a password")
    }
    guard status.comp_method == 0 || status.comp_method == 8 else {
      throw place.error(
        "is compressed by method \(status.comp_method); use numpy.savez or savez_compressed")
    }
    let ratio = status.comp_method == 0 ? 1 : highestRatio
    guard packedByteCount <= fileByteCount, byteCount / ratio <= packedByteCount else {
      throw place.error(
        "claims \(byteCount) bytes out of \(packedByteCount), in a file of \(fileByteCount); "
          + "the file is damaged: save it again")
    }
    return Member(name: name, index: index, byteCount: byteCount)
  }
}

/// The unpacked bytes of one member.
private struct MemberSource: ByteSource, ~Copyable {
  let place: ArchivePlace
  private let file: OpaquePointer

  init(
    _ archive: OpaquePointer, _ member: NpzReader.Member, _ path: String
  ) throws(ArchiveError) {
    place = ArchivePlace(path: path, member: member.name)
    guard let file = apus_zip_fopen_index(archive, member.index, 0) else {
      let reason = String(cString: apus_zip_strerror(archive))
      throw place.error("cannot be opened (\(reason)); the file is damaged: save it again")
    }
    self.file = file
  }

  deinit { apus_zip_fclose(file) }

  mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
    guard let base = buffer.baseAddress else { return 0 }
    var count = 0
    while count < buffer.count {
      let got = apus_zip_fread(file, base + count, UInt64(buffer.count - count))
      if got == 0 { break }
      if got < 0 {
        let reason = String(cString: apus_zip_error_strerror(apus_zip_file_get_error(file)))
        throw place.error(
          "cannot be unpacked (\(reason)) after \(count) bytes; copy or save the file again")
      }
      count += Int(got)
    }
    return count
  }
}
