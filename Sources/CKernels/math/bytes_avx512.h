// 16 numbers as bytes, AVX-512. Included after lanes_avx512.h and wide.h.
#ifndef APUS_MATH_BYTES_AVX512_H
#define APUS_MATH_BYTES_AVX512_H

// clamp(round(x) + zero, 0, 255): to nearest, ties to even; NaN becomes 0. `zero` is within
// 0 … 255.
INLINE void wide_bytes(uint8_t *out, Wide x, int32_t zero) {
  const __m512 most = _mm512_set1_ps(1048576.0f);
  __m512i q = _mm512_cvtps_epi32(_mm512_min_ps(most, x.v[0]));
  q = _mm512_add_epi32(q, _mm512_set1_epi32(zero));
  q = _mm512_max_epi32(q, _mm512_setzero_si512());
  _mm_storeu_si128((void *)out, _mm512_cvtusepi32_epi8(q));
}

#endif
