import Runtime
import Tensors

/// The means of the float values that products multiply, by channel.
package struct ChannelMeans: Sendable {
  /// Along declared axis 1 (the last of rank 2), by the value's name.
  package private(set) var channels: [String: [Double]] = [:]
  /// Along the last axis as the value lies in memory.
  package private(set) var columns: [String: [Double]] = [:]

  /// Runs the float program on a few samples.
  ///
  /// - Throws: `CompileError` where it cannot run.
  package init(_ calibrator: Calibrator, samples: [[TensorBuffer]]) throws(CompileError) {
    var counts: [String: (columns: Int, channels: Int)] = [:]
    var columnSums: [String: [Double]] = [:]
    var channelSums: [String: [Double]] = [:]
    for sample in samples {
      try calibrator.visit(sample) { value, elements in
        let (rows, length) = (value.rowCount, value.rowLength)
        guard length <= ObservationPlan.mostChannels else { return }
        var sums = columnSums[value.name] ?? [Double](repeating: 0, count: length)
        var rowSums = [Double](repeating: 0, count: rows)
        for row in 0..<rows {
          let start = elements + row * value.rowStride
          var sum = 0.0
          for column in 0..<length {
            let element = Double(start[column])
            sums[column] += element
            sum += element
          }
          rowSums[row] = sum
        }
        columnSums[value.name] = sums
        counts[value.name, default: (0, 0)].columns += rows
        guard case .runs(let count, let runRows) = value.channels, runRows > 0 else { return }
        var channels = channelSums[value.name] ?? [Double](repeating: 0, count: count)
        for row in 0..<rows { channels[row / runRows % count] += rowSums[row] }
        channelSums[value.name] = channels
        counts[value.name, default: (0, 0)].channels += rows / count * length
      }
    }
    for (name, sums) in columnSums {
      let count = Double(max(counts[name]?.columns ?? 1, 1))
      columns[name] = sums.map { $0 / count }
      // Channels-last values have their channels there.
      channels[name] = columns[name]
    }
    for (name, sums) in channelSums {
      let count = Double(max(counts[name]?.channels ?? 1, 1))
      channels[name] = sums.map { $0 / count }
    }
  }
}
