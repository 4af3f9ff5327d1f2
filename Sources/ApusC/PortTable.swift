import CApus
import Tensors

/// What is known of an input or output.
package struct PortDescription: Sendable {
  package var name: String
  package var kind: apus_kind
  /// Nil where it is open.
  package var type: ElementType?
  /// Nil where not even the rank is known; an open extent is nil, with its name.
  package var dimensions: [(extent: Int?, symbol: String?)]?
  package var quantization: Quantization?

  package init(
    name: String, kind: apus_kind = APUS_TENSOR, type: ElementType?,
    dimensions: [(extent: Int?, symbol: String?)]?, quantization: Quantization? = nil
  ) {
    self.name = name
    self.kind = kind
    self.type = type
    self.dimensions = dimensions
    self.quantization = quantization
  }

  /// A tensor of a known shape.
  package init(_ name: String, _ type: ElementType, _ shape: Shape, _ scales: Quantization? = nil) {
    self.init(
      name: name, type: type, dimensions: shape.dimensions.map { ($0, nil) }, quantization: scales)
  }
}

/// Descriptions as C reads them, in memory that lives as long as the table.
///
/// Sendable because nothing changes after `init`.
package final class PortTable: @unchecked Sendable {
  package let ports: [PortDescription]
  private var infos: [apus_tensor_info] = []
  private var memory: [UnsafeMutableRawPointer] = []

  package init(_ ports: [PortDescription]) {
    self.ports = ports
    infos = ports.map(info)
  }

  deinit {
    for block in memory { block.deallocate() }
  }

  package var count: Int { ports.count }

  /// Writes what is known of a port, as much as the caller knows of the structure.
  func write(
    _ index: Int, _ kind: String, to target: UnsafeMutablePointer<apus_tensor_info>, size: Int
  ) throws(Failure) {
    guard infos.indices.contains(index) else {
      throw Failure(
        APUS_INVALID_ARGUMENT, "there is no \(kind) \(index); there are \(infos.count)")
    }
    try fill(target, with: infos[index], size: size)
  }

  private func info(_ port: PortDescription) -> apus_tensor_info {
    var info = apus_tensor_info()
    info.name = text(port.name)
    info.kind = port.kind
    info.type = apus_type(rawValue: UInt32(port.type?.rawValue ?? 0))
    info.rank = -1
    if let dimensions = port.dimensions, dimensions.count <= Int(APUS_MAX_RANK) {
      info.rank = Int32(dimensions.count)
      let symbols = dimensions.map { $0.extent == nil ? $0.symbol.flatMap(self.symbol) : nil }
      withUnsafeMutableBytes(of: &info.dims) { bytes in
        let dims = bytes.bindMemory(to: Int64.self)
        for (axis, item) in dimensions.enumerated() { dims[axis] = Int64(item.extent ?? -1) }
      }
      withUnsafeMutableBytes(of: &info.symbols) { bytes in
        let names = bytes.bindMemory(to: UnsafePointer<CChar>?.self)
        for (axis, symbol) in symbols.enumerated() { names[axis] = symbol }
      }
    }
    if let quantization = port.quantization {
      info.scale_count = quantization.scales.count
      info.scale_axis = Int32(quantization.axis)
      info.scales = array(quantization.scales)
      info.zero_points = array(quantization.zeroPoints)
    }
    return info
  }

  private func symbol(_ name: String) -> UnsafePointer<CChar>? { name.isEmpty ? nil : text(name) }

  /// A copy of a text that lives as long as the table.
  private func text(_ text: String) -> UnsafePointer<CChar> { array(Array(text.utf8CString)) }

  private func array<T: BitwiseCopyable>(_ values: [T]) -> UnsafePointer<T> {
    let block = UnsafeMutablePointer<T>.allocate(capacity: max(values.count, 1))
    block.initialize(from: values, count: values.count)
    memory.append(UnsafeMutableRawPointer(block))
    return UnsafePointer(block)
  }
}

/// Texts as C reads them, each kept until the table goes.
///
/// Sendable because a text is added only by `init`.
package final class TextTable: @unchecked Sendable {
  private var texts: [String: UnsafeMutablePointer<CChar>] = [:]

  package init(_ texts: [String]) {
    for text in texts where self.texts[text] == nil {
      let bytes = text.utf8CString
      let block = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
      for (index, byte) in bytes.enumerated() { (block + index).initialize(to: byte) }
      self.texts[text] = block
    }
  }

  deinit {
    for block in texts.values { block.deallocate() }
  }

  subscript(text: String?) -> UnsafePointer<CChar>? {
    text.flatMap { texts[$0] }.map { UnsafePointer($0) }
  }
}

/// Copies a structure to a caller who knows `size` bytes of it: fields are only ever added behind.
func fill<T: BitwiseCopyable>(
  _ target: UnsafeMutablePointer<T>, with value: T, size: Int
) throws(Failure) {
  guard size > 0 else {
    throw Failure(APUS_INVALID_ARGUMENT, "the size of the structure is 0; give sizeof of it")
  }
  withUnsafeBytes(of: value) { bytes in
    let known = min(size, bytes.count)
    if let base = bytes.baseAddress {
      UnsafeMutableRawPointer(target).copyMemory(from: base, byteCount: known)
    }
    (UnsafeMutableRawPointer(target) + known).initializeMemory(
      as: UInt8.self, repeating: 0, count: max(size - known, 0))
  }
}
