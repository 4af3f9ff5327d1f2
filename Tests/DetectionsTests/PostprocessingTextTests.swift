import ModelFile
import Testing

@Suite struct PostprocessingTextTests {
  @Test(arguments: [
    "yolov8", "yolov8:score=0.3,iou=0.5,max=100,agnostic=true,multi-label=false",
    "yolox:score=0.01,iou=0.65,strides=8/16/32,decoded=false",
    "ssd:background=none,form=priors,normalised=true,variances=0.1/0.2,strides=8/16,"
      + "min-sizes=10/16/24+32/48",
    "ssd:strides=8/16,background=1,min-sizes=10/16/24+32/48",
    "classification:softmax=true,offset=1",
    "yolov5:output=out put",
  ])
  func `text reads back as the same value`(_ text: String) throws {
    let value = try Postprocessing(parsing: text)
    #expect(try Postprocessing(parsing: value.description) == value)
    #expect(try Postprocessing(serialised: value.serialised) == value)
  }

  @Test func `labels survive with every character`() throws {
    var value = try Postprocessing(parsing: "yolov8:score=0.5")
    value.labels = ["person", "", "line\nbreak", "back\\slash\\n", "日本語 🚗", "cr\r\n", "a,b=c:d"]
    #expect(try Postprocessing(serialised: value.serialised) == value)
  }

  @Test(arguments: [
    "", "yolov8", "yolov8\nlabels 1\n", "yolov8\nlabels 0\nx\n", "yolov8\nlabels -1\n",
    "yolov8\nlabels 1\na\\qb\n", "yolov8\nlabels 1\na\\\n", "nope\nlabels 0\n",
  ])
  func `stored text that is damaged is refused`(_ text: String) {
    #expect(throws: SpecificationError.self) { try Postprocessing(serialised: text) }
  }

  @Test func `typos name the nearest kit and key`() {
    func fault(_ text: String) -> String {
      do { _ = try Postprocessing(parsing: text) } catch { return "\(error)" }
      return ""
    }
    #expect(fault("yolo8").contains("did you mean 'yolov8'"))
    #expect(fault("yolov8:scor=1").contains("did you mean 'score'"))
    #expect(fault("classification:iou=0.5").contains("has no key 'iou'"))
    #expect(fault("ssd:form=centre").contains("did you mean 'center'"))
  }

  @Test(arguments: [
    "yolov8:score=x", "yolov8:iou=2", "yolov8:max=0", "yolov8:agnostic=maybe",
    "yolox:strides=8/0", "yolox:strides=", "ssd:variances=0.1", "ssd:variances=0.1/-1",
    "ssd:min-sizes=10", "ssd:min-sizes=0,strides=8", "yolov8:", "yolov8:classes=", "ssd:boxes=",
  ])
  func `a bad value is refused`(_ text: String) {
    #expect(throws: SpecificationError.self) { try Postprocessing(parsing: text) }
  }

  @Test func `labels are lines of text`() throws {
    let labels = try Postprocessing.labels(
      parsing: Array("\u{FEFF}person\r\ncar\r\ntraffic light\r\n\r\n".utf8), file: "f")
    #expect(labels == ["person", "car", "traffic light"])
    #expect(throws: SpecificationError.self) {
      try Postprocessing.labels(parsing: [0xFF], file: "f")
    }
    #expect(throws: SpecificationError.self) { try Postprocessing.labels(parsing: [], file: "f") }
  }
}
