// Depthwise convolution, AVX2 and FMA.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#include <immintrin.h>

#include "../math/fast_avx2.h"
#include "depthwise.h"
#include "gemm.h"

#define MATH(name) apus_##name##_avx2
#define UNROLL _Pragma("clang loop unroll(full)")
#define LESSER(a, b) _mm256_min_ps(a, b)
#define GREATER(a, b) _mm256_max_ps(a, b)

static inline __attribute__((always_inline)) __m256 load(
    const void *x, ptrdiff_t at, uint32_t type) {
  if (type == APUS_FLOAT32) return _mm256_loadu_ps((const float *)x + at);
  __m128i half = _mm_loadu_si128((const __m128i *)((const uint16_t *)x + at));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

static inline __attribute__((always_inline)) __m256 load_if(
    const void *x, ptrdiff_t at, uint32_t type, uint16_t seen) {
  if (type == APUS_FLOAT32) {
    return _mm256_maskload_ps((const float *)x + at, _mm256_set1_epi32(-(seen & 1)));
  }
  return seen ? load(x, at, type) : _mm256_setzero_ps();
}

static inline __attribute__((always_inline)) void store(
    void *y, ptrdiff_t at, uint32_t type, __m256 x, ptrdiff_t count) {
  if (type == APUS_FLOAT32) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i lanes = _mm256_cmpgt_epi32(_mm256_set1_epi32(count > 8 ? 8 : (int)count), index);
    if (count >= 8) {
      _mm256_storeu_ps((float *)y + at, x);
    } else {
      _mm256_maskstore_ps((float *)y + at, lanes, x);
    }
    return;
  }
  __m256i bits = (__m256i)apus_bfloat16_avx2(x);
  bits = _mm256_permute4x64_epi64(_mm256_packus_epi32(bits, bits), 0x08);
  uint16_t *to = (uint16_t *)y + at;
  if (count >= 8) {
    _mm_storeu_si128((__m128i *)to, _mm256_castsi256_si128(bits));
  } else {
    uint16_t some[8];
    _mm_storeu_si128((__m128i *)some, _mm256_castsi256_si128(bits));
    for (ptrdiff_t i = 0; i < count; i++) to[i] = some[i];
  }
}

#define LOAD(x, at, type) load(x, at, type)
#define LOAD_IF(x, at, type, seen) load_if(x, at, type, seen)
#define STORE(y, at, type, x, count) store(y, at, type, x, count)

#define DEPTHWISE_ROWS 1
#define DEPTHWISE_COLUMNS 8

#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define APPLY(x, f) apus_fast_apply_avx2(x, f)
#define APPLY_ROUGH(x, f) apus_fast_rough_avx2(x, f)
#define DEPTHWISE(name) name##_avx2
#include "generic.h"
#undef DEPTHWISE
#undef MULTIPLY_ADD
#undef APPLY
#undef APPLY_ROUGH

#define MULTIPLY_ADD(a, b, c) _mm256_add_ps(c, _mm256_mul_ps(a, b))
#define APPLY(x, f) apus_apply_avx2(x, f)
#define APPLY_ROUGH(x, f) apus_apply_avx2(x, f)
#define DEPTHWISE(name) name##_exact_avx2
#include "generic.h"

#pragma clang attribute pop
#endif
