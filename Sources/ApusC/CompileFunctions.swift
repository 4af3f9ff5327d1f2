// apus.h: compiling.
// The names are C's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CApus
import Tensors

/// The texts of a list.
private func texts(
  _ list: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int, _ name: StaticString
) throws(Failure) -> [String] {
  guard count >= 0, count <= 1 << 16 else {
    throw Failure(APUS_INVALID_ARGUMENT, "\(name): a count of \(count) is impossible")
  }
  guard count > 0 else { return [] }
  let list = try required(list, name)
  var result: [String] = []
  for index in 0..<count { result.append(try required(text(list[index], name), name)) }
  return result
}

private func samples(
  _ given: apus_compile_options, inputCount: Int
) throws(Failure) -> [[TensorBuffer]] {
  let count = given.sample_count
  guard count >= 0, count <= 1 << 24 else {
    throw Failure(APUS_INVALID_ARGUMENT, "sample_count is \(count)")
  }
  guard count > 0 else { return [] }
  let list = try required(given.samples, "samples")
  var result: [[TensorBuffer]] = []
  for sample in 0..<count {
    var tensors: [TensorBuffer] = []
    for input in 0..<inputCount {
      tensors.append(try TensorView(list[sample * inputCount + input], "samples").copied())
    }
    result.append(tensors)
  }
  return result
}

private func request(
  _ options: UnsafePointer<apus_compile_options>?, inputCount: Int
) throws(Failure) -> CompileRequest {
  var request = CompileRequest()
  guard let options else { return request }
  let given = try known(
    options, size: options.pointee.size, zero: apus_compile_options(), "options")
  request.precision = try text(given.precision, "precision")
  for list in try texts(given.shapes, given.shape_count, "shapes") {
    request.shapes.append(try shapes(parsing: list))
  }
  request.preprocess = try texts(given.preprocess, given.preprocess_count, "preprocess")
  request.postprocess = try text(given.postprocess, "postprocess")
  request.samples = try samples(given, inputCount: inputCount)
  request.ranges = try text(given.ranges, "ranges")
  request.method = try text(given.calibration_method, "calibration_method")
  request.isSymmetric = given.symmetric != 0
  request.proves = given.skip_proof == 0
  guard given.threads >= 0 else {
    throw Failure(APUS_INVALID_ARGUMENT, "threads is \(given.threads); 0 takes what there is")
  }
  request.threads = given.threads == 0 ? nil : Int(given.threads)
  if let callback = given.progress {
    let context = given.progress_context
    request.progress = { phase, done, total in
      let answer = phase.withCString { callback(context, $0, Int64(done), Int64(total)) }
      guard answer == 0 else {
        throw Failure(
          APUS_CANCELLED, "the caller ended compiling: \(phase), \(done) of \(total)")
      }
    }
  }
  return request
}

@c @implementation public func apus_compile(
  _ source: apus_model, _ options: UnsafePointer<apus_compile_options>?,
  _ compiled: UnsafeMutablePointer<apus_model>?
) -> apus_status {
  answer {
    let compiled = try required(compiled, "compiled")
    guard CompilerDoor.canCompile else {
      throw Failure(
        APUS_UNAVAILABLE,
        "this library (libapus-runtime) only runs models; compile with the apus command or libapus")
    }
    let model = try HandleTable.model(source)
    let result = try model.compiled(request(options, inputCount: model.inputs.count))
    compiled.pointee = try HandleTable.insert(result, .model)
  }
}
