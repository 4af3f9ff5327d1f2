// Loading and storing vectors of float32 or bfloat16 elements, AVX-512: 16 lanes.
// Include it inside the file's `#pragma clang attribute push` of that target. Parts of a vector
// touch exactly `count` elements (fewer than the lanes); lanes past them are zero when loaded.
#ifndef APUS_LANES_AVX512_H
#define APUS_LANES_AVX512_H

#include <immintrin.h>
#include <stddef.h>

#include "gemm.h"
#include "math_avx512.h"

// How a file rounds to bfloat16, if not by the instruction for it.
#ifndef NARROW
#define NARROW(x) _mm512_cvtepi32_epi16((__m512i)apus_bfloat16_avx512(x))
#endif

#define LANES 16
#define M(name) apus_##name##_avx512
#define ISA_NAME(name) name##_avx512
#define INLINE static inline __attribute__((always_inline, unused))
typedef apus_v_avx512 V;

INLINE __mmask16 lanes_mask(size_t count) { return (__mmask16)((1u << count) - 1u); }

INLINE V load(const void *p, uint32_t type, size_t i) {
  if (type == APUS_FLOAT32) return _mm512_loadu_ps((const float *)p + i);
  __m256i half = _mm256_loadu_si256((const void *)((const uint16_t *)p + i));
  return (V)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
}

INLINE V load_part(const void *p, uint32_t type, size_t i, size_t count) {
  __mmask16 mask = lanes_mask(count);
  if (type == APUS_FLOAT32) return _mm512_maskz_loadu_ps(mask, (const float *)p + i);
  __m256i half = _mm256_maskz_loadu_epi16(mask, (const uint16_t *)p + i);
  return (V)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
}

INLINE void store(void *p, uint32_t type, size_t i, V x) {
  if (type == APUS_FLOAT32) {
    _mm512_storeu_ps((float *)p + i, x);
  } else {
    _mm256_storeu_si256((void *)((uint16_t *)p + i), NARROW(x));
  }
}

INLINE void store_part(void *p, uint32_t type, size_t i, size_t count, V x) {
  __mmask16 mask = lanes_mask(count);
  if (type == APUS_FLOAT32) {
    _mm512_mask_storeu_ps((float *)p + i, mask, x);
  } else {
    _mm256_mask_storeu_epi16((uint16_t *)p + i, mask, NARROW(x));
  }
}

// x in the first `count` lanes, `other` in the rest.
INLINE V first_lanes(V x, V other, size_t count) {
  return _mm512_mask_blend_ps(lanes_mask(count), other, x);
}

// a > b ? a : b: with a NaN, the second operand.
INLINE V larger(V a, V b) { return _mm512_max_ps(a, b); }

// A bit for every lane where a = b.
INLINE uint32_t lanes_equal(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }

// Halves are added until one lane is left.
INLINE float lanes_sum(V x) {
  __m256 q = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  __m128 h = _mm_add_ps(_mm256_castps256_ps128(q), _mm256_extractf128_ps(q, 1));
  h = _mm_add_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_add_ps(h, _mm_shuffle_ps(h, h, 1)));
}
INLINE float lanes_max(V x) { return _mm512_reduce_max_ps(x); }

#endif
