import FoundationEssentials
import Testing

@testable import apus

/// A directory of files that disappears with the test.
private final class Folder {
  let path: String

  init(_ files: [String: String] = [:]) throws {
    let name = "apus-evaluation-\(UInt64.random(in: 0 ... .max))"
    path = FileManager.default.temporaryDirectory.appending(path: name).path()
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (name, text) in files { try write(name, text) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ text: String) throws {
    let file = path + "/" + name
    if let slash = file.lastIndex(of: "/") {
      try FileManager.default.createDirectory(
        atPath: String(file[..<slash]), withIntermediateDirectories: true)
    }
    try text.write(toFile: file, atomically: false, encoding: .utf8)
  }
}

private func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch {
    return ApusTool.diagnose(error).message
  }
}

/// Reads annotations, a file of `other` or all of it, while the folders are still there.
private func labelled(
  _ folder: Folder, _ other: Folder?, _ name: String
) throws -> LabelledPictures {
  try withExtendedLifetime((folder, other)) {
    try LabelledPictures(
      folder: folder.path, annotations: other.map { name.isEmpty ? $0.path : $0.path + "/" + name })
  }
}

private func classes(
  _ folder: Folder, _ other: Folder? = nil, _ name: String = ""
) throws -> (set: DataSet<KnownClass>, names: [String]?) {
  let data = try labelled(folder, other, name)
  guard case .classes(let set, let names) = data else {
    throw VerbError(.internalError, "not classes")
  }
  return (set, names)
}

private func objects(
  _ folder: Folder, _ other: Folder, _ name: String = ""
) throws -> (set: DataSet<KnownObjects>, names: [String]?) {
  let data = try labelled(folder, other, name)
  guard case .objects(let set, let names) = data else {
    throw VerbError(.internalError, "not objects")
  }
  return (set, names)
}

@Suite struct `Class tables` {
  private func table(_ text: String, _ pictures: [String] = ["a.jpg", "b.JPEG"]) throws -> (
    set: DataSet<KnownClass>, names: [String]?
  ) {
    let folder = try Folder(Dictionary(uniqueKeysWithValues: pictures.map { ($0, "") }))
    return try classes(folder, Folder(["labels.csv": text]), "labels.csv")
  }

  @Test(arguments: [
    "file,class_index\na.jpg,3\nb.JPEG,0\n", "a.jpg,3\nb.JPEG,0",
    "\u{FEFF}file,x\r\n\"a.jpg\",3\r\n./b.JPEG , 0\r\n\r\n",
    "image,label_0_999\n\"b.JPEG\" ,\"0\"\nval/a.jpg,3\n",
  ])
  func `are read with or without headings and quotes`(text: String) throws {
    let set = try table(text).set
    #expect(set.items.map(\.truth.classIndex) == [3, 0])
    #expect(set.items[0].path.hasSuffix("/a.jpg") && set.notes.isEmpty)
  }

  @Test func `may hold commas and quotes in names`() throws {
    let set = try table("\"a, \"\"b\"\".jpg\",7\n", ["a, \"b\".jpg"]).set
    #expect(set.items.map(\.truth.classIndex) == [7])
  }

  @Test func `name what does not fit`() throws {
    let set = try table("c.jpg,1\nd.jpg,1\na.jpg,3\n").set
    #expect(set.items.count == 1)
    #expect(set.notes.count == 2)
    #expect(set.notes[0] == "1 picture has no annotation and is left out: b.JPEG")
    #expect(set.notes[1].hasPrefix("2 annotated files are not in "))
    #expect(set.notes[1].hasSuffix("the first: c.jpg (line 1)"))
  }

