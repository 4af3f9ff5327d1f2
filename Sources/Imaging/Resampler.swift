internal import CKernels
internal import Kernels
internal import ModelFile

/// Computes the rows of a resized picture, one after the other, holding only a few rows.
final class Resampler {
  private let plan: ResamplePlan
  private let kernel: ImagingKernel
  private let order: Preprocessing.ChannelOrder
  private let channels: Int
  /// Per channel: two source rows as wide as the target, and the source rows that they are.
  private let sums: [(even: RowBuffer<Int16>, odd: RowBuffer<Int16>)]
  private var held: (even: Int, odd: Int) = (-1, -1)
  private let scratch: RowBuffer<UInt32>
  /// Per channel: the mean so far, and the last source row's means.
  private let totals: [RowBuffer<Float>]
  private let lastMeans: [RowBuffer<Float>]
  private let means: [RowBuffer<UInt8>]
  private var lastMeanRow = -1

  init(_ plan: ResamplePlan, _ order: Preprocessing.ChannelOrder, _ kernel: ImagingKernel) {
    self.plan = plan
    self.kernel = kernel
    self.order = order
    channels = order == .gray ? 1 : 3
    let count = plan.columns.count
    switch plan.method {
    case .bilinear:
      sums = (0..<channels).map { _ in (RowBuffer(count), RowBuffer(count)) }
      scratch = RowBuffer(2 * count)
      (totals, lastMeans, means) = ([], [], [])
    case .area:
      sums = []
      scratch = RowBuffer(0)
      totals = (0..<channels).map { _ in RowBuffer(count) }
      lastMeans = (0..<channels).map { _ in RowBuffer(count) }
      means = (0..<channels).map { _ in RowBuffer(count) }
    }
  }

  /// Forgets the rows of the last picture.
  func reset() {
    held = (-1, -1)
    lastMeanRow = -1
  }

  /// Computes row `slot` of the plan's rows and enters it in `rows`, where it is valid until the
  /// next call.
  func resample(row slot: Int, from source: ComponentRows, into rows: inout apus_rows) {
    switch plan.method {
    case .bilinear(let columns, let table):
      let place = table.place(slot)
      let isEven = hold(place.first, sparing: place.second, columns, source)
      let isSecondEven = hold(place.second, sparing: place.first, columns, source)
      rows.upper_weight = place.left
      rows.lower_weight = place.right
      rows.upper = threeRows { isEven ? sums[$0].even : sums[$0].odd }
      rows.lower = threeRows { isSecondEven ? sums[$0].even : sums[$0].odd }
    case .area(let columns, let table):
      computeMeans(slot, columns, table, source)
      rows.bytes = threeRows { means[$0] }
    }
  }

  /// The rows of the channels, as C has them.
  private func threeRows<T>(
    _ row: (Int) -> RowBuffer<T>
  ) -> (UnsafePointer<T>?, UnsafePointer<T>?, UnsafePointer<T>?) {
    let first = UnsafePointer(row(0).pointer)
    guard channels == 3 else { return (first, nil, nil) }
    return (first, UnsafePointer(row(1).pointer), UnsafePointer(row(2).pointer))
  }

  /// Where red, green and blue go (grey: the first of them).
  private var places: (Int, Int, Int) { order == .bgr ? (2, 1, 0) : (0, 1, 2) }

  /// Makes sure that source row `index` is held, not overwriting row `other`; says where.
  private func hold(
    _ index: Int, sparing other: Int, _ table: BilinearTable, _ source: ComponentRows
  ) -> Bool {
    if held.even == index { return true }
    if held.odd == index { return false }
    let useEven = held.even != other
    if useEven { held.even = index } else { held.odd = index }
    var columns = apus_columns()
    source.describe(index, gray: channels == 1, in: &columns)
    columns.first = UnsafePointer(table.first.pointer)
    columns.weights = UnsafePointer(table.weights.pointer)
    columns.is_picking = table.isPicking ? 1 : 0
    columns.count = plan.columns.count
    columns.scratch = scratch.pointer
    func target(_ channel: Int) -> UnsafeMutablePointer<Int16> {
      (useEven ? sums[channel].even : sums[channel].odd).pointer
    }
    columns.target.0 = target(places.0)
    if channels == 3 {
      columns.target.1 = target(places.1)
      columns.target.2 = target(places.2)
    }
    kernel.entry.pointee.columns(&columns)
    return useEven
  }

  /// Computes the means of row `slot`, rounded to bytes.
  private func computeMeans(
    _ slot: Int, _ columns: AreaTable, _ table: AreaTable, _ source: ComponentRows
  ) {
    let count = plan.columns.count
    for channel in 0..<channels { totals[channel].pointer.update(repeating: 0, count: count) }
    let first = Int(table.first.pointer[slot])
    for offset in 0..<Int(table.counts.pointer[slot]) {
      computeMeans(ofSource: first + offset, columns, source)
      let weight = table.weights.pointer[table.starts[slot] + offset]
      for channel in 0..<channels {
        kernel.entry.pointee.accumulate_row(
          lastMeans[channel].pointer, weight, count, totals[channel].pointer)
      }
    }
    for channel in 0..<channels {
      kernel.entry.pointee.round_row(totals[channel].pointer, count, means[channel].pointer)
    }
  }

  private func computeMeans(ofSource index: Int, _ columns: AreaTable, _ source: ComponentRows) {
    guard lastMeanRow != index else { return }
    lastMeanRow = index
    func compute(_ component: ComponentRows.Component, _ channel: Int) {
      kernel.entry.pointee.area_row(
        component.base, component.step, columns.first.pointer, columns.counts.pointer,
        columns.weights.pointer, plan.columns.count, lastMeans[channel].pointer)
    }
    if channels == 1 {
      compute(source.grayRow(index), 0)
    } else {
      let (red, green, blue) = source.rgb(index)
      compute(red, places.0)
      compute(green, places.1)
      compute(blue, places.2)
    }
  }
}
