// Bytes times gates, AVX2: 32 bytes a step.
#if defined(__x86_64__)
#include "gate8.h"

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline, unused))
#define FUNCTION apus_gate8_avx2
enum { STEP = 32 };
struct gate_arrays;
INLINE void gate_step(
    const uint8_t *x, const struct gate_arrays *a, int shift, uint8_t *y, size_t count);

#include "generic.h"

INLINE __m256i gate_half(__m128i bytes, const struct gate_arrays *a, __m128i shift, size_t at) {
  const __m256i zero = _mm256_loadu_si256((const void *)(a->zero + at));
  const __m256i factor = _mm256_loadu_si256((const void *)(a->factor + at));
  const __m256i offset = _mm256_loadu_si256((const void *)(a->offset + at));
  __m256i q = _mm256_sub_epi16(_mm256_cvtepu8_epi16(bytes), zero);
  q = _mm256_mulhrs_epi16(_mm256_sll_epi16(q, shift), factor);
  return _mm256_adds_epi16(q, offset);
}

INLINE void gate_step(
    const uint8_t *x, const struct gate_arrays *a, int shift, uint8_t *y, size_t count) {
  const __m128i by = _mm_cvtsi32_si128(shift);
  uint8_t part[32] = {0};
  if (count < 32) {
    for (size_t i = 0; i < count; i++) part[i] = x[i];
    x = part;
  }
  const __m256i low = gate_half(_mm_loadu_si128((const void *)x), a, by, 0);
  const __m256i high = gate_half(_mm_loadu_si128((const void *)(x + 16)), a, by, 16);
  const __m256i out = _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8);
  if (count == 32) {
    _mm256_storeu_si256((void *)y, out);
    return;
  }
  _mm256_storeu_si256((void *)part, out);
  for (size_t i = 0; i < count; i++) y[i] = part[i];
}
#pragma clang attribute pop
#endif
