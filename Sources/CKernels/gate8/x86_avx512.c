// Bytes times gates, AVX-512: 64 bytes a step.
#if defined(__x86_64__)
#include "gate8.h"

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2"))), apply_to = function)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline, unused))
#define FUNCTION apus_gate8_avx512
enum { STEP = 64 };
struct gate_arrays;
INLINE void gate_step(
    const uint8_t *x, const struct gate_arrays *a, int shift, uint8_t *y, size_t count);

#include "generic.h"

INLINE __m512i gate_half(__m256i bytes, const struct gate_arrays *a, __m128i shift, size_t at) {
  const __m512i zero = _mm512_loadu_si512(a->zero + at);
  const __m512i factor = _mm512_loadu_si512(a->factor + at);
  const __m512i offset = _mm512_loadu_si512(a->offset + at);
  __m512i q = _mm512_sub_epi16(_mm512_cvtepu8_epi16(bytes), zero);
  q = _mm512_mulhrs_epi16(_mm512_sll_epi16(q, shift), factor);
  return _mm512_adds_epi16(q, offset);
}

INLINE void gate_step(
    const uint8_t *x, const struct gate_arrays *a, int shift, uint8_t *y, size_t count) {
  const __m128i by = _mm_cvtsi32_si128(shift);
  const __mmask64 some = count < 64 ? ((__mmask64)1 << count) - 1 : ~(__mmask64)0;
  const __m512i in = count < 64 ? _mm512_maskz_loadu_epi8(some, x) : _mm512_loadu_si512(x);
  const __m512i low = gate_half(_mm512_castsi512_si256(in), a, by, 0);
  const __m512i high = gate_half(_mm512_extracti64x4_epi64(in, 1), a, by, 32);
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  const __m512i out = _mm512_permutexvar_epi64(order, _mm512_packus_epi16(low, high));
  if (count < 64) _mm512_mask_storeu_epi8(y, some, out);
  else _mm512_storeu_si512(y, out);
}
#pragma clang attribute pop
#endif
