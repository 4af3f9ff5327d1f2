// Loading and storing vectors of float32 or bfloat16 elements, AVX2: 8 lanes.
// Include it inside the file's `#pragma clang attribute push` of that target. Parts of a vector
// touch exactly `count` elements (fewer than the lanes); lanes past them are zero when loaded.
#ifndef APUS_LANES_AVX2_H
#define APUS_LANES_AVX2_H

#include <immintrin.h>
#include <stddef.h>

#include "gemm.h"
#include "math_avx2.h"

#define LANES 8
#define M(name) apus_##name##_avx2
#define ISA_NAME(name) name##_avx2
#define INLINE static inline __attribute__((always_inline, unused))
typedef apus_v_avx2 V;

INLINE __m256i lanes_mask(size_t count) {
  __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), index);
}

INLINE V widen(__m128i half) {
  return (V)_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16);
}

INLINE __m128i narrow(V x) {
  __m256i bits = (__m256i)apus_bfloat16_avx2(x);
  __m256i packed = _mm256_packus_epi32(bits, bits);
  return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
}

INLINE V load(const void *p, uint32_t type, size_t i) {
  if (type == APUS_FLOAT32) return _mm256_loadu_ps((const float *)p + i);
  return widen(_mm_loadu_si128((const void *)((const uint16_t *)p + i)));
}

INLINE V load_part(const void *p, uint32_t type, size_t i, size_t count) {
  if (type == APUS_FLOAT32) return _mm256_maskload_ps((const float *)p + i, lanes_mask(count));
  uint16_t part[8] = {0};
  for (size_t k = 0; k < count; k++) part[k] = ((const uint16_t *)p)[i + k];
  return widen(_mm_loadu_si128((const void *)part));
}

INLINE void store(void *p, uint32_t type, size_t i, V x) {
  if (type == APUS_FLOAT32) {
    _mm256_storeu_ps((float *)p + i, x);
  } else {
    _mm_storeu_si128((void *)((uint16_t *)p + i), narrow(x));
  }
}

INLINE void store_part(void *p, uint32_t type, size_t i, size_t count, V x) {
  if (type == APUS_FLOAT32) {
    _mm256_maskstore_ps((float *)p + i, lanes_mask(count), x);
  } else {
    uint16_t part[8];
    _mm_storeu_si128((void *)part, narrow(x));
    for (size_t k = 0; k < count; k++) ((uint16_t *)p)[i + k] = part[k];
  }
}

// x in the first `count` lanes, `other` in the rest.
INLINE V first_lanes(V x, V other, size_t count) {
  return _mm256_blendv_ps(other, x, (__m256)lanes_mask(count));
}

// a > b ? a : b: with a NaN, the second operand.
INLINE V larger(V a, V b) { return _mm256_max_ps(a, b); }

// A bit for every lane where a = b.
INLINE uint32_t lanes_equal(V a, V b) {
  return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ));
}

#define HALVES(x, op)                                                          \
  __m128 h = op(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));       \
  h = op(h, _mm_movehl_ps(h, h));                                              \
  return _mm_cvtss_f32(op(h, _mm_shuffle_ps(h, h, 1)))
// Halves are added until one lane is left.
INLINE float lanes_sum(V x) { HALVES(x, _mm_add_ps); }
INLINE float lanes_max(V x) { HALVES(x, _mm_max_ps); }
#undef HALVES

#endif
