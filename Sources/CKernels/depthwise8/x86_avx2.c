// 8-bit depthwise convolution, AVX2: products of 16 bits, exact.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#include <immintrin.h>

#include "../math/math_avx2.h"
#include "depthwise8.h"

// Bytes 0 and 2 of each 32 bits as one pair of 16 bits, 1 and 3 as another.
static inline __attribute__((always_inline)) __m256i dot(__m256i sum, __m256i x, __m256i w) {
  const __m256i x_even = _mm256_and_si256(x, _mm256_set1_epi16(0xff));
  const __m256i w_even = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
  const __m256i even = _mm256_madd_epi16(x_even, w_even);
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(x, 8), _mm256_srai_epi16(w, 8));
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}

#define NAME(name) name##_avx2
#define DOT(sum, x, w) dot(sum, x, w)
#include "ymm_avx2.h"
#include "generic.h"

void apus_depthwise8_avx2(const struct apus_depthwise8 *d) {
  for (ptrdiff_t c = 0; c < d->channels; c += 32) {
    block_avx2(d, c, d->channels - c < 32 ? d->channels - c : 32);
  }
}

#pragma clang attribute pop
#endif
