import Testing

@testable import Pipelines

@Suite struct `A pipeline's configuration` {
  private func read(_ text: String) throws(PipelineError) -> PipelineConfiguration {
    try PipelineConfiguration(parsing: Array(text.utf8), file: "conf/streams.json")
  }

  /// The message for a configuration whose document is wrong.
  private func fault(_ text: String) -> String {
    do throws(PipelineError) {
      _ = try read(text)
      return "(no fault was found)"
    } catch {
      #expect(error.code.exitStatus == 65)
      return error.description
    }
  }

  /// The message for a configuration whose second line is one source.
  private func faultOfSource(_ source: String) -> String {
    fault("{\"model\":\"m.apus\",\"sources\":[\n\(source)]}")
  }

  /// The message for a configuration of two sources whose second line is the sinks.
  private func faultOfSinks(_ sinks: String) -> String {
    let sources = "[{\"url\":\"a.mp4\"},{\"url\":\"b.mp4\"}]"
    return fault("{\"model\":\"m\",\"sources\":\(sources),\"sinks\":[\n\(sinks)]}")
  }

  @Test func `names policies as users write them`() {
    #expect(
      PipelineConfiguration.OverflowPolicy.allCases.map(\.rawValue)
        == ["block", "drop-oldest", "drop-newest", "latest"])
  }

  @Test func `reads every key`() throws {
    let configuration = try read(
      """
      {"model":"m.apus","threads":3,"batch_deadline_ms":7.5,
       "sources":[{"name":"yard","url":"rtsp://10.0.0.7/main","loop":true,"pace":"real-time",
                   "queue":{"policy":"latest","capacity":9},"connect_timeout_s":2.5,
                   "silence_s":1.5,"reconnect":false}],
       "sinks":[{"type":"jsonl","path":"out/{stream}.jsonl"},
                {"type":"mp4","path":"/v/{stream}.mp4"},{"type":"images","path":"pictures"}]}
      """)
    var source = PipelineConfiguration.Source(name: "yard", url: "rtsp://10.0.0.7/main")
    source.loops = true
    source.pace = .realTime
    source.policy = .latest
    source.capacity = 9
    source.connectTimeout = 2.5
    source.silence = 1.5
    source.reconnects = false
    var expected = PipelineConfiguration(
      model: "conf/m.apus", sources: [source],
      sinks: [
        PipelineConfiguration.Sink(.jsonl, path: "conf/out/{stream}.jsonl"),
        PipelineConfiguration.Sink(.mp4, path: "/v/{stream}.mp4"),
        PipelineConfiguration.Sink(.images, path: "conf/pictures"),
      ])
    expected.threads = 3
    expected.batchDeadline = 7.5
    #expect(configuration == expected)
    #expect(configuration.sinks[1].path(for: "yard") == "/v/yard.mp4")
  }

  @Test func `fills in what is left out`() throws {
    let configuration = try read("{\"model\":\"/m.apus\",\"sources\":[{\"url\":\"a.mp4\"}]}")
    #expect(
      configuration
        == PipelineConfiguration(
          model: "/m.apus", sources: [PipelineConfiguration.Source(name: "a", url: "conf/a.mp4")]))
    let source = configuration.sources[0]
    #expect(source.capacity == 4 && source.connectTimeout == 10 && source.silence == 5)
    #expect(source.policy == nil && source.reconnects == nil && source.pace == .fastest)
    #expect(configuration.batchDeadline == 20 && configuration.threads == nil)
  }

  @Test func `names streams after their sources, each differently`() throws {
    let urls = [
      "video/street.mp4", "street.avi", "/data/street", "rtsp://admin:s3cret@cam-7.local:554/a",
      "file:///clips/yard.front.mp4", "pictures/", "...", "http://[::1]/x",
    ]
    let sources = urls.map { "{\"url\":\"\($0)\"}" } + ["{\"name\":\"street\",\"url\":\"x\"}"]
    let configuration = try read(
      "{\"model\":\"m\",\"sources\":[\(sources.joined(separator: ","))]}")
    #expect(
      configuration.sources.map(\.name) == [
        "street-2", "street-3", "street-4", "cam-7.local", "yard.front", "pictures", "stream", "1",
        "street",
      ])
    #expect(configuration.sources[4].url == "/clips/yard.front.mp4")
    #expect(configuration.sources[3].url == urls[3])
  }

  @Test func `says where the text is no JSON`() {
    #expect(
      fault("{\"model\":\n  m}").hasPrefix("conf/streams.json: line 2, column 3: expected a value"))
    #expect(
      fault("{\"model\":\"a\",\n\"model\":\"b\"}")
        == "conf/streams.json: line 2, column 1: the key \"model\" is given twice")
    #expect(
      fault("[]").contains("line 1, column 1: a configuration is an object in { }, not an array"))
    let large = [UInt8](repeating: 0x20, count: PipelineConfiguration.maximumByteCount + 1)
    #expect(throws: PipelineError.self) { try PipelineConfiguration(parsing: large, file: "x") }
  }

  @Test func `says which key was meant`() {
    #expect(
      fault("{\"model\":\"m\",\n \"source\":[]}")
        == "conf/streams.json: line 2, column 2: unknown key \"source\"; known are model, threads, "
        + "batch_deadline_ms, sources, sinks. Did you mean 'sources'?")
    #expect(
      faultOfSource("{\"url\":\"a\",\"reconect\":true}")
        == "conf/streams.json: line 2, column 12: unknown key \"reconect\"; known are name, url, "
        + "loop, pace, queue, connect_timeout_s, silence_s, reconnect. Did you mean 'reconnect'?")
    #expect(
      faultOfSource("{\"url\":\"a\",\"queue\":{\"policy\":\"block\",\"capcity\":2}}")
        == "conf/streams.json: line 2, column 38: unknown key \"capcity\"; known are policy, "
        + "capacity. Did you mean 'capacity'?")
    #expect(
      faultOfSinks("{\"typ\":\"jsonl\",\"path\":\"x\"}")
        == "conf/streams.json: line 2, column 2: unknown key \"typ\"; known are type, path. Did "
        + "you mean 'type'?")
  }

  @Test func `says what is missing`() {
    #expect(
      fault("{\"sources\":[{\"url\":\"a\"}]}")
        == "conf/streams.json: line 1, column 1: the key \"model\" is missing")
    #expect(fault("{\"model\":\"m\"}").hasSuffix("column 1: the key \"sources\" is missing"))
    #expect(
      fault("{\"model\":\"m\",\"sources\":[]}")
        == "conf/streams.json: line 1, column 24: \"sources\" is empty; a pipeline needs at least "
        + "one, as {\"url\":\"VIDEO.mp4\"}")
    #expect(faultOfSource("{}").hasSuffix("line 2, column 1: the key \"url\" is missing"))
    #expect(faultOfSinks("{\"path\":\"x\"}").hasSuffix("column 1: the key \"type\" is missing"))
    #expect(faultOfSinks("{\"type\":\"jsonl\"}").hasSuffix("column 1: the key \"path\" is missing"))
  }

  @Test(arguments: [
    ("\"loop\":1", "\"loop\" is true or false, not 1"),
    ("\"loop\":null", "\"loop\" is true or false, not null"),
    ("\"reconnect\":\"yes\"", "\"reconnect\" is true or false, not \"yes\""),
    ("\"name\":7", "\"name\" is a text in quotes, not 7"),
    ("\"name\":\"\"", "\"name\" is empty"),
    ("\"name\":\"a\\nb\"", "\"name\" has a control character in it"),
    ("\"queue\":4", "\"queue\" is an object in { }, not 4"),
    ("\"queue\":{\"capacity\":0}", "\"capacity\" is a whole number from 1 to 1024, not 0"),
    ("\"queue\":{\"capacity\":2.5}", "\"capacity\" is a whole number from 1 to 1024, not 2.5"),
    (
      "\"queue\":{\"policy\":\"drop-oldst\"}",
      "unknown policy \"drop-oldst\"; known are block, drop-oldest, drop-newest, latest. Did you "
        + "mean 'drop-oldest'?"
    ),
    (
      "\"queue\":{\"policy\":1}",
      "\"policy\" is one of block, drop-oldest, drop-newest, latest, not 1"
    ),
    (
      "\"pace\":\"realtime\"",
      "unknown pace \"realtime\"; known are fastest, real-time. Did you mean 'real-time'?"
    ),
    ("\"connect_timeout_s\":-1", "\"connect_timeout_s\" is a number from 0.1 to 86400, not -1"),
    ("\"silence_s\":0", "\"silence_s\" is a number from 0.1 to 86400, not 0"),
    ("\"silence_s\":[]", "\"silence_s\" is a number from 0.1 to 86400, not an array"),
    ("\"name\":\"a/b\"", "the name \"a/b\" has a \"/\" in it; it is part of file names"),
    ("\"name\":\"..\"", "the name \"..\" begins with a full stop; it is part of file names"),
  ])
  func `says what a value of a source may be`(_ field: String, _ message: String) {
    let text = faultOfSource("{\"url\":\"a\",\(field)}")
    #expect(text.hasPrefix("conf/streams.json: line 2, column "))
    #expect(text.hasSuffix(": " + message), "\(text)")
  }

  @Test func `says what other values may be`() {
    let sources = "\"sources\":[{\"url\":\"a\"}]"
    #expect(
      fault("{\"model\":\"m\",\"threads\":0,\(sources)}")
        .hasSuffix("column 24: \"threads\" is a whole number from 1 to 1024, not 0"))
    #expect(
      fault("{\"model\":\"m\",\"batch_deadline_ms\":-1,\(sources)}")
        .hasSuffix("\"batch_deadline_ms\" is a number from 0 to 60000, not -1"))
    #expect(
      fault("{\"model\":[],\(sources)}")
        .hasSuffix("\"model\" is a text in quotes, not an array"))
    #expect(
      fault("{\"model\":\"m\",\"sources\":{}}")
        .hasSuffix("\"sources\" is an array in [ ], not an object"))
    #expect(
      fault("{\"model\":\"m\",\"sources\":[\"a.mp4\"]}")
        .hasSuffix("a source is an object in { }, not \"a.mp4\""))
    let many = Array(repeating: "{\"url\":\"a\"}", count: 1025).joined(separator: ",")
    #expect(
      fault("{\"model\":\"m\",\"sources\":[\(many)]}")
        .hasSuffix("\"sources\" has 1025 elements; at most 1024 are accepted"))
    #expect(
      faultOfSource("{\"url\":\"a\",\"name\":\"\(String(repeating: "x", count: 201))\"}")
        .hasSuffix("has 201 bytes; at most 200 are accepted; it is part of file names"))
  }

  @Test func `refuses names that are given twice`() {
    #expect(
      faultOfSource("{\"url\":\"a\",\"name\":\"x\"},{\"url\":\"b\",\"name\":\"x\"}")
        == "conf/streams.json: line 2, column 42: the name \"x\" is already that of the source at "
        + "line 2, column 19; names are unique")
  }

  @Test func `refuses files that two streams or sinks would write`() {
    #expect(
      faultOfSinks("{\"type\":\"jsonl\",\"path\":\"all.jsonl\"}")
        == "conf/streams.json: line 2, column 24: the streams \"a\" and \"b\" would both write "
        + "conf/all.jsonl; put {stream} into the path")
    #expect(
      faultOfSinks(
        "{\"type\":\"jsonl\",\"path\":\"{stream}.x\"},\n"
          + "{\"type\":\"jsonl\",\"path\":\".//{stream}.x\"}"
      )
        == "conf/streams.json: line 3, column 24: conf/a.x is already written by the sink at line "
        + "2, column 1")
    #expect(
      faultOfSinks("{\"type\":\"images\",\"path\":\"p\"},\n{\"type\":\"images\",\"path\":\"p\"}")
        .contains("is already written by the sink at line 2"))
    #expect(throws: Never.self) {
      try read(
        "{\"model\":\"m\",\"sources\":[{\"url\":\"a\"},{\"url\":\"b\"}],\"sinks\":["
          + "{\"type\":\"images\",\"path\":\"pictures\"}]}")
    }
  }

  @Test(arguments: [
    (
      "\"type\":\"json\",\"path\":\"{stream}\"",
      "unknown type \"json\"; known are jsonl, mp4, images. Did you mean 'jsonl'?"
    ),
    (
      "\"type\":\"jsonl\",\"path\":\"{name}.jsonl\"",
      "{name} stands for nothing; the name of the stream is {stream}"
    ),
    (
      "\"type\":\"jsonl\",\"path\":\"{stream}/\"",
      "a sink of type jsonl writes a file, but \"conf/{stream}/\" names a folder"
    ),
    (
      "\"type\":\"mp4\",\"path\":\"{stream}.avi\"",
      "a sink of type mp4 writes a file whose name ends in .mp4"
    ),
  ])
  func `refuses sinks that cannot be meant`(_ fields: String, _ message: String) {
    #expect(faultOfSinks("{\(fields)}").hasSuffix(": " + message), "\(faultOfSinks("{\(fields)}"))")
  }
}