  @Test(arguments: [
    ("a.jpg\n", "line 1: has 1 field; a line is file,class_index"),
    ("a.jpg,1\nb.JPEG,1,2\n", "line 2: has 3 fields"),
    ("file,class\na.jpg,-1\n", "line 2: '-1' is no class index"),
    ("a.jpg,1\nb.JPEG,cat\n", "line 2: 'cat' is no class index"),
    ("a.jpg,99999999999999999999\n", "line 1: '99999999999999999999' is no class index"),
    ("a.jpg,1\na.jpg,2\n", "line 2: 'a.jpg' stands in line 1 already"),
    ("\"a.jpg,1\n", "line 1: the quotes are not closed"),
    ("\"a.jpg\"x,1\n", "line 1: something follows a closing quote"),
    ("x.jpg,1\n", "none of its files is in"), ("", "holds no line file,class_index"),
    ("a.jpg,1\n\u{0}\n", "line 2: is not UTF-8 text"),
  ])
  func `are refused with line and remedy`(text: String, expected: String) {
    let text = message { _ = try table(text) }
    #expect(text.contains("labels.csv") && text.contains(expected), "\(text)")
  }

  @Test func `may be folders, in the order of their names`() throws {
    let folder = try Folder([
      "dog/1.jpg": "", "cat/deep/2.png": "", "cat/notes.txt": "", "loose.jpg": "",
      "zebra/x.txt": "",
    ])
    let (set, names) = try classes(folder)
    #expect(names == ["cat", "dog", "zebra"])
    #expect(set.items.map(\.truth.classIndex) == [0, 1])
    #expect(set.notes.count == 2 && set.notes[0].contains("loose.jpg"))
    #expect(set.notes[1] == "1 sub-directory holds no pictures: zebra")
    let flat = try Folder(["a.jpg": ""])
    #expect(message { _ = try classes(flat) }.contains("add --annotations"))
  }
}

@Suite struct `YOLO texts` {
  private func read(
    _ texts: [String: String], _ pictures: [String] = ["a.jpg", "b.png"]
  ) throws -> DataSet<KnownObjects> {
    let folder = try Folder(Dictionary(uniqueKeysWithValues: pictures.map { ($0, "") }))
    return try objects(folder, Folder(texts)).set
  }

  @Test func `give boxes as fractions of the picture`() throws {
    let folder = try Folder(["images/a.jpg": "", "images/b.jpg": ""])
    let texts = try Folder([
      "a.txt": "2 0.5 0.25 0.5 0.5\n\n0 1 1 0.0004 0\r\n", "classes.txt": "x\n", "b.txt": "",
    ])
    let (set, names) = try objects(folder, texts)
    #expect(names == nil && set.notes.isEmpty && set.items.count == 2)
    let truths = set.items[0].truth.truths(width: 200, height: 100)
    #expect(truths.map(\.category) == [2, 0])
    #expect(truths[0].box == .init(x: 50, y: 0, width: 100, height: 50))
    #expect(truths[0].area == 5000)
    #expect(set.items[1].truth.objects.isEmpty)
  }

  @Test func `name what does not fit`() throws {
    let set = try read(["a.txt": "0 .5 .5 .1 .1\n", "z.txt": "nonsense\n"])
    #expect(set.items.count == 2)
    #expect(
      set.notes.first == "1 picture has no annotation and counts as one without objects: b.png")
    #expect(set.notes.last?.hasSuffix("z.txt") == true)
  }

  @Test(arguments: [
    ("0 0.5 0.5 0.1\n", "line 1: has 4 numbers; an object is class cx cy w h"),
    ("0 .1 .1 .2 .2\n0 .1 .1 .2 .2 .3 .3\n", "line 2: has 7 numbers; an object is class cx cy w h"),
    ("0 .1 .1 .2 .2 .3 .3\n", "outlines of segments are no boxes"),
    ("0.5 .5 .5 .1 .1\n", "line 1: '0.5' is no class index"),
    ("0 .5 x .1 .1\n", "line 1: 'x' is no number"), ("0 .5 nan .1 .1\n", "'nan' is no number"),
    ("0 120 80 40 30\n", "line 1: 120 is not within 0 and 1"),
    ("0 .5 .5 -.1 .1\n", "line 1: -.1 is not within 0 and 1"),
  ])
  func `are refused with line and remedy`(text: String, expected: String) {
    let text = message { _ = try read(["a.txt": text]) }
    #expect(text.contains("a.txt: ") && text.contains(expected), "\(text)")
  }

  @Test func `must belong to pictures`() {
    #expect(message { _ = try read([:]) }.contains("holds no .txt files"))
    #expect(message { _ = try read(["x.txt": ""]) }.contains("there are x.txt and a.jpg"))
    #expect(
      message { _ = try read(["1/a.txt": "", "2/a.txt": ""]) }.contains("both belong to a.jpg"))
  }
}

