// 16 numbers as bytes, AVX2. Included after lanes_avx2.h and wide.h.
#ifndef APUS_MATH_BYTES_AVX2_H
#define APUS_MATH_BYTES_AVX2_H

// clamp(round(x) + zero, 0, 255): to nearest, ties to even; NaN becomes 0. `zero` is within
// 0 … 255.
INLINE void wide_bytes(uint8_t *out, Wide x, int32_t zero) {
  const __m256 most = _mm256_set1_ps(1048576.0f);
  const __m256i shift = _mm256_set1_epi32(zero);
  __m256i low = _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_min_ps(most, x.v[0])), shift);
  __m256i high = _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_min_ps(most, x.v[1])), shift);
  __m256i halves = _mm256_packs_epi32(low, high);
  __m256i bytes = _mm256_packus_epi16(halves, halves);
  __m128i all = _mm_unpacklo_epi32(
      _mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
  _mm_storeu_si128((void *)out, all);
}

#endif
