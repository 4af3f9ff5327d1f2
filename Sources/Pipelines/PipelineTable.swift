import Texts

extension PipelineReport {
  /// The report for people: a table of streams, a table of stages, rates and the bottleneck.
  public var text: String {
    streamTable + "\n" + Stage.table(stages) + "\n" + summary
  }

  private var streamTable: String {
    var table = TextTable([
      (heading: "stream", alignment: .left), (heading: "state", alignment: .left),
      (heading: "frames", alignment: .right), (heading: "fps", alignment: .right),
      (heading: "queue", alignment: .right), (heading: "latency ms", alignment: .right),
      (heading: "p95", alignment: .right), (heading: "dropped", alignment: .left),
      (heading: "reconnects", alignment: .left),
    ])
    var notes = ""
    for stream in streams {
      table.add([
        stream.name, stream.state, NumberText.grouped(stream.frames),
        NumberText.fixed(stream.rate, decimals: 1),
        NumberText.fixed(stream.queue.meanDepth, decimals: 1) + "/\(stream.queue.capacity)",
        NumberText.fixed(stream.latency.mean, decimals: 1),
        NumberText.fixed(stream.latency.p95, decimals: 1), PipelineReport.counts(stream.dropped),
        PipelineReport.counts(stream.reconnects),
      ])
      for error in stream.errors { notes += "\(stream.name): \(error)\n" }
    }
    return table.text + notes
  }

  private static func counts(_ counts: [String: Int]) -> String {
    let total = counts.values.reduce(0, +)
    guard total > 0 else { return "0" }
    let reasons = counts.filter { $0.value > 0 }.sorted { $0.key < $1.key }
    return "\(NumberText.grouped(total)) ("
      + reasons.map { "\($0.key) \(NumberText.grouped($0.value))" }.joined(separator: ", ") + ")"
  }

  private var summary: String {
    let frames = streams.reduce(0) { $0 + $1.frames }
    var text =
      "\(NumberText.grouped(frames)) frames in \(NumberText.seconds(seconds)): "
      + "\(NumberText.fixed(measuredRate, decimals: 1)) per second measured, "
      + "\(NumberText.fixed(theoreticalRate, decimals: 1)) possible"
    if theoreticalRate > 0 {
      let share = Int((measuredRate / theoreticalRate * 100).rounded())
      text += " (\(share) %)"
    }
    text += "\n"
    if batchSize > 1 {
      text +=
        "\(NumberText.fixed(meanBatch, decimals: 2)) of \(batchSize) frames in a run of the model "
        + "on average\n"
    }
    if !bottleneck.isEmpty { text += bottleneck + "\n" }
    return text
  }
}

extension PipelineReport.Stage {
  /// A row per stage that had frames.
  public static func table(_ stages: [PipelineReport.Stage]) -> String {
    var table = TextTable([
      (heading: "stage", alignment: .left), (heading: "mean ms", alignment: .right),
      (heading: "p50 ms", alignment: .right), (heading: "p95 ms", alignment: .right),
      (heading: "cpu ms", alignment: .right), (heading: "at once", alignment: .right),
      (heading: "limit fps", alignment: .right),
    ])
    for stage in stages where stage.frames > 0 {
      table.add(
        [stage.name]
          + [stage.mean, stage.p50, stage.p95, stage.cpu].map {
            NumberText.fixed($0, decimals: 3)
          } + ["\(stage.width)", NumberText.fixed(stage.limit, decimals: 1)])
    }
    return table.text
  }
}
