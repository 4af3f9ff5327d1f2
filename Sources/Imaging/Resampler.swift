internal import CKernels
internal import ModelFile

/// Computes the rows of a resized picture, one after the other, holding only a few rows.
struct Resampler {
  private let plan: ResamplePlan
  private let channels: Int
  /// Per channel: two rows of bilinear sums with the source row that each holds.
  private let sums: [(even: RowBuffer<Int32>, odd: RowBuffer<Int32>)]
  private var held: (even: Int, odd: Int) = (-1, -1)
  /// Per channel: the mean so far, and the last source row's means.
  private let totals: [RowBuffer<Float>]
  private let lastMeans: [RowBuffer<Float>]
  private var lastMeanRow = -1

  init(_ plan: ResamplePlan, channels: Int) {
    self.plan = plan
    self.channels = channels
    let count = plan.columns.count
    switch plan.method {
    case .bilinear:
      sums = (0..<channels).map { _ in (RowBuffer(count), RowBuffer(count)) }
      (totals, lastMeans) = ([], [])
    case .area:
      sums = []
      totals = (0..<channels).map { _ in RowBuffer(count) }
      lastMeans = (0..<channels).map { _ in RowBuffer(count) }
    }
  }

  /// Forgets the rows of the last picture.
  mutating func reset() {
    held = (-1, -1)
    lastMeanRow = -1
  }

  /// Computes row `slot` of the plan's rows into `targets`, one row per channel.
  ///
  /// - Parameter row: returns the components of a source row, valid until its next call.
  mutating func resample(
    row slot: Int, from row: (Int) -> [ComponentRows.Component],
    into targets: [RowBuffer<UInt8>]
  ) {
    switch plan.method {
    case .bilinear(let columns, let rows):
      let upper = Int(rows.first.pointer[slot])
      let lower = Int(rows.second.pointer[slot])
      let upperIsEven = hold(upper, sparing: lower, columns, row)
      let lowerIsEven = hold(lower, sparing: upper, columns, row)
      for channel in 0..<channels {
        let pair = sums[channel]
        apus_blend_rows(
          (upperIsEven ? pair.even : pair.odd).pointer,
          (lowerIsEven ? pair.even : pair.odd).pointer, Int32(rows.left.pointer[slot]),
          Int32(rows.right.pointer[slot]), Int64(plan.columns.count), targets[channel].pointer)
      }
    case .area(let columns, let rows):
      for channel in 0..<channels {
        totals[channel].pointer.update(repeating: 0, count: plan.columns.count)
      }
      let first = Int(rows.first.pointer[slot])
      for offset in 0..<Int(rows.counts.pointer[slot]) {
        computeMeans(first + offset, columns, row)
        let weight = rows.weights.pointer[rows.starts[slot] + offset]
        for channel in 0..<channels {
          apus_accumulate_row(
            lastMeans[channel].pointer, weight, Int64(plan.columns.count),
            totals[channel].pointer)
        }
      }
      for channel in 0..<channels {
        apus_round_row(
          totals[channel].pointer, Int64(plan.columns.count), targets[channel].pointer)
      }
    }
  }

  /// Makes sure that source row `index` is held, not overwriting row `other`; says where.
  private mutating func hold(
    _ index: Int, sparing other: Int, _ columns: BilinearTable,
    _ row: (Int) -> [ComponentRows.Component]
  ) -> Bool {
    if held.even == index { return true }
    if held.odd == index { return false }
    let useEven = held.even != other
    if useEven { held.even = index } else { held.odd = index }
    for (channel, component) in row(index).enumerated() {
      let target = useEven ? sums[channel].even : sums[channel].odd
      apus_resize_row(
        component.base, Int64(component.step), columns.first.pointer, columns.second.pointer,
        columns.left.pointer, columns.right.pointer, Int64(plan.columns.count), target.pointer)
    }
    return useEven
  }

  private mutating func computeMeans(
    _ index: Int, _ columns: AreaTable, _ row: (Int) -> [ComponentRows.Component]
  ) {
    guard lastMeanRow != index else { return }
    lastMeanRow = index
    for (channel, component) in row(index).enumerated() {
      apus_area_row(
        component.base, Int64(component.step), columns.first.pointer, columns.counts.pointer,
        columns.weights.pointer, Int64(plan.columns.count), lastMeans[channel].pointer)
    }
  }
}
