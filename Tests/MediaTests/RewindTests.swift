import Imaging
import Testing

@Suite struct `A video that loops` {
  private static let fixtures =
    "/" + "\(#filePath)".split(separator: "/").dropLast(2).joined(separator: "/")
    + "/Fixtures/imaging/"

  /// The frames from here to the end.
  private func rest(_ source: VideoSource) throws -> [(time: Double?, samples: [UInt8])] {
    var frames: [(time: Double?, samples: [UInt8])] = []
    while let frame = try source.next() { frames.append((frame.timeMs, frame.denseBytes())) }
    return frames
  }

  private func isSame(
    _ a: [(time: Double?, samples: [UInt8])], _ b: [(time: Double?, samples: [UInt8])]
  ) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0.time == $1.time && $0.samples == $1.samples }
  }

  @Test(
    arguments: [
      "loop.mp4", "loop.mkv", "loop.avi", "loop.ts", "deep.mkv", "exact.mkv", "palette.mkv",
      "rotated.mp4",
    ], [1, 3])
  func `has the same frames every time`(_ name: String, _ threads: Int) throws {
    let source = try VideoSource(`A video that loops`.fixtures + name, threads: threads)
    let first = try rest(source)
    #expect(first.count == (name.hasPrefix("loop") ? 25 : 5))
    #expect(try source.next() == nil)
    for _ in 0..<3 {
      try source.rewind()
      #expect(isSame(try rest(source), first))
    }
    // From the middle, and twice in a row.
    try source.rewind()
    _ = try source.next()
    _ = try source.next()
    try source.rewind()
    try source.rewind()
    #expect(isSame(try rest(source), first))
    #expect(source.statistics.frames == 5 * first.count + 2)
    #expect(source.statistics.errors == 0)
  }

  @Test func `tells of damage every time`() throws {
    let folder = try scratchFolder()
    defer { removeFolder(folder) }
    let whole = try readFile(`A video that loops`.fixtures + "loop.mp4")
    var damaged = whole
    let start = try #require(
      (0..<(whole.count - 4)).first { Array(whole[$0..<($0 + 4)]) == Array("mdat".utf8) })
    let middle = start + (whole.count - start) / 2
    for offset in middle..<min(middle + 100, whole.count) { damaged[offset] = 0xFF }
    try writeFile(damaged, to: folder + "/damaged.mp4")
    let source = try VideoSource(folder + "/damaged.mp4")
    var met: [Int] = []
    for _ in 0..<3 {
      let count = try rest(source).count
      #expect(count > 0)
      met.append(source.statistics.errors + source.statistics.damaged)
      try source.rewind()
    }
    #expect(met[0] > 0 && met[1] > met[0] && met[2] > met[1])
  }

  @Test func `cannot be rewound when it is closed`() throws {
    let source = try VideoSource(`A video that loops`.fixtures + "loop.mp4")
    source.close()
    #expect(throws: ImagingError.self) { try source.rewind() }
  }
}
