import Graphs
import Tensors
import Testing

@testable import Operators

@Suite struct RegionTests {
  @Test func `means of half-pixel regions`() throws {
    let x0 = TensorBuffer(
      [2, 2, 5, 6],
      [
        0.35, -0.94, 0.91, 0.02, -0.62, -0.63, -0.99, 0.05, 1.07, -0.33, 0.42, 1.88, -1.21, 0.26,
        -0.31, -1.06, -1.03, -0.02, 0.43, -0.53, 0.05, 0.72, 0.3, 0.87, 0.46, 0.49, 1.83, 0.62,
        0.13, 0.71, -0.92, -0.34, 0.79, 0.63, 1.55, 0.01, -1.46, 1.95, 1.09, -1.06, 1.38, 0.03,
        -1.81, -0.42, -0.51, 1.59, -0.79, -0.25, -0.28, -0.38, -0.91, 0.22, 1.08, 0.62, -0.93,
        -1.15, 0.12, -0.71, -0.63, -1.68, 1.95, 0.92, -0.97, 0.91, 1.34, -2.39, -0.55, -0.39, 0.65,
        -0.12, -0.23, -0.06, 1.85, 2.16, -0.52, -0.93, 2.69, -0.98, -0.57, 0.04, 0.48, 1.03, 0.39,
        -0.87, 0.51, 0.25, 1.88, -0.01, -1.34, -1.05, 1.45, -0.54, -2.1, -0.58, 0, 1.19, -1.01,
        0.67, 0.8, -0.7, -0.19, 1.77, 1.72, 0.86, 0.33, 1.14, -0.14, -0.1, -0.86, 0.01, -0.08, 2.77,
        -0.19, 1.27, 1.32, -0.19, 1.17, -2.18, 0.09, 0.86,
      ])
    let x1 = TensorBuffer([2, 4], [0, 0, 4, 3, 1, 0.5, 5.5, 4.2])
    let x2 = TensorBuffer(.int64, [2], [Int64(0), 1])
    let y = try OperatorRunner(
      RoiAlign.self, version: 22, outputs: 1,
      ["output_height": .int(2), "output_width": .int(3), "sampling_ratio": .int(2)]
    )
    .outputs(.runtime(x0), .runtime(x1), .runtime(x2))
    expectClose(
      y[0], [2, 2, 2, 3],
      [
        -0.209219, 0.164688, 0.155833, -0.742813, 0.144375, -0.485625, -0.722656, 0.629687,
        0.413594, -1.122969, 0.144063, 0.4425, 0.317988, 0.043508, 0.20341, 0.614969, 0.300949,
        0.333668, 0.227758, -0.224621, 0.290957, 0.257312, 1.070379, 0.248633,
      ])
  }

  @Test func `means of regions of at least one element`() throws {
    let x0 = TensorBuffer(
      [2, 2, 5, 6],
      [
        0.35, -0.94, 0.91, 0.02, -0.62, -0.63, -0.99, 0.05, 1.07, -0.33, 0.42, 1.88, -1.21, 0.26,
        -0.31, -1.06, -1.03, -0.02, 0.43, -0.53, 0.05, 0.72, 0.3, 0.87, 0.46, 0.49, 1.83, 0.62,
        0.13, 0.71, -0.92, -0.34, 0.79, 0.63, 1.55, 0.01, -1.46, 1.95, 1.09, -1.06, 1.38, 0.03,
        -1.81, -0.42, -0.51, 1.59, -0.79, -0.25, -0.28, -0.38, -0.91, 0.22, 1.08, 0.62, -0.93,
        -1.15, 0.12, -0.71, -0.63, -1.68, 1.95, 0.92, -0.97, 0.91, 1.34, -2.39, -0.55, -0.39, 0.65,
        -0.12, -0.23, -0.06, 1.85, 2.16, -0.52, -0.93, 2.69, -0.98, -0.57, 0.04, 0.48, 1.03, 0.39,
        -0.87, 0.51, 0.25, 1.88, -0.01, -1.34, -1.05, 1.45, -0.54, -2.1, -0.58, 0, 1.19, -1.01,
        0.67, 0.8, -0.7, -0.19, 1.77, 1.72, 0.86, 0.33, 1.14, -0.14, -0.1, -0.86, 0.01, -0.08, 2.77,
        -0.19, 1.27, 1.32, -0.19, 1.17, -2.18, 0.09, 0.86,
      ])
    let x1 = TensorBuffer([3, 4], [0, 0, 4, 3, 1, 0.5, 5.5, 4.2, 2, 2, 1, 1])
    let x2 = TensorBuffer(.int64, [3], [Int64(0), 1, 1])
    let y = try OperatorRunner(
      RoiAlign.self, version: 22, outputs: 1,
      [
        "output_height": .int(2), "output_width": .int(2), "sampling_ratio": .int(0),
        "coordinate_transformation_mode": .string("output_half_pixel"),
        "spatial_scale": .float(0.5),
      ]
    )
    .outputs(.runtime(x0), .runtime(x1), .runtime(x2))
    expectClose(
      y[0], [3, 2, 2, 2],
      [
        -0.360625, 0.200625, -0.470625, 0.486875, -0.301875, 0.710625, 0.075, 1.271875, 0.040512,
        0.173082, 0.978814, -0.160141, 0.192613, -0.165135, 0.734508, 0.507588, 0.275, 0.33, 1.085,
        0.21, 0.70875, 0.69125, 0.72125, 0.53875,
      ])
  }

