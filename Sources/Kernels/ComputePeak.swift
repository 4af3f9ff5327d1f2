internal import CKernels

/// Bursts of multiply-adds in registers, to measure what the machine can do at most.
package enum ComputePeak {
  /// Runs about a millisecond of work with the best of the given kernels; returns the operations
  /// done, 2 per multiply-add.
  ///
  /// - Parameter precision: `bf16` uses the bfloat16 units where they exist, `int8` 8-bit factors;
  ///   else float32.
  package static func burst(precision: String, isas: Set<ISA>) -> Int {
    var sink: Float = 0
    if precision == "bf16", isas.contains(.avx512bf16) {
      return Int(apus_peak_bf16_avx512bf16(&sink))
    }
    if precision == "int8" {
      if isas.contains(.avx512vnni) { return Int(apus_peak_i8_avx512vnni(&sink)) }
      if isas.contains(.avxvnni) { return Int(apus_peak_i8_avxvnni(&sink)) }
      if isas.contains(.avx2) { return Int(apus_peak_i8_avx2(&sink)) }
    }
    if isas.contains(.avx512) { return Int(apus_peak_f32_avx512(&sink)) }
    if isas.contains(.avx2) { return Int(apus_peak_f32_avx2(&sink)) }
    return Int(apus_peak_portable(&sink))
  }
}
