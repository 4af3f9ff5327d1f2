import Glibc
import Tensors

/// Weights in a form that the machine prefers, made at load from a constant of the model: private
/// memory, shared by all instructions and sessions that ask for the same form.
///
/// Sendable because the bytes do not change once they are made.
package final class DerivedWeights: @unchecked Sendable {
  /// 64-byte aligned.
  package let base: UnsafeRawPointer
  package let byteCount: Int
  private let slab: Slab

  fileprivate init(_ memory: UnsafeMutableRawPointer, byteCount: Int, in slab: Slab) {
    base = UnsafeRawPointer(memory)
    self.byteCount = byteCount
    self.slab = slab
  }

  /// No constant is worth more memory.
  fileprivate static let limit = 1 << 32
}

/// Memory in huge pages for several forms. What is not used of it takes none, but for the rest of a
/// page.
///
/// Sendable because it changes only while the cache's lock is held.
private final class Slab: @unchecked Sendable {
  private let mapping: PageMapping
  private var free: UnsafeMutableRawBufferPointer

  private static let smallestByteCount = 8 * PageMapping.hugePage

  /// - Returns: nil where there is not enough memory.
  init?(atLeast byteCount: Int) {
    let used = max(byteCount, Slab.smallestByteCount)
    guard let mapping = PageMapping(byteCount: used, hugeByteCount: used) else { return nil }
    self.mapping = mapping
    free = UnsafeMutableRawBufferPointer(start: mapping.base, count: used)
  }

  /// Takes 64-byte aligned memory; nil where not enough is left.
  func take(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    let rounded = (byteCount + 63) & ~63
    guard rounded <= free.count, let start = free.baseAddress else { return nil }
    free = UnsafeMutableRawBufferPointer(rebasing: free[rounded...])
    return start
  }
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
  ///
  /// Its lock is C's: Swift's does not survive a fork.
  ///
  /// Sendable because the contents are only reached under the lock.
  package final class Cache: @unchecked Sendable {
    fileprivate struct Key: Hashable {
      var offset: Int
      var form: [Int]
    }
    fileprivate struct Entry {
      weak var weights: DerivedWeights?
    }
    fileprivate struct Contents {
      var entries: [Key: Entry] = [:]
      /// Lives as long as any form in it.
      weak var slab: Slab?

      /// - Returns: nil where there is not enough memory.
      mutating func makeWeights(_ byteCount: Int) -> (DerivedWeights, UnsafeMutableRawPointer)? {
        guard byteCount > 0, byteCount <= DerivedWeights.limit else { return nil }
        if let slab, let memory = slab.take(byteCount) {
          return (DerivedWeights(memory, byteCount: byteCount, in: slab), memory)
        }
        guard let fresh = Slab(atLeast: byteCount), let memory = fresh.take(byteCount) else {
          return nil
        }
        slab = fresh
        return (DerivedWeights(memory, byteCount: byteCount, in: fresh), memory)
      }
    }
    private var contents = Contents()
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    package init() { pthread_mutex_init(lock, nil) }

    deinit {
      pthread_mutex_destroy(lock)
      lock.deallocate()
    }

    fileprivate func withLock<R>(_ body: (inout Contents) -> R) -> R {
      pthread_mutex_lock(lock)
      defer { pthread_mutex_unlock(lock) }
      return body(&contents)
    }
  }

  /// Constants in memory that outlives the store.
  package init(base: UnsafeRawPointer, byteCount: Int, cache: Cache = Cache()) {
    self.base = base
    self.byteCount = byteCount
    made = cache
  }

  /// The contents of a constant; nil where the tensor is none. They live as long as the program.
  fileprivate func contents(of spec: TensorSpec) -> UnsafeRawBufferPointer? {
    guard case .constant(let offset) = spec.storage, offset >= 0, offset <= byteCount,
      spec.byteCount <= byteCount - offset
    else { return nil }
    return UnsafeRawBufferPointer(start: base + offset, count: spec.byteCount)
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
    guard let contents = contents(of: spec), let source = contents.baseAddress else { return nil }
    let key = Cache.Key(offset: source - base, form: form + [spec.byteCount, wanted])
    return made.withLock { contents in
      if let known = contents.entries[key]?.weights { return known }
      guard let (weights, memory) = contents.makeWeights(wanted) else { return nil }
      make(source, memory)
      contents.entries[key] = Cache.Entry(weights: weights)
      return weights
    }
  }
}

extension Preparation {
  /// The contents of a constant operand, for as long as the program runs; nil where they are not
  /// known at load.
  func contents(of operand: Operand) -> UnsafeRawBufferPointer? {
    constants?.contents(of: self[operand])
  }

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