  @Test func `maxima of regions`() throws {
    let x0 = TensorBuffer(
      [2, 2, 5, 6],
      [
        0.35, -0.94, 0.91, 0.02, -0.62, -0.63, -0.99, 0.05, 1.07, -0.33, 0.42, 1.88, -1.21, 0.26,
        -0.31, -1.06, -1.03, -0.02, 0.43, -0.53, 0.05, 0.72, 0.3, 0.87, 0.46, 0.49, 1.83, 0.62,
        0.13, 0.71, -0.92, -0.34, 0.79, 0.63, 1.55, 0.01, -1.46, 1.95, 1.09, -1.06, 1.38, 0.03,
        -1.81, -0.42, -0.51, 1.59, -0.79, -0.25, -0.28, -0.38, -0.91, 0.22, 1.08, 0.62, -0.93,
        -1.15, 0.12, -0.71, -0.63, -1.68, 1.95, 0.92, -0.97, 0.91, 1.34, -2.39, -0.55, -0.39, 0.65,
        -0.12, -0.23, -0.06, 1.85, 2.16, -0.52, -0.93, 2.69, -0.98, -0.57, 0.04, 0.48, 1.03, 0.39,
        -0.87, 0.51, 0.25, 1.88, -0.01, -1.34, -1.05, 1.45, -0.54, -2.1, -0.58, 0, 1.19, -1.01,
        0.67, 0.8, -0.7, -0.19, 1.77, 1.72, 0.86, 0.33, 1.14, -0.14, -0.1, -0.86, 0.01, -0.08, 2.77,
        -0.19, 1.27, 1.32, -0.19, 1.17, -2.18, 0.09, 0.86,
      ])
    let x1 = TensorBuffer([2, 4], [0, 0, 4, 3, 1, 0.5, 5.5, 4.2])
    let x2 = TensorBuffer(.int64, [2], [Int64(0), 1])
    let y = try OperatorRunner(
      RoiAlign.self, version: 22, outputs: 1,
      [
        "output_height": .int(2), "output_width": .int(2), "sampling_ratio": .int(2),
        "mode": .string("max"),
      ]
    )
    .outputs(.runtime(x0), .runtime(x1), .runtime(x2))
    expectClose(
      y[0], [2, 2, 2, 2],
      [
        0.35, 0.91, 0.2275, 0.66875, 1.21875, 0.79, 1.21875, 1.39125, 0.784687, 0.586336, 1.392188,
        1.040273, 0.398125, 0.474305, 0.554297, 1.452086,
      ])
  }

