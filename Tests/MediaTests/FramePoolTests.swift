import Imaging
import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite(.serialized) struct `A frame pool` {
  private static let fixtures =
    "/" + "\(#filePath)".split(separator: "/").dropLast(2).joined(separator: "/")
    + "/Fixtures/imaging/"

  /// The shared-memory files of pools that this process holds open.
  private func handles() throws -> Int {
    let folder = "/proc/self/fd/"
    var target = [CChar](repeating: 0, count: 512)
    return try fileNames(in: folder).filter { name in
      let count = readlink(folder + name, &target, target.count)
      guard count > 0 else { return false }
      let text = String(
        decoding: target[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return text.hasPrefix("/memfd:apus-frames")
    }.count
  }

  private func options(_ pool: FramePool) -> VideoSource.Options {
    var options = VideoSource.Options()
    options.pool = pool
    return options
  }

  @Test func `holds a thousand frames with one handle`() throws {
    let before = try handles()
    let pool = try FramePool(limitBytes: 64 << 20)
    let source = try VideoSource(`A frame pool`.fixtures + "loop.mp4", options: options(pool))
    var alive: [Frame] = []
    while alive.count < 1000 {
      if let frame = try source.next() { alive.append(frame) } else { try source.rewind() }
    }
    #expect(try handles() == before + 1)
    #expect(pool.statistics.slotsInUse >= 1000)
    #expect(pool.statistics.bytesInUse <= 64 << 20)
    #expect(source.statistics.unpooled == 0)
    // Frames of the same place in the clip are equal, and none was written over.
    #expect(alive[0].denseBytes() == alive[975].denseBytes())
    #expect(alive[24].denseBytes() == alive[999].denseBytes())
    alive = []
    source.close()
    #expect(pool.statistics.slotsInUse == 0 && pool.statistics.bytesInUse == 0)
  }

  @Test(
    arguments: [
      "loop.mp4", "loop.mkv", "loop.avi", "deep.mkv", "exact.mkv", "palette.mkv", "rotated.mp4",
    ], [1, 4])
  func `changes no sample`(_ name: String, _ threads: Int) throws {
    let pool = try FramePool(limitBytes: 64 << 20)
    let path = `A frame pool`.fixtures + name
    let source = try VideoSource(path, threads: threads, options: options(pool))
    let plain = try VideoSource(path)
    while let frame = try plain.next() {
      let pooled = try #require(try source.next())
      #expect(pooled.denseBytes() == frame.denseBytes() && pooled.timeMs == frame.timeMs)
    }
    #expect(try source.next() == nil)
    #expect(pool.statistics.peakBytesInUse > 0)
    // A palette is no plane of samples, so such frames lie elsewhere until they are converted.
    #expect((source.statistics.unpooled > 0) == (name == "palette.mkv"))
  }

  @Test func `does not grow over fifty turns of a clip`() throws {
    let pool = try FramePool(limitBytes: 64 << 20)
    let source = try VideoSource(
      `A frame pool`.fixtures + "loop.mkv", threads: 2, options: options(pool))
    var held = 0
    for turn in 0..<50 {
      var count = 0
      while try source.next() != nil { count += 1 }
      #expect(count == 25)
      try source.rewind()
      if turn == 4 { held = pool.statistics.bytesHeld }
    }
    #expect(pool.statistics.bytesHeld == held && held > 0)
    #expect(pool.statistics.refusals == 0)
  }

  @Test func `outlives its source and itself in its frames`() throws {
    let before = try handles()
    var frame: Frame?
    var samples: [UInt8] = []
    do {
      let pool = try FramePool(limitBytes: 64 << 20)
      let source = try VideoSource(`A frame pool`.fixtures + "loop.mp4", options: options(pool))
      frame = try source.next()
      samples = frame?.denseBytes() ?? []
    }
    #expect(try handles() == before + 1)
    #expect(frame?.denseBytes() == samples && !samples.isEmpty)
    frame = nil
    #expect(try handles() == before)
  }

  @Test(arguments: [1, 4]) func `refuses what does not fit, and says so`(_ threads: Int) throws {
    let pool = try FramePool(limitBytes: 256 << 10)
    let source = try VideoSource(
      `A frame pool`.fixtures + "loop.mp4", threads: threads, options: options(pool))
    var alive: [Frame] = []
    let error = #expect(throws: ImagingError.self) {
      while let frame = try source.next() { alive.append(frame) }
    }
    #expect(error?.code == .memory && error?.place == source.name)
    #expect(error?.message.contains("of 262.1 kB are in use") == true)
    #expect(error?.message.contains("raise the limit") == true)
    #expect(pool.statistics.refusals > 0)
    #expect(!alive.isEmpty)
    let direct = #expect(throws: ImagingError.self) {
      try pool.frame(.rgb24, width: 1000, height: 1000)
    }
    #expect(direct?.code == .memory)
    // What is given back is there for the next source.
    alive = []
    source.close()
    let next = try VideoSource(`A frame pool`.fixtures + "loop.mp4", options: options(pool))
    #expect(try next.next() != nil)
  }

  @Test func `gives the room of one size to another`() throws {
    let pool = try FramePool(limitBytes: 10 << 20)
    func fill(_ width: Int, _ height: Int) -> Int {
      var frames: [Frame] = []
      while let frame = try? pool.frame(.gray8, width: width, height: height) {
        frames.append(frame)
      }
      return frames.count
    }
    for _ in 0..<20 {
      #expect(fill(1000, 1000) == 10)
      #expect(fill(60, 64) == 1280)
      #expect(fill(2000, 2300) == 2)
    }
    // Every other small frame kept: the memory between them serves small frames only.
    var small: [Frame] = []
    while let frame = try? pool.frame(.gray8, width: 60, height: 64) { small.append(frame) }
    small = small.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    #expect(fill(1000, 1000) >= 4)
    #expect(pool.statistics.bytesInUse == small.count * 8192)
    #expect(pool.statistics.bytesHeld <= pool.limitBytes)
  }

  @Test func `makes frames that can be written`() throws {
    let pool = try FramePool(limitBytes: 1 << 20)
    let frame = try pool.frame(.nv12, width: 63, height: 35, matrix: .bt709, timeMs: 4)
    #expect(frame.isWritable && frame.matrix == .bt709 && frame.timeMs == 4)
    for plane in 0..<2 {
      frame.withMutablePlane(plane) { samples, _ in samples.update(repeating: UInt8(plane + 1)) }
    }
    #expect(
      frame.denseBytes() == [UInt8](repeating: 1, count: 63 * 35)
        + [UInt8](repeating: 2, count: 64 * 18))
  }

  @Test func `serves many threads at once`() throws {
    let pool = try FramePool(limitBytes: 32 << 20)
    let tally = Tally()
    let path = `A frame pool`.fixtures + "loop.mp4"
    for thread in 0..<8 {
      Later.run(afterMilliseconds: 0) {
        defer { tally.left.subtract(1, ordering: .releasing) }
        do {
          var options = VideoSource.Options()
          options.pool = pool
          let source = try VideoSource(path, threads: 1 + thread % 3, options: options)
          var kept: [Frame] = []
          for turn in 0..<60 {
            guard let frame = try source.next() else {
              try source.rewind()
              continue
            }
            let own = try pool.frame(.gray8, width: 64 + turn * 7, height: 64 + thread)
            let mark = UInt8(thread * 30 + turn % 30)
            own.withMutablePlane(0) { samples, _ in samples.update(repeating: mark) }
            kept.append(frame)
            if kept.count > 5 { kept.removeFirst(3) }
            own.withPlane(0) { samples, _ in
              if samples.contains(where: { $0 != mark }) {
                tally.faults.add(1, ordering: .relaxed)
              }
            }
          }
        } catch {
          tally.faults.add(1, ordering: .relaxed)
        }
      }
    }
    for _ in 0..<3000 where tally.left.load(ordering: .acquiring) > 0 { usleep(10_000) }
    #expect(tally.left.load(ordering: .acquiring) == 0)
    #expect(tally.faults.load(ordering: .relaxed) == 0)
    #expect(pool.statistics.slotsInUse == 0)
  }
}

private final class Tally: Sendable {
  let left = Atomic<Int>(8)
  let faults = Atomic<Int>(0)
}
