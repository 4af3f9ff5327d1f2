// One file of shared memory that holds many frames, so that a thousand frames cost one handle.
//
// The file is sparse and larger than the limit; what counts against the limit is the memory behind
// it. Slots come in size classes at most 1/16 apart. A slot that is given back keeps its memory for
// the next frame of its class; where another class needs room, kept slots lose their memory and
// their range joins its free neighbours.
internal import CLinux
internal import CMedia
internal import Files
public import ModelFile
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Holds the memory of frames up to a limit, in one sealed shared-memory file.
///
/// Frames keep their slot until their last reference goes, on any thread, also after their source
/// and this object have gone.
public final class FramePool: Sendable {
  /// What the pool holds. Byte counts are those of slots: a frame and what its class adds.
  public struct Statistics: Sendable, Hashable {
    public var limitBytes = 0
    /// Bytes of frames that are alive.
    public var bytesInUse = 0
    /// The most that `bytesInUse` ever was.
    public var peakBytesInUse = 0
    /// Bytes of memory taken from the system: in use and kept for later frames.
    public var bytesHeld = 0
    /// Frames alive.
    public var slotsInUse = 0
    /// Frames for which there was no room.
    public var refusals = 0
  }

  private struct State {
    var counts = Statistics()
    /// Offsets of slots that have memory and no frame, by class.
    var kept: [Int: [Int]] = [:]
    /// Ranges without memory, in order, no two of them adjacent.
    var free: [Range<Int>]
  }

  /// Why there is no slot: the system's error number, or 0 where the limit is reached.
  private struct Refusal: Error { let fault: Int32 }

  /// The bytes of memory that frames may take.
  public let limitBytes: Int
  private let file: OwnedDescriptor
  /// Sendable because it never changes; who may write where is for the state to say.
  private nonisolated(unsafe) let base: UnsafeMutableRawPointer
  private let reservedBytes: Int
  private let state: Mutex<State>

  private static let pageBytes = 4096

  /// Reserves a range of addresses; memory is taken frame by frame.
  ///
  /// - Parameter limitBytes: the bytes of memory that frames may take.
  /// - Throws: `memory`, where the system refuses the file or the addresses.
  public init(limitBytes: Int) throws(ImagingError) {
    guard limitBytes > 0, limitBytes <= 1 << 46 else {
      throw ImagingError(.limit, "frame memory of \(limitBytes) bytes; allowed are 1 to 2^46")
    }
    // Twice the limit, because free ranges may lie apart from each other.
    let reserved = FramePool.slotBytes(2 * limitBytes)
    let number = cl_memory_file("apus-frames", Int64(reserved))
    guard number >= 0 else {
      let fault = errno
      let isOut = fault == EMFILE || fault == ENFILE
      throw ImagingError(
        isOut ? .handles : .memory,
        "frame memory cannot be made: \(String(cString: strerror(fault)))"
          + (isOut ? ": " + OpenHandles.text : ""))
    }
    let file = OwnedDescriptor(number: number)
    let protection = PROT_READ | PROT_WRITE
    guard let base = mmap(nil, reserved, protection, MAP_SHARED, number, 0), base != MAP_FAILED
    else {
      throw ImagingError(
        .memory,
        "no addresses for frame memory of \(ByteCount.text(limitBytes)): "
          + String(cString: strerror(errno)))
    }
    self.file = file
    self.base = base
    self.limitBytes = limitBytes
    reservedBytes = reserved
    var counts = Statistics()
    counts.limitBytes = limitBytes
    state = Mutex(State(counts: counts, free: [0..<reserved]))
  }

  deinit { munmap(base, reservedBytes) }

  /// What the pool holds now.
  public var statistics: Statistics { state.withLock { $0.counts } }

  /// Makes a frame whose samples are not set and can be written.
  ///
  /// - Throws: `memory`, naming what is used, asked and allowed; `limit` for an impossible size.
  public func frame(
    _ format: PixelFormat, width: Int, height: Int, matrix: ColorMatrix = .bt601,
    range: ColorRange = .limited, timeMs: Double? = nil
  ) throws(ImagingError) -> Frame {
    try Frame(
      format, width: width, height: height, matrix: matrix, range: range, timeMs: timeMs, in: self)
  }

  /// Takes a slot of at least `byteCount` bytes, which lasts as long as the object returned.
  func slot(_ byteCount: Int) throws(ImagingError) -> FrameSlot {
    guard byteCount > 0, byteCount <= limitBytes else { throw refuse(byteCount) }
    let size = FramePool.slotBytes(byteCount)
    let taken = state.withLock { state -> Result<Int, Refusal> in
      let offset: Int
      do throws(Refusal) {
        if let kept = state.kept[size]?.popLast() {
          offset = kept
        } else {
          offset = try fresh(size, &state)
        }
      } catch {
        return .failure(error)
      }
      state.counts.slotsInUse += 1
      state.counts.bytesInUse += size
      state.counts.peakBytesInUse = max(state.counts.peakBytesInUse, state.counts.bytesInUse)
      return .success(offset)
    }
    switch taken {
    case .success(let offset):
      return FrameSlot(self, base + offset, offset: offset, byteCount: size)
    case .failure(let refusal): throw refuse(byteCount, refusal.fault)
    }
  }

