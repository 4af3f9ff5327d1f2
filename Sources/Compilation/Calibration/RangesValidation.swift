import Texts

extension Ranges {
  /// Checks that the table speaks of the model's values, all of them, as they are.
  ///
  /// - Parameter values: the model's values and how many channels each has (nil: channels are not
  ///   kept apart): `Calibrator.values`.
  /// - Throws: `CompileError` with code `invalidData`: an unknown name, with its line and the
  ///   nearest name; a wrong number of channels; missing values.
  package func validate(
    against values: [(name: String, channelCount: Int?)]
  ) throws(CompileError) {
    let known = Dictionary(values.map { ($0.name, $0.channelCount) }) { first, _ in first }
    for name in listedNames {
      guard let channelCount = known[name] else {
        throw CompileError(
          .invalidData,
          "the model has no value \"\(name)\" that takes a range."
            + Suggestion.question(name, in: values.map(\.name)), place: places[name])
      }
      guard let channels = self.values[name]?.channels else { continue }
      guard let channelCount else {
        throw CompileError(
          .invalidData,
          "\"\(name)\" has no channels in the model, but the table lists \(channels.count); remove "
            + "them", place: places[name])
      }
      guard channels.count == channelCount else {
        throw CompileError(
          .invalidData,
          "\"\(name)\" has \(channelCount) channel\(channelCount == 1 ? "" : "s") in the model, "
            + "but the table lists \(channels.count)", place: places[name])
      }
    }
    let missing = values.map(\.name).filter { self.values[$0] == nil && !infinite.contains($0) }
    guard missing.isEmpty else {
      let shown = missing.prefix(5).map { "\"\($0)\"" }.joined(separator: ", ")
      let rest = missing.count > 5 ? " and \(missing.count - 5) more" : ""
      throw CompileError(
        .invalidData,
        "the table lacks \(missing.count) of the model's \(values.count) values: \(shown)\(rest); "
          + "add a line NAME LOW HIGH for each, or make the table again with apus calibrate")
    }
  }
}
