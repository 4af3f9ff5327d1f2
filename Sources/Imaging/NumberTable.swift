internal import Tensors

/// The model's numbers for all 256 bytes, and for the padding, by channel.
struct NumberTable {
  /// The bytes of a number.
  let elementSize: Int
  /// Says whether every number is the byte itself.
  let isIdentity: Bool
  /// By channel: 256 numbers.
  let numbers: [RowBuffer<UInt8>]
  /// By channel: the same numbers' lowest bytes, then their second bytes, and so on.
  let splits: [RowBuffer<UInt8>]
  /// By channel: the bytes of the padding's number.
  let pads: [[UInt8]]

  /// The places in a channel's row of `init`: the bytes, then the padding.
  static let columnCount = 257

  /// - Parameters:
  ///   - tensor: one row of `columnCount` pixels.
  ///   - isInterleaved: whether the channels of a pixel lie side by side.
  init(_ tensor: TensorBuffer, channels: Int, isInterleaved: Bool) {
    let size = tensor.type.byteCount
    let bytes = tensor.withBytes { Array($0) }
    precondition(bytes.count == size * channels * NumberTable.columnCount, "a row of numbers")
    func number(_ channel: Int, _ column: Int) -> ArraySlice<UInt8> {
      let place =
        isInterleaved ? column * channels + channel : channel * NumberTable.columnCount + column
      return bytes[(place * size)..<((place + 1) * size)]
    }
    elementSize = size
    numbers = (0..<channels).map { c in RowBuffer((0..<256).flatMap { number(c, $0) }) }
    splits = (0..<channels).map { c in
      RowBuffer(
        (0..<size).flatMap { place in
          (0..<256).map { column in
            let number = number(c, column)
            return number[number.startIndex + place]
          }
        })
    }
    pads = (0..<channels).map { Array(number($0, 256)) }
    let table = numbers
    isIdentity =
      size == 1 && table.allSatisfy { row in (0..<256).allSatisfy { row.pointer[$0] == $0 } }
  }
}
