import Imaging
import Instructions
import Kernels
import ModelFile
import Pipelines
import Tensors
import Testing

@testable import Runtime

@Suite struct PictureInputTests {
  private static let size = (width: 44, height: 40)

  /// A program that converts its input first, as lowering makes it, and gives it back as float32.
  private func session(
    _ type: ElementType, _ quantization: Quantization?, threads: Int, isas: Set<ISA>
  ) throws -> Session {
    let declared = Shape([2, 3, PictureInputTests.size.height, PictureInputTests.size.width])
    let last = Layout.channelsLast.physical(declared)
    var program = Program()
    program.tensors = [
      TensorSpec(name: "x", type: .float32, shape: declared),
      TensorSpec(
        name: "q", type: type, shape: last, layout: .channelsLast, quantization: quantization),
      TensorSpec(name: "y", type: .float32, shape: last, layout: .channelsLast),
    ]
    let (x, q, y) = (Operand(0), Operand(1), Operand(2))
    program.instructions =
      quantization != nil
      ? [QuantizeToUInt8(x, to: q), DequantizeFromUInt8(q, to: y)]
      : [
        Copy.converting(x, program.tensors[0], to: q, program.tensors[1], axes: [0, 2, 3, 1]),
        Copy.converting(q, program.tensors[1], to: y, program.tensors[2], axes: nil),
      ]
    program.origins = ["in", "out"]
    program.inputs = [.init(name: "x", type: .float32, shape: declared, operand: x)]
    program.outputs = [.init(name: "y", type: .float32, shape: last, operand: y)]
    return try Evaluation.session(program, constants: [:], threads: threads, isas: isas)
  }

  private func frame(_ seed: Int, width: Int, height: Int) throws -> Frame {
    let count = width * height + (width + 1) / 2 * ((height + 1) / 2) * 2
    return try Frame(
      copying: (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761 &+ seed) >> 7) },
      .nv12, width: width, height: height)
  }

  private static let forms: [(ElementType, Quantization?)] = [
    (.float32, nil), (.bfloat16, nil),
    (.uint8, Quantization(scale: 1 / 255, zeroPoint: 0)),
    (.uint8, Quantization(scale: 0.0187, zeroPoint: 114)),
    (
      .uint8,
      Quantization(scales: [0.018, 0.0191, 0.02], zeroPoints: [114, 100, 90], axis: 1)
    ),
  ]

  @Test(
    arguments: forms,
    ["resize=letterbox,raw-scale=1", "mean=123.7/116.3/103.5,std=58.4/57.1/57.4,channel-order=bgr"])
  func `outputs have the same bits whichever way pictures go in`(
    _ form: (type: ElementType, quantization: Quantization?), _ text: String
  ) throws {
    let frames = try [frame(1, width: 131, height: 71), frame(2, width: 36, height: 90)]
    let specification = try Preprocessing(parsing: text).resolved(
      input: "x", shape: [2, 3, PictureInputTests.size.height, PictureInputTests.size.width],
      type: .float32)
    var expected: [Float]?
    for isa in ISA.available {
      for threads in [1, 2] {
        for isDirect in [false, true] {
          let session = try session(
            form.type, form.quantization, threads: threads, isas: isa.included)
          let input = PictureInput(session, specification, isDirect: isDirect)
          #expect(input.isDirect == isDirect && input.batchSize == 2)
          // The second round finds in memory what the first one left there.
          for _ in 0..<2 {
            for (index, frame) in frames.enumerated() {
              let mapping = try input.write(frame, sample: index)
              #expect(mapping.source == frame.size)
            }
            try session.run()
            let result = try #require(try session.output(0).floats())
            if expected == nil { expected = result }
            #expect(result == expected, "\(isa), \(threads) threads, direct: \(isDirect)")
          }
        }
      }
    }
    #expect(Set(try #require(expected)).count > 50)
  }

  @Test func `an input without a conversion is written as declared`() throws {
    var program = Program()
    let shape = Shape([1, 3, 8, 8])
    program.tensors = [
      TensorSpec(name: "x", type: .float32, shape: shape),
      TensorSpec(name: "y", type: .float32, shape: shape),
    ]
    program.instructions = [
      Copy(
        Operand(0), to: Operand(1), extents: [192], sourceStrides: [1], targetStrides: [1])
    ]
    program.origins = ["copy"]
    program.inputs = [.init(name: "x", type: .float32, shape: shape, operand: Operand(0))]
    program.outputs = [.init(name: "y", type: .float32, shape: shape, operand: Operand(1))]
    let session = try Evaluation.session(program, constants: [:])
    let specification = try Preprocessing(parsing: "resize=stretch").resolved(
      input: "x", shape: shape, type: .float32)
    let input = PictureInput(session, specification)
    #expect(!input.isDirect)
    let frame = try Frame(
      copying: (0..<192).map { UInt8($0) }, .rgbPlanar, width: 8, height: 8)
    _ = try input.write(frame, sample: 0)
    try session.run()
    #expect(try session.output(0).floats() == (0..<192).map { Float($0) })
  }
}