@Suite struct `COCO annotations` {
  private static let good = """
    {"info": {"year": 2017}, "images": [
      {"id": 9, "file_name": "b.jpg", "width": 20, "height": 10},
      {"id": 4, "file_name": "val/a.jpg"}, {"id": 11, "file_name": "gone.jpg"}],
     "categories": [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}],
     "annotations": [
      {"id": 1, "image_id": 9, "category_id": 1, "bbox": [1, 2, 3.5, 4], "iscrowd": 1, "area": 7,
       "segmentation": [[1, 2, 3]]},
      {"id": 2, "image_id": 9, "category_id": 3, "bbox": [0, 0, 1, 0]}]}
    """

  private func read(_ text: String) throws -> (set: DataSet<KnownObjects>, names: [String]?) {
    let folder = try Folder(["a.jpg": "", "b.jpg": "", "c.jpg": ""])
    return try objects(folder, file(text), "instances.json")
  }

  private func file(_ text: String) throws -> Folder { try Folder(["instances.json": text]) }

  @Test func `are read in the order of their ids`() throws {
    let folder = try Folder(["a.jpg": "", "b.jpg": "", "c.jpg": ""])
    let (set, names) = try objects(folder, file(Self.good), "instances.json")
    #expect(names == ["cat", "dog"])
    #expect(set.items.map { $0.path.suffix(5) } == ["a.jpg", "b.jpg"])
    let truth = set.items[1].truth
    #expect(truth.size?.width == 20 && truth.objects.map(\.category) == [0, 1])
    #expect(truth.objects[0].isCrowd && truth.objects[0].area == 7)
    #expect(truth.objects[0].box == .init(x: 1, y: 2, width: 3.5, height: 4))
    #expect(!truth.objects[1].isCrowd && truth.objects[1].area == nil)
    #expect(set.notes.count == 2)
    #expect(set.notes[0] == "1 picture has no annotation and is left out: c.jpg")
    #expect(set.notes[1].hasSuffix("gone.jpg (line 3, column 40)"), "\(set.notes[1])")
  }

  @Test(arguments: [
    ("\"image_id\": 9", "\"image_id\": 5", "annotation 0: there is no image with the id 5"),
    ("\"category_id\": 1", "\"category_id\": 2", "there is no category with the id 2"),
    ("[1, 2, 3.5, 4]", "[1, 2, 3.5]", "\"bbox\" is not [x, y, width, height]"),
    ("[1, 2, 3.5, 4]", "[1, 2, -3, 4]", "\"bbox\" has a negative width or height"),
    ("[1, 2, 3.5, 4]", "[1, 2, 1e999, 4]", "is too large"),
    ("\"iscrowd\": 1", "\"iscrowd\": 2", "\"iscrowd\" is neither 0 nor 1"),
    ("\"area\": 7", "\"area\": \"7\"", "\"area\" is no number"),
    ("\"id\": 4", "\"id\": 9", "image 1: two images have the id 9"),
    ("\"id\": 3", "\"id\": 1", "category 1: two categories have the id 1"),
    ("{\"id\": 3, \"name\": \"dog\"}", "{\"id\": 3}", "category 0: \"name\" is missing"),
    ("\"file_name\": \"b.jpg\",", "", "image 0: \"file_name\" is missing"),
    ("\"annotations\"", "\"annotation\"", "the list \"annotations\" is missing"),
    ("\"images\": [", "\"images\": [7,", "image 0: is no object"), ("]}]}", "]}", "expected"),
    ("\"b.jpg\"", "\"x.jpg\"", "no error"), ("\"id\": 9,", "\"id\": 0.5,", "no whole number"),
  ])
  func `are refused with place and record`(old: String, new: String, expected: String) throws {
    #expect(Self.good.contains(old))
    let text = message { _ = try read(Self.good.replacing(old, with: new, maxReplacements: 1)) }
    #expect(text.contains(expected), "\(text)")
    #expect(text == "no error" || text.contains("instances.json: line "), "\(text)")
  }

