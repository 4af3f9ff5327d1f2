// apus.h: pictures.
// The names are C's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CApus
import Detections
import Imaging
import ModelFile
import Synchronization
import Tensors

/// A preprocessor behind a handle: for one thread at a time.
private final class PreprocessorObject: Sendable {
  // A preprocessor keeps plans for the last size of picture; the mutex hands it round.
  private let preprocessor: Mutex<Preprocessor>
  let specification: ResolvedPreprocessing

  init(_ specification: ResolvedPreprocessing) {
    self.specification = specification
    preprocessor = Mutex(Preprocessor(specification))
  }

  func run(_ frame: Frame, into target: UnsafeMutableRawBufferPointer) throws -> InputMapping {
    let address = UInt(bitPattern: target.baseAddress)
    let mapping = preprocessor.withLockIfAvailable { preprocessor in
      preprocessor.process(
        frame,
        into: UnsafeMutableRawBufferPointer(
          start: UnsafeMutableRawPointer(bitPattern: address), count: target.count))
    }
    guard let mapping else {
      throw Failure(
        APUS_BUSY, "another thread is using this preprocessor; make one per thread")
    }
    return mapping
  }
}

@c @implementation public func apus_preprocessor_open(
  _ text: UnsafePointer<CChar>?, _ info: UnsafePointer<apus_tensor_info>?,
  _ preprocessor: UnsafeMutablePointer<apus_preprocessor>?
) -> apus_status {
  answer {
    let preprocessor = try required(preprocessor, "preprocessor")
    let given = try required(ApusC.text(text, "text"), "text")
    let info = try required(info, "info").pointee
    guard let raw = UInt8(exactly: info.type.rawValue), let type = ElementType(rawValue: raw),
      (0...Int32(APUS_MAX_RANK)).contains(info.rank)
    else {
      throw Failure(
        APUS_INVALID_ARGUMENT, "info: type \(info.type.rawValue), rank \(info.rank)")
    }
    let dimensions = withUnsafeBytes(of: info.dims) { bytes in
      bytes.bindMemory(to: Int64.self).prefix(Int(info.rank)).map { $0 < 0 ? nil : Int($0) }
    }
    let name = try ApusC.text(info.name, "info->name") ?? "input"
    let specification = try Preprocessing(parsing: given)
      .resolved(input: name, dimensions: dimensions, type: type)
    preprocessor.pointee = try HandleTable.insert(
      PreprocessorObject(specification), .preprocessor)
  }
}

@c @implementation public func apus_preprocessor_release(
  _ preprocessor: apus_preprocessor
) -> apus_status {
  answer { try HandleTable.remove(preprocessor, .preprocessor) }
}

@c @implementation public func apus_preprocessor_target(
  _ preprocessor: apus_preprocessor, _ count: Int, _ tensor: UnsafeMutablePointer<apus_tensor>?
) -> apus_status {
  answer {
    let object: PreprocessorObject = try HandleTable.typed(preprocessor, .preprocessor)
    let tensor = try required(tensor, "tensor")
    let shape = object.specification.shape(batch: max(count, 0))
    guard count >= 0,
      let bytes = shape.checkedElementCount.flatMap({
        object.specification.type.byteCount(of: $0)
      })
    else {
      throw Failure(APUS_INVALID_ARGUMENT, "\(count) pictures are impossible")
    }
    tensor.pointee = try TensorView(
      type: object.specification.type, shape: shape, base: nil, byteCount: bytes
    ).exported()
  }
}

/// Borrows the caller's planes during a call.
private final class PictureOwner: Sendable {
  static let shared = PictureOwner()
}

private func frame(_ picture: apus_picture) throws -> Frame {
  guard let raw = Int32(exactly: picture.format.rawValue),
    let format = PixelFormat(rawValue: raw)
  else {
    throw Failure(
      APUS_INVALID_ARGUMENT, "picture: pixel format \(picture.format.rawValue) is unknown")
  }
  let (width, height) = (Int(picture.width), Int(picture.height))
  guard width > 0, height > 0 else {
    throw Failure(APUS_INVALID_ARGUMENT, "picture: a size of \(width)x\(height)")
  }
  let bases = [picture.planes.0, picture.planes.1, picture.planes.2]
  let strides = [picture.strides.0, picture.strides.1, picture.strides.2]
  var planes: [(base: UnsafeRawPointer, stride: Int)] = []
  for index in 0..<format.planeCount {
    let extent = format.planeExtent(index, width: width, height: height)
    guard let base = bases[index], strides[index] >= extent.rowBytes,
      strides[index] <= Int(Int32.max)
    else {
      throw Failure(
        APUS_INVALID_ARGUMENT,
        "picture: plane \(index) of \(format) \(width)x\(height) needs a pointer and a stride of "
          + "at least \(extent.rowBytes); the stride is \(strides[index])")
    }
    planes.append((UnsafeRawPointer(base), Int(strides[index])))
  }
  return try Frame(
    borrowing: planes, format, width: width, height: height, owner: PictureOwner.shared)
}

