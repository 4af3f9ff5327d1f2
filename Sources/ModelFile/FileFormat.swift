// The model file, `.apus`. All numbers are little-endian. Documentation/model-file.md specifies
// the contents of the sections.
//
//     offset  bytes
//          0      8  magic: 89 41 50 55 53 0D 0A 1A  ("\x89APUS\r\n\x1A")
//          8      4  version of the format
//         12      4  number of sections, n
//         16      8  bytes of the whole file
//         24      8  zero
//         32     32  SHA-256 of bytes 0..<32 and of the section table
//         64  128·n  section table
//                      0   4  kind
//                      4   4  zero
//                      8   8  offset in the file, a multiple of 4096
//                     16   8  length in bytes
//                     24   8  zero
//                     32  32  SHA-256 of the contents
//                     64  64  name, UTF-8, zero-padded
//          …         sections in rising order, zeros between them and up to the end of the file,
//                    which is a multiple of 4096
//
// The manifest comes first, so that the head of the file can be read by people; the weights come
// last. Hashes are compared by `verify` only: reading a file touches nothing but the tables.

/// The numbers of the format.
package enum FileFormat {
  package static let magic: [UInt8] = [0x89, 0x41, 0x50, 0x55, 0x53, 0x0D, 0x0A, 0x1A]
  package static let version: UInt32 = 2
  /// Added to the layout of a tensor that has a quantisation (from version 2 on).
  package static let quantizedFlag: UInt8 = 0x80
  package static let headerByteCount = 64
  package static let hashedHeaderByteCount = 32
  package static let entryByteCount = 128
  package static let nameByteCount = 64
  package static let alignment = 4096
  package static let largestSectionCount = 4096
  /// The zeros at the end of the weights that kernels may read.
  package static let weightSlackByteCount = 64
  package static let hashByteCount = 32
  package static let largestRank = 64
  /// No tensor has more elements, extents of 0 counted as 1.
  package static let largestTensor = 1 << 46
  /// What an integer field of an instruction may be.
  package static let integers = -(1 << 48)...(1 << 48)

  package static func aligned(_ value: Int) -> Int { (value + alignment - 1) & ~(alignment - 1) }
}

/// What a section holds.
package struct SectionKind: Sendable, Hashable, RawRepresentable {
  package var rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Generated text for people; never parsed.
  package static let manifest = SectionKind(rawValue: 1)
  /// Where the model comes from, and whether it is proven.
  package static let origin = SectionKind(rawValue: 2)
  /// Preprocessing by input, and postprocessing.
  package static let processing = SectionKind(rawValue: 3)
  /// The text of the calibration table.
  package static let calibration = SectionKind(rawValue: 4)
  /// One program; there may be several such sections.
  package static let program = SectionKind(rawValue: 5)
  /// Inputs with the outputs that they must give.
  package static let selfTests = SectionKind(rawValue: 6)
  /// The contents of constants, shared by all programs.
  package static let weights = SectionKind(rawValue: 7)
  /// The source model itself, where it cannot become a program.
  package static let source = SectionKind(rawValue: 8)
}
