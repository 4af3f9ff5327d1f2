// The element-wise kernels of 8-bit tensors, AVX2.
#if defined(__x86_64__)
#include "quantized_elements.h"

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#include "../math/lanes_avx2.h"

typedef uint8_t B16 __attribute__((vector_size(16)));
typedef apus_i_avx2 I;

#include "bytes.h"

INLINE B16 load_bytes(const uint8_t *p, size_t count) {
  if (count >= 16) return (B16)_mm_loadu_si128((const void *)p);
  return load_some_bytes(p, count);
}

INLINE void store_bytes(uint8_t *p, B16 x, size_t count) {
  if (count >= 16) {
    _mm_storeu_si128((void *)p, (__m128i)x);
  } else {
    store_some_bytes(p, x, count);
  }
}

INLINE void widen_bytes(B16 x, I *parts) {
  parts[0] = (I)_mm256_cvtepu8_epi32((__m128i)x);
  parts[1] = (I)_mm256_cvtepu8_epi32(_mm_unpackhi_epi64((__m128i)x, (__m128i)x));
}

// A NaN and what is below the integers become the least integer, and so 0.
INLINE I rounded(V x, I zero) {
  const __m256 most = _mm256_set1_ps(1048576.0f);
  return (I)_mm256_cvtps_epi32(_mm256_min_ps(most, x)) + zero;
}

INLINE B16 narrow_reals(const V *x, const I *zero) {
  __m256i low = (__m256i)rounded(x[0], zero[0]), high = (__m256i)rounded(x[1], zero[1]);
  __m256i halves = _mm256_packs_epi32(low, high);
  __m256i bytes = _mm256_packus_epi16(halves, halves);
  return (B16)_mm_unpacklo_epi32(
      _mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
}

#include "generic.h"
#pragma clang attribute pop
#endif