@c @implementation public func apus_preprocessor_run(
  _ preprocessor: apus_preprocessor, _ picture: UnsafePointer<apus_picture>?,
  _ target: UnsafePointer<apus_tensor>?, _ sample: Int,
  _ mapping: UnsafeMutablePointer<apus_mapping>?
) -> apus_status {
  answer {
    let object: PreprocessorObject = try HandleTable.typed(preprocessor, .preprocessor)
    let frame = try frame(required(picture, "picture").pointee)
    let view = try TensorView(required(target, "target").pointee, "target")
    let specification = object.specification
    let bytes = specification.type.byteCount * specification.sampleElementCount
    guard view.type == specification.type, bytes > 0, view.byteCount % bytes == 0,
      sample >= 0, sample < view.byteCount / bytes, let base = view.base
    else {
      throw Failure(
        APUS_WRONG_TENSOR,
        "target: sample \(sample) of \(view.type) \(view.shape); pictures become "
          + "\(specification.type) \(specification.shape(batch: max(sample + 1, 1)))")
    }
    let place = try object.run(
      frame, into: UnsafeMutableRawBufferPointer(start: base + sample * bytes, count: bytes))
    mapping?.pointee = apus_mapping(
      source_width: Int32(place.source.width), source_height: Int32(place.source.height),
      resized_width: Int32(place.resized.width), resized_height: Int32(place.resized.height),
      input_width: Int32(place.input.width), input_height: Int32(place.input.height),
      left: Int32(place.left), top: Int32(place.top))
  }
}

/// A detector behind a handle, with the names of its classes as C reads them.
private final class DetectorObject: Sendable {
  let detector: Detector
  let labels: TextTable

  init(_ detector: Detector) {
    self.detector = detector
    labels = TextTable(detector.specification.labels)
  }
}

@c @implementation public func apus_detector_open(
  _ text: UnsafePointer<CChar>?, _ detector: UnsafeMutablePointer<apus_detector>?
) -> apus_status {
  answer {
    let detector = try required(detector, "detector")
    let given = try required(ApusC.text(text, "text"), "text")
    // What a model file stores has its labels in further lines.
    let specification =
      given.contains("\n")
      ? try Postprocessing(serialised: given) : try Postprocessing(parsing: given)
    detector.pointee = try HandleTable.insert(
      DetectorObject(Detector(specification)), .detector)
  }
}

@c @implementation public func apus_detector_release(_ detector: apus_detector) -> apus_status {
  answer { try HandleTable.remove(detector, .detector) }
}

@c @implementation public func apus_detector_label(
  _ detector: apus_detector, _ index: Int32, _ label: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) -> apus_status {
  answer {
    let object: DetectorObject = try HandleTable.typed(detector, .detector)
    let names = object.detector.specification.labels
    try required(label, "label").pointee =
      names.indices.contains(Int(index)) ? object.labels[names[Int(index)]] : nil
  }
}

private func mapping(_ given: apus_mapping) throws(Failure) -> InputMapping {
  let sides = [
    given.source_width, given.source_height, given.resized_width, given.resized_height,
    given.input_width, given.input_height,
  ]
  guard sides.allSatisfy({ $0 > 0 }) else {
    throw Failure(
      APUS_INVALID_ARGUMENT, "mapping: sides must be positive; take what a preprocessor gave")
  }
  func size(_ width: Int32, _ height: Int32) -> Preprocessing.Size {
    Preprocessing.Size(width: Int(width), height: Int(height))
  }
  return InputMapping(
    source: size(given.source_width, given.source_height),
    resized: size(given.resized_width, given.resized_height),
    input: size(given.input_width, given.input_height), left: Int(given.left),
    top: Int(given.top))
}

@c @implementation public func apus_detector_run(
  _ detector: apus_detector, _ names: UnsafePointer<UnsafePointer<CChar>?>?,
  _ outputs: UnsafePointer<apus_tensor>?, _ outputCount: Int, _ sample: Int,
  _ mapping: UnsafePointer<apus_mapping>?, _ objects: UnsafeMutablePointer<apus_object>?,
  _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> apus_status {
  answer {
    let object: DetectorObject = try HandleTable.typed(detector, .detector)
    let count = try required(count, "count")
    let place = try ApusC.mapping(required(mapping, "mapping").pointee)
    guard outputCount > 0, capacity >= 0, sample >= 0 else {
      throw Failure(
        APUS_INVALID_ARGUMENT,
        "\(outputCount) outputs, sample \(sample), room for \(capacity) objects")
    }
    let (names, outputs) = (try required(names, "names"), try required(outputs, "outputs"))
    var given: [KitOutput] = []
    for index in 0..<outputCount {
      // The kits look at tensors during the call only.
      let view = try TensorView(outputs[index], "outputs")
      given.append(
        KitOutput(
          name: try required(text(names[index], "names"), "names"),
          tensor: view.borrowed { $0 }))
    }
    let found = try object.detector.detect(in: given, sample: sample, mapping: place)
    if !found.isEmpty, capacity > 0 {
      let objects = try required(objects, "objects")
      for (index, item) in found.prefix(capacity).enumerated() {
        objects[index] = apus_object(
          class_index: Int32(item.classIndex), score: item.score, x1: item.box.x1,
          y1: item.box.y1, x2: item.box.x2, y2: item.box.y2)
      }
    }
    count.pointee = found.count
  }
}