  @Test func `maxima of cells of whole elements`() throws {
    let x0 = TensorBuffer(
      [2, 2, 5, 6],
      [
        0.35, -0.94, 0.91, 0.02, -0.62, -0.63, -0.99, 0.05, 1.07, -0.33, 0.42, 1.88, -1.21, 0.26,
        -0.31, -1.06, -1.03, -0.02, 0.43, -0.53, 0.05, 0.72, 0.3, 0.87, 0.46, 0.49, 1.83, 0.62,
        0.13, 0.71, -0.92, -0.34, 0.79, 0.63, 1.55, 0.01, -1.46, 1.95, 1.09, -1.06, 1.38, 0.03,
        -1.81, -0.42, -0.51, 1.59, -0.79, -0.25, -0.28, -0.38, -0.91, 0.22, 1.08, 0.62, -0.93,
        -1.15, 0.12, -0.71, -0.63, -1.68, 1.95, 0.92, -0.97, 0.91, 1.34, -2.39, -0.55, -0.39, 0.65,
        -0.12, -0.23, -0.06, 1.85, 2.16, -0.52, -0.93, 2.69, -0.98, -0.57, 0.04, 0.48, 1.03, 0.39,
        -0.87, 0.51, 0.25, 1.88, -0.01, -1.34, -1.05, 1.45, -0.54, -2.1, -0.58, 0, 1.19, -1.01,
        0.67, 0.8, -0.7, -0.19, 1.77, 1.72, 0.86, 0.33, 1.14, -0.14, -0.1, -0.86, 0.01, -0.08, 2.77,
        -0.19, 1.27, 1.32, -0.19, 1.17, -2.18, 0.09, 0.86,
      ])
    let x1 = TensorBuffer([3, 5], [0, 0, 0, 4, 3, 1, 1, 1, 5, 4, 1, 3, 2, 4, 9])
    let y = try OperatorRunner(
      MaxRoiPool.self, version: 13, outputs: 1,
      ["pooled_shape": .ints([2, 2]), "spatial_scale": .float(1.0)]
    )
    .outputs(.runtime(x0), .runtime(x1))
    expectClose(
      y[0], [3, 2, 2, 2],
      [
        1.07, 1.07, 0.43, 0.72, 1.95, 1.55, -0.28, 1.59, 2.16, 2.69, 1.88, 1.03, 1.14, 1.77, 2.77,
        2.77, 1.03, 2.69, 0, 0, 2.77, 0.09, 0, 0,
      ])
  }

  @Test func `drops boxes that overlap`() throws {
    let x0 = TensorBuffer(
      [1, 6, 4],
      [
        0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100, 1, 101,
      ])
    let x1 = TensorBuffer([1, 1, 6], [0.9, 0.75, 0.6, 0.95, 0.5, 0.3])
    let x2 = TensorBuffer(.int64, [1], [Int64(3)])
    let x3 = TensorBuffer([1], [0.5])
    let x4 = TensorBuffer([1], [0])
    let y = try OperatorRunner(NonMaxSuppression.self, version: 11, outputs: 1)
      .outputs(.constant(x0), .constant(x1), .constant(x2), .constant(x3), .constant(x4))
    expectClose(y[0], [3, 3], [0, 0, 3, 0, 0, 0, 0, 0, 5])
  }

  @Test func `reads centres and extents`() throws {
    let x0 = TensorBuffer(
      [1, 6, 4],
      [
        0.5, 0.5, 1, 1, 0.5, 0.6, 1, 1, 0.5, 0.4, 1, 1, 0.5, 10.5, 1, 1, 0.5, 10.6, 1, 1, 0.5,
        100.5, 1, 1,
      ])
    let x1 = TensorBuffer([1, 1, 6], [0.9, 0.75, 0.6, 0.95, 0.5, 0.3])
    let x2 = TensorBuffer(.int64, [1], [Int64(3)])
    let x3 = TensorBuffer([1], [0.5])
    let x4 = TensorBuffer([1], [0])
    let y = try OperatorRunner(
      NonMaxSuppression.self, version: 11, outputs: 1,
      ["center_point_box": .int(1)]
    )
    .outputs(.constant(x0), .constant(x1), .constant(x2), .constant(x3), .constant(x4))
    expectClose(y[0], [3, 3], [0, 0, 3, 0, 0, 0, 0, 0, 5])
  }

  @Test func `keeps batches and classes apart`() throws {
    let x0 = TensorBuffer(
      [2, 6, 4],
      [
        0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100, 1, 101,
        0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100, 1, 101,
      ])
    let x1 = TensorBuffer(
      [2, 1, 6], [0.9, 0.75, 0.6, 0.95, 0.5, 0.3, 0.9, 0.75, 0.6, 0.95, 0.5, 0.3])
    let x2 = TensorBuffer(.int64, [1], [Int64(2)])
    let x3 = TensorBuffer([1], [0.5])
    let x4 = TensorBuffer([1], [0])
    let y = try OperatorRunner(NonMaxSuppression.self, version: 11, outputs: 1)
      .outputs(.constant(x0), .constant(x1), .constant(x2), .constant(x3), .constant(x4))
    expectClose(y[0], [4, 3], [0, 0, 3, 0, 0, 0, 1, 0, 3, 1, 0, 0])
  }

