// apus.h: models.
// The names are C's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CApus
import ModelFile

/// Opens a model, whichever kind its first bytes say.
private func open(path: String) throws -> any LoadedModel {
  do {
    return try CompilerDoor.model(of: ModelArchive(mapping: path), "'\(path)'")
  } catch let error as ModelFileError where error.code == .notAModel && !path.hasSuffix(".apus") {
    return try CompilerDoor.required("'\(path)'").open(path: path)
  }
}

@c @implementation public func apus_model_open(
  _ path: UnsafePointer<CChar>?, _ model: UnsafeMutablePointer<apus_model>?
) -> apus_status {
  answer {
    let model = try required(model, "model")
    let path = try required(text(path, "path"), "path")
    model.pointee = try HandleTable.insert(open(path: path), .model)
  }
}

/// Memory of a model file, aligned as mapped files are.
private final class ModelBytes: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer

  init(copying source: UnsafeRawBufferPointer) {
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(source.count, 1), alignment: 64)
    memory.copyMemory(from: source)
    bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[..<source.count])
  }

  deinit { bytes.deallocate() }
}

@c @implementation public func apus_model_open_memory(
  _ bytes: UnsafeRawPointer?, _ size: Int, _ folder: UnsafePointer<CChar>?,
  _ model: UnsafeMutablePointer<apus_model>?
) -> apus_status {
  answer {
    let model = try required(model, "model")
    let bytes = try required(bytes, "bytes")
    guard size >= 0 else { throw Failure(APUS_INVALID_ARGUMENT, "the size is too large") }
    let source = UnsafeRawBufferPointer(start: bytes, count: size)
    let loaded: any LoadedModel
    if ModelArchive.matches(source) {
      let owner = ModelBytes(copying: source)
      loaded = try CompilerDoor.model(
        of: ModelArchive(owner.bytes, owner: owner), "the model in memory")
    } else {
      loaded = try CompilerDoor.required("the model in memory")
        .open(source, folder: text(folder, "folder"))
    }
    model.pointee = try HandleTable.insert(loaded, .model)
  }
}

@c @implementation public func apus_model_release(_ model: apus_model) -> apus_status {
  answer { try HandleTable.remove(model, .model) }
}

@c @implementation public func apus_model_input_count(
  _ model: apus_model, _ count: UnsafeMutablePointer<Int>?
) -> apus_status {
  answer { try required(count, "count").pointee = HandleTable.model(model).inputs.count }
}

@c @implementation public func apus_model_output_count(
  _ model: apus_model, _ count: UnsafeMutablePointer<Int>?
) -> apus_status {
  answer { try required(count, "count").pointee = HandleTable.model(model).outputs.count }
}

@c @implementation public func apus_model_input(
  _ model: apus_model, _ index: Int, _ info: UnsafeMutablePointer<apus_tensor_info>?, _ size: Int
) -> apus_status {
  answer {
    try HandleTable.model(model).inputs
      .write(index, "input", to: required(info, "info"), size: size)
  }
}

@c @implementation public func apus_model_output(
  _ model: apus_model, _ index: Int, _ info: UnsafeMutablePointer<apus_tensor_info>?, _ size: Int
) -> apus_status {
  answer {
    try HandleTable.model(model).outputs
      .write(index, "output", to: required(info, "info"), size: size)
  }
}

@c @implementation public func apus_model_program_count(
  _ model: apus_model, _ count: UnsafeMutablePointer<Int>?
) -> apus_status {
  answer { try required(count, "count").pointee = HandleTable.model(model).programs.count }
}

private func program(_ model: any LoadedModel, _ index: Int) throws -> ProgramDescription {
  guard model.programs.indices.contains(index) else {
    throw Failure(
      APUS_INVALID_ARGUMENT, "there is no program \(index); there are \(model.programs.count)")
  }
  return model.programs[index]
}

@c @implementation public func apus_model_program(
  _ model: apus_model, _ index: Int, _ info: UnsafeMutablePointer<apus_program_info>?,
  _ size: Int
) -> apus_status {
  answer {
    let model = try HandleTable.model(model)
    let program = try program(model, index)
    try fill(
      required(info, "info"),
      with: apus_program_info(
        precision: model.texts[program.precision], weight_size: Int64(program.weightByteCount),
        arena_size: Int64(program.arenaByteCount), io_size: Int64(program.ioByteCount),
        operation_count: Int64(program.operationCount)),
      size: size)
  }
}

@c @implementation public func apus_model_program_input(
  _ model: apus_model, _ index: Int, _ input: Int,
  _ info: UnsafeMutablePointer<apus_tensor_info>?, _ size: Int
) -> apus_status {
  answer {
    try program(HandleTable.model(model), index).inputs
      .write(input, "input", to: required(info, "info"), size: size)
  }
}

@c @implementation public func apus_model_preprocessing(
  _ model: apus_model, _ input: Int, _ text: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) -> apus_status {
  answer {
    let model = try HandleTable.model(model)
    guard model.inputs.ports.indices.contains(input) else {
      throw Failure(
        APUS_INVALID_ARGUMENT, "there is no input \(input); there are \(model.inputs.count)")
    }
    try required(text, "text").pointee =
      model.texts[model.preprocessing[model.inputs.ports[input].name]]
  }
}

@c @implementation public func apus_model_postprocessing(
  _ model: apus_model, _ text: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) -> apus_status {
  answer {
    let model = try HandleTable.model(model)
    try required(text, "text").pointee = model.texts[model.postprocessing]
  }
}

@c @implementation public func apus_model_description(
  _ model: apus_model, _ text: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) -> apus_status {
  answer {
    let model = try HandleTable.model(model)
    try required(text, "text").pointee = model.texts[model.description]
  }
}

@c @implementation public func apus_model_write(
  _ model: apus_model, _ path: UnsafePointer<CChar>?
) -> apus_status {
  answer {
    try HandleTable.model(model).write(to: required(text(path, "path"), "path"))
  }
}