  @Test func `go together with classes by name, else by order`() throws {
    let byName = try CategoryMapping(
      ["cat", "dog"], classCount: 3, labels: ["dog", "bird", "cat"], offset: nil)
    #expect(byName.categories == [1, nil, 0] && byName.note == nil)
    let byOrder = try CategoryMapping(["cat", "dog"], classCount: 3, labels: [], offset: nil)
    #expect(byOrder.categories == [0, 1, nil] && byOrder.note?.contains("'cat' first") == true)
    let shifted = try CategoryMapping(
      ["cat", "dog"], classCount: 3, labels: ["dog", "bird", "cat"], offset: 1)
    #expect(shifted.categories == [nil, 0, 1] && shifted.category(of: 7) == nil)
    let translated = try CategoryMapping(
      ["cat", "dog"], classCount: 2, labels: ["cat", "hound"], offset: nil)
    #expect(translated.categories == [0, 1])
  }

  @Test func `must fit into the model's classes`() {
    let many = message {
      _ = try CategoryMapping(["a", "b", "c"], classCount: 2, labels: [], offset: nil)
    }
    #expect(many.contains("3 categories") && many.contains("class index 2 ('c') is outside"))
    let shifted = message {
      _ = try CategoryMapping(["a", "b"], classCount: 2, labels: [], offset: 1)
    }
    #expect(shifted.contains("class index 2 ('b') is outside"))
    let misspelt = message {
      _ = try CategoryMapping(
        ["person", "biycle"], classCount: 3, labels: ["person", "bicycle", "car"], offset: nil)
    }
    #expect(misspelt.contains("'biycle'") && misspelt.contains("Did you mean 'bicycle'?"))
    let beyond = message { _ = try CategoryMapping(classCount: 2, labels: [], offset: 2) }
    #expect(beyond.contains("only 2 classes"))
  }
}

@Suite struct `An evaluation` {
  private static let samples = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Samples").path()
  private static let detector = samples + "/detector/detector.onnx"
  private static let preprocess = "size=320x320,resize=letterbox,raw-scale=1"
  private static let kit = "yolov8:classes=\(samples)/detector/classes.txt"
  private static let data = [
    "--dataset", samples + "/pictures/validation", "--annotations",
    samples + "/pictures/validation.json",
  ]

  private func apus(_ words: [String]) -> Int32 { ApusTool.run(["eval"] + words) }

  private func result(_ model: String, _ words: [String]) throws -> EvaluationResult {
    let given = try EvalVerb.command.parse([model] + words)
    let opened = try OpenedModel(model)
    return try Evaluation(given).result(opened, precision: nil)
  }

  /// The figures of `Samples/evaluate.py`, which uses ONNX Runtime and pycocotools.
  @Test func `of the sample detector equals that of ONNX Runtime and pycocotools`() throws {
    let result = try result(
      Self.detector,
      Self.data + [
        "--preprocess", Self.preprocess, "--postprocess",
        Self.kit + ",score=0.001,iou=0.65,multi-label=false",
      ])
    #expect(result.metric == .map && result.pictureCount == 208)
    #expect((result.value - 0.619).magnitude < 0.0006, "\(result.value)")
    #expect((result.figure("ap50") ?? 0) > 0.82 && result.rows.count == 6)
    #expect(result.rows[3].label == "Fußgänger" && result.milliseconds > 0)
  }