  @Test func `takes corners in any order`() throws {
    let x0 = TensorBuffer(
      [1, 6, 4],
      [
        1, 1, 0, 0, 0, 0.1, 1, 1.1, 0, 0.9, 1, -0.1, 0, 10, 1, 11, 1, 10.1, 0, 11.1, 1, 101, 0, 100,
      ])
    let x1 = TensorBuffer([1, 1, 6], [0.9, 0.75, 0.6, 0.95, 0.5, 0.3])
    let x2 = TensorBuffer(.int64, [1], [Int64(3)])
    let x3 = TensorBuffer([1], [0.5])
    let x4 = TensorBuffer([1], [0])
    let y = try OperatorRunner(NonMaxSuppression.self, version: 11, outputs: 1)
      .outputs(.constant(x0), .constant(x1), .constant(x2), .constant(x3), .constant(x4))
    expectClose(y[0], [3, 3], [0, 0, 3, 0, 0, 0, 0, 0, 5])
  }

  @Test func `stops at the limit`() throws {
    let x0 = TensorBuffer(
      [1, 6, 4],
      [
        0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100, 1, 101,
      ])
    let x1 = TensorBuffer([1, 1, 6], [0.9, 0.75, 0.6, 0.95, 0.5, 0.3])
    let x2 = TensorBuffer(.int64, [1], [Int64(2)])
    let x3 = TensorBuffer([1], [0.5])
    let x4 = TensorBuffer([1], [0])
    let y = try OperatorRunner(NonMaxSuppression.self, version: 11, outputs: 1)
      .outputs(.constant(x0), .constant(x1), .constant(x2), .constant(x3), .constant(x4))
    expectClose(y[0], [2, 3], [0, 0, 3, 0, 0, 0])
  }

  @Test func `refuses what does not belong together`() {
    let x = TensorBuffer.counting([1, 1, 4, 4])
    let region = TensorBuffer([1, 4], [0, 0, 1, 1])
    #expect(throws: GraphError.self) {
      try OperatorRunner(RoiAlign.self)(
        .runtime(x), .runtime(region), .runtime(TensorBuffer([0, 0])))
    }
    #expect(throws: ImportError.self) {
      try OperatorRunner(RoiAlign.self, ["mode": .string("min")])(
        .runtime(x), .runtime(region), .runtime(TensorBuffer([0])))
    }
    #expect(throws: ImportError.self) {
      try OperatorRunner(MaxRoiPool.self, ["pooled_shape": .ints([2])])(
        .runtime(x), .runtime(TensorBuffer.counting([1, 5])))
    }
    #expect(throws: GraphError.self) {
      try OperatorRunner(NonMaxSuppression.self)(
        .constant(TensorBuffer.counting([1, 3, 4])), .constant(TensorBuffer.counting([1, 1, 2])))
    }
    // Its result's shape depends on the contents.
    #expect(throws: GraphError.self) {
      try OperatorRunner(NonMaxSuppression.self)(
        .runtime(TensorBuffer.counting([1, 3, 4])), .constant(TensorBuffer.counting([1, 1, 3])))
    }
  }

  @Test func `reports a map that does not exist`() throws {
    let x = TensorBuffer.counting([1, 1, 4, 4])
    for batch in [1, -1] {
      let outcome = try OperatorRunner(RoiAlign.self).outcome(
        .runtime(x), .runtime(TensorBuffer([1, 4], [0, 0, 1, 1])),
        .runtime(TensorBuffer([batch])))
      #expect(outcome.fault != 0)
      let pooled = try OperatorRunner(MaxRoiPool.self, ["pooled_shape": .ints([1, 1])]).outcome(
        .runtime(x), .runtime(TensorBuffer([1, 5], [Float(batch), 0, 0, 1, 1])))
      #expect(pooled.fault != 0)
    }
  }

  @Test func `survives regions that are far away`() throws {
    let x = TensorBuffer.counting([1, 1, 4, 4])
    let far = TensorBuffer([2, 4], [-1e30, .nan, 1e30, .infinity, 3e38, -3e38, .nan, .nan])
    let y = try OperatorRunner(RoiAlign.self, ["sampling_ratio": .int(2)])(
      .runtime(x), .runtime(far), .runtime(TensorBuffer([0, 0])))
    #expect(y.shape == [2, 1, 1, 1])
    let wide = TensorBuffer([1, 5], [0, -1e30, .nan, 1e30, .infinity])
    let z = try OperatorRunner(MaxRoiPool.self, ["pooled_shape": .ints([2, 2])])(
      .runtime(x), .runtime(wide))
    #expect(z.shape == [1, 1, 2, 2])
  }
}
