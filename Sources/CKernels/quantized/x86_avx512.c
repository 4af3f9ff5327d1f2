// The element-wise kernels of 8-bit tensors, AVX-512.
#if defined(__x86_64__)
#include "quantized_elements.h"

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2"))), apply_to = function)
#include "../math/lanes_avx512.h"

typedef uint8_t B16 __attribute__((vector_size(16)));
typedef apus_i_avx512 I;

INLINE B16 load_bytes(const uint8_t *p, size_t count) {
  if (count >= 16) return (B16)_mm_loadu_si128((const void *)p);
  return (B16)_mm_maskz_loadu_epi8(lanes_mask(count), p);
}

INLINE void store_bytes(uint8_t *p, B16 x, size_t count) {
  if (count >= 16) {
    _mm_storeu_si128((void *)p, (__m128i)x);
  } else {
    _mm_mask_storeu_epi8(p, lanes_mask(count), (__m128i)x);
  }
}

INLINE void widen_bytes(B16 x, I *parts) { parts[0] = (I)_mm512_cvtepu8_epi32((__m128i)x); }

// A NaN and what is below the integers become the least integer, and so 0.
INLINE B16 narrow_reals(const V *x, const I *zero) {
  const __m512 most = _mm512_set1_ps(1048576.0f);
  I q = (I)_mm512_cvtps_epi32(_mm512_min_ps(most, x[0])) + zero[0];
  __m512i positive = _mm512_max_epi32((__m512i)q, _mm512_setzero_si512());
  return (B16)_mm512_cvtusepi32_epi8(positive);
}

#include "generic.h"
#pragma clang attribute pop
#endif