  /// A folder with the first pictures of the validation set.
  private func pictures(_ count: Int) throws -> Folder {
    let folder = try Folder()
    for index in 1...count {
      try FileManager.default.createSymbolicLink(
        atPath: "\(folder.path)/000\(index).jpg",
        withDestinationPath: "\(Self.samples)/pictures/validation/000\(index).jpg")
    }
    return folder
  }

  @Test func `of pictures that are left is said, and exit codes are kept`() throws {
    let folder = try pictures(7)
    let target = folder.path + "/detector.apus"
    #expect(
      ApusTool.run([
        "compile", Self.detector, "-o", target, "--preprocess", Self.preprocess, "--postprocess",
        Self.kit, "--no-proof",
      ]) == 0)
    let words = ["--dataset", folder.path] + Self.data.suffix(2)
    let result = try result(target, words)
    #expect(result.pictureCount == 7 && result.value > 0.3)
    #expect(result.notes.first?.hasPrefix("201 annotated pictures are not in ") == true)
    #expect(result.notes.last?.contains("score above 0.01") == true)
    #expect(apus([target] + words + ["--precision", "bf16"]) == 64)
    #expect(apus([target] + words + ["--at-least", "0.99"]) == 1)
    #expect(apus([target] + words + ["--at-least", "0.01", "--all-precisions", "--json"]) == 0)
    #expect(apus([target] + words + ["--metric", "top1"]) == 64)
    #expect(apus([target, "--dataset", folder.path]) == 64)
    #expect(apus([target, "--dataset", folder.path + "/absent"]) == 66)
    #expect(apus([target]) == 64)
  }

  @Test func `in batches sees what it sees one by one`() throws {
    let folder = try pictures(7)
    let source =
      URL(filePath: Self.samples).deletingLastPathComponent().path()
      + "/Tests/Fixtures/exporters/mobilenetv2-legacy11.onnx"
    let paths = (1...7).map { "\(folder.path)/000\($0).jpg" }
    func scores(_ batch: Int) throws -> [[Float]] {
      let target = "\(folder.path)/\(batch).apus"
      #expect(
        ApusTool.run([
          "compile", source, "-o", target, "--no-proof", "--shape", "images=\(batch)x3x48x48",
          "--preprocess", "resize=stretch,raw-scale=1", "--postprocess", "classification:max=1000",
        ]) == 0)
      let opened = try OpenedModel(target)
      let model = try PictureModel(
        opened, precision: nil, processing: opened.processing,
        detector: try .init(.init(serialised: opened.processing.postprocessing ?? "")),
        options: .init(threads: 1))
      var result: [[Float]] = []
      try model.look(at: paths) { index, _, found in
        #expect(index == result.count)
        result.append(found.sorted { $0.classIndex < $1.classIndex }.map(\.score))
      }
      return result
    }
    let (single, batched) = (try scores(1), try scores(3))
    #expect(single.count == 7 && Set(single).count == 7)
    for (a, b) in zip(single, batched) {
      #expect(a.count == b.count && zip(a, b).allSatisfy { ($0 - $1).magnitude < 1e-4 })
    }
  }

  @Test func `refuses classes that the model has not`() throws {
    let folder = try Folder(["labels/0001.txt": "6 0.5 0.5 0.1 0.1\n"])
    try FileManager.default.createDirectory(
      atPath: folder.path + "/p", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/p/0001.jpg",
      withDestinationPath: Self.samples + "/pictures/validation/0001.jpg")
    let text = message {
      _ = try result(
        Self.detector,
        [
          "--dataset", folder.path + "/p", "--annotations", folder.path + "/labels",
          "--preprocess", Self.preprocess, "--postprocess", Self.kit,
        ])
    }
    #expect(
      text.hasSuffix("0001.txt: line 1: class index 6 is outside the model's 6 classes"), "\(text)")
  }
}

