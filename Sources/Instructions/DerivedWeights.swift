import Glibc
import Synchronization
import Tensors

/// Weights in a form that the machine prefers, made at load from a constant of the model: private
/// memory, shared by all instructions and sessions that ask for the same form.
///
/// Sendable because the bytes do not change once they are made.
package final class DerivedWeights: @unchecked Sendable {
  /// 64-byte aligned.
  package let base: UnsafeRawPointer
  package let byteCount: Int

  /// - Returns: nil where there is not enough memory.
  fileprivate init?(byteCount: Int, make: (UnsafeMutableRawPointer) -> Void) {
    guard byteCount > 0, byteCount <= DerivedWeights.limit,
      let memory = aligned_alloc(64, (byteCount + 63) & ~63)
    else { return nil }
    make(memory)
    base = UnsafeRawPointer(memory)
    self.byteCount = byteCount
  }

  deinit { free(UnsafeMutableRawPointer(mutating: base)) }

  /// No constant is worth more memory.
  private static let limit = 1 << 32
}

/// The constants of a program as instructions may see them at load, and the forms that were made
/// of them.
///
/// Forms live as long as an instruction that uses them; those of one store are made once.
///
/// Sendable because the bytes do not change, and the table is locked.
package final class ConstantStore: @unchecked Sendable {
  private let base: UnsafeRawPointer
  private let byteCount: Int
  private let made: Cache

  /// The forms of one block of constants, which may grow.
  package final class Cache: Sendable {
    fileprivate struct Key: Hashable {
      var offset: Int
      var form: [Int]
    }
    fileprivate struct Entry {
      weak var weights: DerivedWeights?
    }
    fileprivate let entries = Mutex<[Key: Entry]>([:])

    package init() {}
  }

  /// Constants in memory that outlives the store.
  package init(base: UnsafeRawPointer, byteCount: Int, cache: Cache = Cache()) {
    self.base = base
    self.byteCount = byteCount
    made = cache
  }

  /// Returns a form of a constant; nil where the tensor is none, or for lack of memory.
  ///
  /// - Parameters:
  ///   - form: numbers that, with the constant's place, say all that `make` depends on.
  ///   - make: fills memory (the second argument) from the constant.
  fileprivate func derive(
    _ spec: TensorSpec, form: [Int], byteCount wanted: Int,
    make: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  ) -> DerivedWeights? {
    guard case .constant(let offset) = spec.storage, offset >= 0, offset <= byteCount,
      spec.byteCount <= byteCount - offset
    else { return nil }
    let key = Cache.Key(offset: offset, form: form + [spec.byteCount, wanted])
    return made.entries.withLock { entries in
      if let known = entries[key]?.weights { return known }
      let weights = DerivedWeights(byteCount: wanted) { make(base + offset, $0) }
      entries[key] = Cache.Entry(weights: weights)
      return weights
    }
  }
}

extension Preparation {
  /// Asks for a constant in another form, which `make` fills from the constant at load.
  ///
  /// - Parameters:
  ///   - form: numbers that, with the constant's place, say all that `make` depends on.
  /// - Returns: nil where the operand's contents are not known at load, or for lack of memory.
  package mutating func derive(
    _ operand: Operand, form: [Int], byteCount: Int,
    make: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  ) -> DerivedWeights? {
    guard
      let weights = constants?.derive(
        self[operand], form: form, byteCount: byteCount, make: make)
    else { return nil }
    note(weights)
    return weights
  }
}
