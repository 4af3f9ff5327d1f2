// What the AVX-512 normalize kernels share. Included inside the file's target attribute.
#include "../math/lanes_avx512.h"
#define BYTES "../math/bytes_avx512.h"

// The bytes of 64 numbers, as `wide_bytes` makes them: what lies beyond 16 bits lies beyond 8.
INLINE void bytes_64(uint8_t *y, const V *x, int32_t zero) {
  const __m512 most = _mm512_set1_ps(1048576.0f);
  const __m512i order =
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i shift = _mm512_set1_epi16((int16_t)zero);
  __m512i q[4];
  _Pragma("clang loop unroll(full)") for (int k = 0; k < 4; k++) {
    q[k] = _mm512_cvtps_epi32(_mm512_min_ps(most, x[k]));
  }
  const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(q[0], q[1]), shift);
  const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(q[2], q[3]), shift);
  const __m512i all = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
  _mm512_storeu_si512((void *)y, all);
}

#define BYTES_64 bytes_64
