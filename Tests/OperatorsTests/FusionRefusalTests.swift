import Graphs
import Tensors
import Testing

@testable import Operators

/// What composed, integer and quantised operators refuse, and that they say what to do.
@Suite struct FusionRefusalTests {
  private static let bytes = TensorBuffer(.uint8, [2, 2], [1, 2, 3, 4] as [UInt8])
  private static let one = TensorBuffer([], [1])

  /// The message of the error; empty where there is none.
  private func refusal(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch let error as ImportError {
      return error.message
    } catch let error as GraphError {
      return error.message
    } catch {
      return "\(error)"
    }
  }

  @Test func `an activation that is not known`() {
    let x = OperatorRunner.Input.runtime(.counting([1, 1, 2, 2]))
    let message = refusal {
      _ = try OperatorRunner(FusedConv.self, ["activation": .string("Cube")])(x, x)
    }
    #expect(message.contains("\"Cube\"") && message.contains("ORT_ENABLE_BASIC"))
  }

  @Test func `integers of other widths`() {
    let wide = OperatorRunner.Input.runtime(TensorBuffer(.int32, [2, 2], [1, 2, 3, 4] as [Int32]))
    let message = refusal { _ = try OperatorRunner(MatMulInteger.self)(wide, wide) }
    #expect(message.contains("a is int32"))
  }

  @Test func `a zero point of another type`() {
    let point = TensorBuffer(.int8, [], [1] as [Int8])
    let message = refusal {
      _ = try OperatorRunner(MatMulInteger.self)(
        .runtime(Self.bytes), .runtime(Self.bytes), .runtime(point))
    }
    #expect(message.contains("the zero point of a is int8"))
  }

  @Test func `scales that fit neither rows nor columns`() {
    let (x, point) = (Self.bytes, TensorBuffer(.uint8, [], [1] as [UInt8]))
    let message = refusal {
      _ = try OperatorRunner(QLinearMatMul.self)(
        .runtime(x), .runtime(TensorBuffer([3], [1, 1, 1])), .runtime(point), .runtime(x),
        .runtime(Self.one), .runtime(point), .runtime(Self.one), .runtime(point))
    }
    #expect(message.contains("does not fit"))
  }

  @Test func `a shared buffer of keys`() {
    let q = OperatorRunner.Input.runtime(.counting([1, 1, 4]))
    let past = OperatorRunner.Input.runtime(.counting([1, 1, 8, 4]))
    let runner = OperatorRunner(
      GroupQueryAttention.self, ["num_heads": .int(1), "kv_num_heads": .int(1)])
    let lengths = OperatorRunner.Input.runtime(TensorBuffer(.int32, [1], [3] as [Int32]))
    let message = refusal {
      _ = try runner(
        q, q, q, past, past, lengths, .constant(TensorBuffer(.int32, [], [4] as [Int32])))
    }
    #expect(message.contains("shared buffer"))
    let unknown = refusal {
      _ = try runner(
        q, q, q, past, past, lengths, .runtime(TensorBuffer(.int32, [], [9] as [Int32])))
    }
    #expect(unknown.contains("total_sequence_length"))
  }

  @Test func `weights in blocks that are computed`() throws {
    let runner = OperatorRunner(
      MatMulNBits.self, ["K": .int(16), "N": .int(1), "bits": .int(4), "block_size": .int(16)])
    let packed = OperatorRunner.Input.runtime(TensorBuffer(zeros: .uint8, [1, 1, 8]))
    let x = OperatorRunner.Input.runtime(.counting([1, 16]))
    do {
      _ = try runner(x, packed, .constant(TensorBuffer([1], [1])))
      Issue.record("computed weights were taken")
    } catch let error as GraphError {
      #expect(error.neededInput == 1)
    }
  }

  @Test func `heads that do not divide`() {
    let q = OperatorRunner.Input.runtime(.counting([1, 2, 6]))
    let message = refusal {
      _ = try OperatorRunner(
        Attention.self, version: 23, ["q_num_heads": .int(4), "kv_num_heads": .int(2)])(q, q, q)
    }
    #expect(message.contains("q_num_heads"))
  }

  @Test func `an update rule without its inputs`() {
    let q = OperatorRunner.Input.runtime(.counting([1, 2, 4]))
    let message = refusal {
      _ = try OperatorRunner(
        LinearAttention.self, version: 27, ["q_num_heads": .int(2), "kv_num_heads": .int(2)])(
          q, q, q)
    }
    #expect(message.contains("needs the input decay"))
  }

  @Test func `offsets of another shape`() {
    let x = OperatorRunner.Input.runtime(.counting([1, 1, 3, 3]))
    let w = OperatorRunner.Input.runtime(.counting([1, 1, 2, 2]))
    let message = refusal { _ = try OperatorRunner(DeformConv.self)(x, w, x) }
    #expect(message.contains("offset is"))
  }
}
