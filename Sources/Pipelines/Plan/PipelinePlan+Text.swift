import Texts

extension PipelinePlan {
  /// What memory is needed for, in a sentence without its end.
  func memoryText(_ count: Int) -> String {
    let parts = memory(streams: count).map { "\($0.kind) \(NumberText.bytes($0.byteCount))" }
    let need = NumberText.bytes(totalMemory(streams: count))
    return "\(count) \(count == 1 ? "stream needs" : "streams need") \(need) of memory "
      + "(\(parts.joined(separator: ", "))); "
      + "\(NumberText.bytes(limits.memory ?? 0)) are available (\(limits.memoryOrigin))"
  }

  /// What makes a pipeline smaller.
  var memoryRemedy: String {
    let kinds = memory(streams: streams.count).filter { $0.kind != "program" }
    switch kinds.max(by: { $0.byteCount < $1.byteCount })?.kind {
    case "sessions": return "fewer threads (\"threads\"), each of which has a session"
    case "frames": return "smaller videos or shorter queues (\"capacity\")"
    case "sinks": return "JSON Lines in place of videos"
    default: return "a model of lower precision"
    }
  }

  /// Processor time of a frame of a stream, in milliseconds; nil where it was not measured.
  func cpu(of stream: Stream) -> Double? {
    guard let run = base.run, let decode = stream.decode else { return nil }
    return decode + (stream.preprocess ?? 0) + run / Double(max(1, base.batchSize))
  }

  /// The plan for people.
  public var text: String {
    streamTable + "\n" + limitTable + "\n" + cpuText
  }

  private var streamTable: String {
    var table = TextTable([
      (heading: "stream", alignment: .left), (heading: "source", alignment: .left),
      (heading: "frames", alignment: .right), (heading: "memory", alignment: .right),
      (heading: "handles", alignment: .right), (heading: "threads", alignment: .right),
      (heading: "cpu ms", alignment: .right),
    ])
    for stream in streams {
      table.add([
        stream.name, stream.source + (stream.isAssumed ? " (assumed)" : ""),
        "\(stream.frameCount) x \(NumberText.bytes(stream.frameByteCount))",
        NumberText.bytes(stream.memory), "\(stream.handleCount)", "\(stream.threadCount)",
        cpu(of: stream).map { NumberText.fixed($0, decimals: 2) } ?? "-",
      ])
    }
    return table.text
  }

  private var limitTable: String {
    let count = streams.count
    var table = TextTable([
      (heading: "needed", alignment: .left), (heading: "", alignment: .right),
      (heading: "available", alignment: .right), (heading: "", alignment: .left),
    ])
    for part in memory(streams: count) {
      table.add(["  " + part.kind, NumberText.bytes(part.byteCount)])
    }
    table.add([
      "memory", NumberText.bytes(totalMemory(streams: count)),
      limits.memory.map(NumberText.bytes) ?? "unlimited", limits.memoryOrigin,
    ])
    table.add([
      "file handles", "\(handles(streams: count))", limits.handles.map(String.init) ?? "unlimited",
      limits.handlesOrigin,
    ])
    table.add([
      "threads", "\(threads(streams: count))", limits.threads.map(String.init) ?? "unlimited",
      limits.threadsOrigin,
    ])
    return table.text
  }

  /// The frames per second of all streams that the processors allow; nil where nothing was
  /// measured. Streams share them evenly.
  public var possibleRate: Double? {
    let costs = streams.compactMap(cpu)
    guard !costs.isEmpty else { return nil }
    let mean = costs.reduce(0, +) / Double(costs.count)
    return mean > 0 ? Double(limits.cores) * 1000 / mean : nil
  }

  /// The processors that streams with a rate of their own take; nil where nothing was measured.
  public var wantedCores: Double? {
    let costs = streams.compactMap { stream in
      cpu(of: stream).flatMap { cost in stream.rate.map { $0 * cost / 1000 } }
    }
    return costs.isEmpty ? nil : costs.reduce(0, +)
  }

  private var cpuText: String {
    let fitting = fittingStreamCount
    var text =
      fitting == streams.count
      ? "Everything fits.\n" : "\(fitting) of \(streams.count) streams fit.\n"
    if let possibleRate {
      text +=
        "The \(limits.cores == 1 ? "processor allows" : "\(limits.cores) processors allow") about "
        + "\(NumberText.significant(possibleRate, digits: 3)) frames per second in all, "
        + "sinks not counted.\n"
    }
    if let wantedCores, wantedCores > 0 {
      let wanted = NumberText.significant(wantedCores, digits: 2)
      text +=
        wantedCores > Double(limits.cores)
        ? "Streams in real time want \(wanted) processors: frames will be dropped.\n"
        : "Streams in real time take \(wanted) of them.\n"
    }
    if streams.contains(where: \.isAssumed) {
      text += "Assumed: sources whose size is not known before they are opened count as "
      text += "1920x1080.\n"
    }
    return text
  }

  /// The plan as one JSON document.
  public var json: String {
    var writer = JSONWriter(isIndented: true)
    let count = streams.count
    writer.object { document in
      document.field("fits", fittingStreamCount == count)
      document.field("fitting_streams", fittingStreamCount)
      document.array("streams") { array in
        for stream in streams {
          array.object { object in
            object.field("name", stream.name)
            object.field("source", stream.source)
            object.field("assumed", stream.isAssumed)
            object.field("frames", stream.frameCount)
            object.field("frame_bytes", stream.frameByteCount)
            object.field("memory_bytes", stream.memory)
            object.field("handles", stream.handleCount)
            object.field("threads", stream.threadCount)
            object.field("decode_ms", stream.decode)
            object.field("preprocess_ms", stream.preprocess)
            object.field("cpu_ms", cpu(of: stream))
            object.field("fps", stream.rate)
          }
        }
      }
      document.object("memory") { object in
        for part in memory(streams: count) { object.field("\(part.kind)_bytes", part.byteCount) }
        object.field("needed_bytes", totalMemory(streams: count))
        object.field("available_bytes", limits.memory)
        object.field("limit", limits.memoryOrigin)
      }
      document.object("handles") { object in
        object.field("needed", handles(streams: count))
        object.field("available", limits.handles)
        object.field("limit", limits.handlesOrigin)
      }
      document.object("threads") { object in
        object.field("needed", threads(streams: count))
        object.field("available", limits.threads)
        object.field("limit", limits.threadsOrigin)
      }
      document.field("run_ms", base.run)
      document.field("batch", base.batchSize)
      document.field("cores", limits.cores)
      document.field("possible_fps", possibleRate)
      document.field("wanted_cores", wantedCores)
    }
    return writer.text + "\n"
  }
}