@Suite struct `An evaluation's report` {
  private func result(_ precision: String, _ value: Double) -> EvaluationResult {
    EvaluationResult(
      metric: .map, figures: [("ap", value), ("ap50", 0.75), ("ap75", 0.5)], pictureCount: 1200,
      truthCount: 3400,
      rows: [
        .init(
          index: 0, label: "person", truthCount: 3000, foundCount: 5000,
          figures: [("ap", value + 0.1), ("ap50", 0.8), ("ap75", 0.6)]),
        .init(
          index: 7, label: nil, truthCount: 0, foundCount: 3,
          figures: [("ap", nil), ("ap50", nil), ("ap75", nil)]),
      ], milliseconds: 12.5, precision: precision, threadCount: 1, isa: "avx2",
      weightByteCount: 1 << 20, memoryByteCount: 1 << 19, notes: ["2 pictures are missing"])
  }

  private func report(_ entries: [EvaluationReport.Entry], isTable: Bool) -> EvaluationReport {
    EvaluationReport(model: "m.apus", entries: entries, isTable: isTable)
  }

  @Test func `says figures, time and classes`() {
    let text = report([.init(precision: "fp32", result: result("fp32", 0.4))], isTable: false).text
    #expect(text.contains("AP@[.50:.95] 0.4000, AP50 0.7500, AP75 0.5000 on 1,200 pictures"))
    #expect(text.contains("3,400 objects") && text.contains("12.500 ms per picture"))
    #expect(text.contains("0 person    3,000  5,000        0.5000  0.8000  0.6000\n"), "\(text)")
    #expect(text.contains("7               0      3             —       —       —\n"), "\(text)")
    #expect(text.contains("note: 2 pictures are missing\n"))
  }

  @Test func `puts precisions side by side, and says which are missing`() {
    let text = report(
      [
        .init(precision: "fp32", result: result("fp32", 0.4)),
        .init(precision: "bf16", result: result("bf16", 0.41)),
        .init(precision: "int8", reason: "it needs --calibrate"),
      ], isTable: true
    ).text
    let row = "bf16             0.4100  0.7500  0.5000  +0.0100  12.500  1.0 MiB  512.0 KiB\n"
    #expect(text.contains(row), "\(text)")
    #expect(text.contains("int8                  —       —       —        —"), "\(text)")
    #expect(text.contains("0 person    3,000  0.5000  0.5100\n"), "\(text)")
    #expect(text.contains("int8: not evaluated: it needs --calibrate\n"))
  }

  @Test func `has the keys of the contract in JSON`() {
    let one = report([.init(precision: "fp32", result: result("fp32", 0.4))], isTable: false).json
    for piece in [
      "\"metric\": \"map\"", "\"value\": 0.4", "\"ap50\": 0.75", "\"ap75\": 0.5", "\"top1\": null",
      "\"top5\": null", "\"images\": 1200", "\"per_class\": [", "\"ms\": 12.5", "\"label\": null",
      "\"precision\": \"fp32\"",
    ] {
      #expect(one.contains(piece), "\(piece) is missing in \(one)")
    }
    let several = report(
      [
        .init(precision: "fp32", result: result("fp32", 0.4)),
        .init(precision: "int8", reason: "no"),
      ], isTable: true
    ).json
    #expect(several.contains("\"precisions\": [") && several.contains("\"not_evaluated\": \"no\""))
    #expect(several.split(separator: "\"precision\"").count - 1 == 2)
  }

  @Test func `lists the worst of very many classes`() {
    var many = result("fp32", 0.4)
    many.rows = (0..<300).map { index in
      .init(
        index: index, truthCount: 1, figures: [("ap", Double((index * 7) % 300) / 300)])
    }
    let text = report([.init(precision: "fp32", result: many)], isTable: false).text
    #expect(text.contains("the 100 worst of 300 classes; --json has all"))
    #expect(text.split(separator: "\n").count < 120)
  }
}
