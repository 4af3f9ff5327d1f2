// apus.h: values.
// The names are C's.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CApus

@c @implementation public func apus_value_tensor(
  _ tensor: UnsafePointer<apus_tensor>?, _ value: UnsafeMutablePointer<apus_value>?
) -> apus_status {
  answer {
    let value = try required(value, "value")
    let view = try TensorView(required(tensor, "tensor").pointee, "tensor")
    value.pointee = try HandleTable.insert(ValueObject(.tensor(view.copied())), .value)
  }
}

@c @implementation public func apus_value_sequence(
  _ elements: UnsafePointer<apus_value>?, _ count: Int, _ value: UnsafeMutablePointer<apus_value>?
) -> apus_status {
  answer {
    let value = try required(value, "value")
    guard count >= 0 else { throw Failure(APUS_INVALID_ARGUMENT, "the count is too large") }
    var list: [Value] = []
    if count > 0 {
      let elements = try required(elements, "elements")
      for index in 0..<count { list.append(try HandleTable.value(elements[index])) }
    }
    value.pointee = try HandleTable.insert(ValueObject(.sequence(list)), .value)
  }
}

@c @implementation public func apus_value_absent(
  _ value: UnsafeMutablePointer<apus_value>?
) -> apus_status {
  answer {
    try required(value, "value").pointee = HandleTable.insert(ValueObject(.absent), .value)
  }
}

@c @implementation public func apus_value_release(_ value: apus_value) -> apus_status {
  answer { try HandleTable.remove(value, .value) }
}

@c @implementation public func apus_value_kind(
  _ value: apus_value, _ kind: UnsafeMutablePointer<apus_kind>?
) -> apus_status {
  answer {
    let kind = try required(kind, "kind")
    switch try HandleTable.value(value) {
    case .tensor: kind.pointee = APUS_TENSOR
    case .sequence: kind.pointee = APUS_SEQUENCE
    case .absent: kind.pointee = APUS_OPTIONAL
    }
  }
}

@c @implementation public func apus_value_view(
  _ value: apus_value, _ tensor: UnsafeMutablePointer<apus_tensor>?
) -> apus_status {
  answer {
    let tensor = try required(tensor, "tensor")
    let value = try HandleTable.value(value)
    guard case .tensor(let buffer) = value else {
      throw Failure(APUS_INVALID_ARGUMENT, "\(value.kindName) is no tensor")
    }
    tensor.pointee = try TensorView(buffer).exported()
  }
}

/// The elements of a sequence.
private func elements(_ handle: apus_value) throws(Failure) -> [Value] {
  let value = try HandleTable.value(handle)
  guard case .sequence(let elements) = value else {
    throw Failure(APUS_INVALID_ARGUMENT, "\(value.kindName) is no sequence")
  }
  return elements
}

@c @implementation public func apus_value_count(
  _ value: apus_value, _ count: UnsafeMutablePointer<Int>?
) -> apus_status {
  answer { try required(count, "count").pointee = elements(value).count }
}

@c @implementation public func apus_value_element(
  _ value: apus_value, _ index: Int, _ element: UnsafeMutablePointer<apus_value>?
) -> apus_status {
  answer {
    let element = try required(element, "element")
    let list = try elements(value)
    guard list.indices.contains(index) else {
      throw Failure(
        APUS_INVALID_ARGUMENT, "there is no element \(index); there are \(list.count)")
    }
    element.pointee = try HandleTable.insert(ValueObject(list[index]), .value)
  }
}