  /// Puts memory behind a free range and returns where it begins.
  private func fresh(_ size: Int, _ state: inout State) throws(Refusal) -> Int {
    if state.counts.bytesHeld + size > limitBytes {
      dropKept(&state, until: limitBytes - size)
      guard state.counts.bytesHeld + size <= limitBytes else { throw Refusal(fault: 0) }
    }
    var index = state.free.firstIndex { $0.count >= size }
    if index == nil {
      dropKept(&state, until: 0)
      index = state.free.firstIndex { $0.count >= size }
    }
    guard let index else { throw Refusal(fault: 0) }
    let offset = state.free[index].lowerBound
    let status = cl_memory_commit(file.number, Int64(offset), Int64(size))
    guard status == 0 else { throw Refusal(fault: status) }
    state.free[index] = (offset + size)..<state.free[index].upperBound
    if state.free[index].isEmpty { state.free.remove(at: index) }
    state.counts.bytesHeld += size
    return offset
  }

  /// Takes the memory from kept slots, largest class first, until at most `goal` bytes are held.
  private func dropKept(_ state: inout State, until goal: Int) {
    for size in state.kept.keys.sorted(by: >) {
      while state.counts.bytesHeld > goal, let offset = state.kept[size]?.popLast() {
        guard cl_memory_release(file.number, Int64(offset), Int64(size)) == 0 else {
          state.kept[size]?.append(offset)
          break
        }
        state.counts.bytesHeld -= size
        FramePool.insert(offset..<(offset + size), into: &state.free)
      }
    }
    state.kept = state.kept.filter { !$0.value.isEmpty }
  }

  private static func insert(_ range: Range<Int>, into free: inout [Range<Int>]) {
    var range = range
    var index = free.firstIndex { $0.lowerBound > range.lowerBound } ?? free.endIndex
    if index < free.endIndex, free[index].lowerBound == range.upperBound {
      range = range.lowerBound..<free.remove(at: index).upperBound
    }
    if index > 0, free[index - 1].upperBound == range.lowerBound {
      index -= 1
      range = free.remove(at: index).lowerBound..<range.upperBound
    }
    free.insert(range, at: index)
  }

  fileprivate func giveBack(_ offset: Int, _ size: Int) {
    state.withLock { state in
      state.counts.slotsInUse -= 1
      state.counts.bytesInUse -= size
      state.kept[size, default: []].append(offset)
    }
  }

  /// The bytes of a slot: whole pages, and classes at most 1/16 apart.
  private static func slotBytes(_ byteCount: Int) -> Int {
    let power = 1 << (Int.bitWidth - 1 - max(byteCount, 1).leadingZeroBitCount)
    let step = max(power / 16, pageBytes)
    return (byteCount + step - 1) / step * step
  }

  private func refuse(_ byteCount: Int, _ fault: Int32 = 0) -> ImagingError {
    let counts = state.withLock { state in
      state.counts.refusals += 1
      return state.counts
    }
    let used =
      "\(ByteCount.text(counts.bytesInUse)) of \(ByteCount.text(limitBytes)) are in use by "
      + "\(counts.slotsInUse) frames"
    if fault != 0 {
      return ImagingError(
        .memory,
        "the system has no memory for a frame of \(ByteCount.text(byteCount)) "
          + "(\(String(cString: strerror(fault)))): \(used)")
    }
    return ImagingError(
      .memory,
      "frame memory has no room for a frame of \(ByteCount.text(byteCount)): \(used); raise the "
        + "limit of frame memory, or lower queue capacities or the number of streams")
  }
}

/// The memory of one frame; goes back to its pool with its last reference.
final class FrameSlot: Sendable {
  private let pool: FramePool
  private let offset: Int
  /// The bytes at `base`.
  let byteCount: Int
  /// Sendable because it never changes; whoever holds the slot owns what it points to.
  nonisolated(unsafe) let base: UnsafeMutableRawPointer

  fileprivate init(
    _ pool: FramePool, _ base: UnsafeMutableRawPointer, offset: Int, byteCount: Int
  ) {
    self.pool = pool
    self.base = base
    self.offset = offset
    self.byteCount = byteCount
  }

  deinit { pool.giveBack(offset, byteCount) }
}

extension FramePool {
  /// Puts this pool into the limits of a decoder, which it must outlive; frames may outlive both.
  func fill(_ limits: inout apus_media_limits) {
    limits.memory.context = Unmanaged.passUnretained(self).toOpaque()
    limits.memory.take = { context, byteCount, slot, fault in
      guard let context, let slot else { return nil }
      let pool = Unmanaged<FramePool>.fromOpaque(context).takeUnretainedValue()
      do throws(ImagingError) {
        let taken = try pool.slot(Int(byteCount))
        slot.pointee = Unmanaged.passRetained(taken).toOpaque()
        return taken.base.assumingMemoryBound(to: UInt8.self)
      } catch {
        fault?.pointee.code = Int32(APUS_MEDIA_NO_MEMORY.rawValue)
        if let fault {
          withUnsafeMutableBytes(of: &fault.pointee.message) { target in
            let bytes = Array(error.message.utf8.prefix(target.count - 1)) + [0]
            target.copyBytes(from: bytes)
          }
        }
        return nil
      }
    }
    limits.memory.give_back = { slot in
      if let slot { Unmanaged<FrameSlot>.fromOpaque(slot).release() }
    }
  }
}

/// Byte counts as people read them.
enum ByteCount {
  static func text(_ count: Int) -> String {
    for (unit, size) in [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)]
    where count >= size {
      let tenths = (count + size / 20) / (size / 10)
      return "\(tenths / 10).\(tenths % 10) \(unit)"
    }
    return "\(count) bytes"
  }
}
