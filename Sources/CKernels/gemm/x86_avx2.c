// The matrix product in float32 and in bfloat16 (by widening), AVX2 and FMA.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#include <immintrin.h>

#include "../math/fast_avx2.h"
#include "gemm.h"

#define MATH(name) apus_##name##_avx2
#define LESSER(a, b) _mm256_min_ps(a, b)
#define GREATER(a, b) _mm256_max_ps(a, b)
#define UNROLL _Pragma("clang loop unroll(full)")

static inline __m256i first_lanes(size_t count) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count > 8 ? 8 : (int)count), index);
}

// The low halves of the lanes, in order.
static inline __attribute__((always_inline)) __m128i narrow(__m256i x) {
  __m256i packed = _mm256_packus_epi32(x, x);
  return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
}

static inline __attribute__((always_inline)) void store_bfloat16(
    uint16_t *y, __m256 x, size_t count) {
  __m128i bits = narrow((__m256i)apus_bfloat16_avx2(x));
  if (count >= 8) {
    _mm_storeu_si128((__m128i *)y, bits);
  } else {
    uint16_t some[8];
    _mm_storeu_si128((__m128i *)some, bits);
    for (size_t i = 0; i < count; i++) y[i] = some[i];
  }
}

static inline __m256 load_bfloat16(const uint16_t *x, size_t count) {
  uint16_t some[8] = {0};
  if (count < 8) {
    for (size_t i = 0; i < count; i++) some[i] = x[i];
    x = some;
  }
  __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)x));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

#define STORE_SOME(y, x, count) _mm256_maskstore_ps(y, first_lanes(count), x)
#define LOAD_SOME(x, count) _mm256_maskload_ps(x, first_lanes(count))
#define STORE_BFLOAT16(y, x, count) store_bfloat16(y, x, count)
#define LOAD_BFLOAT16(x, count) load_bfloat16(x, count)

#define GEMM_HALVES 0
// 15 of 16 registers: 12 sums, two of B, one of A.
#define GEMM_ROW_LIMIT 6
#define GEMM_MAX_PANELS 1
#define GEMM_MAX_ROWS(n) 6
#define GEMM_TILES TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)

#define GEMM_MULTIPLY(acc, row, k, b, stride, rows, panels, half)                   \
  do {                                                                              \
    __m256 low = _mm256_loadu_ps(b), high = _mm256_loadu_ps((b) + 8);               \
    UNROLL for (int i = 0; i < (rows); i++) {                                       \
      __m256 x = _mm256_set1_ps(row(i)[k]);                                         \
      acc[i][0] = MULTIPLY_ADD(x, low, acc[i][0]);                                  \
      acc[i][1] = MULTIPLY_ADD(x, high, acc[i][1]);                                 \
    }                                                                               \
  } while (0)
#define GEMM_INPUT float
#define GEMM_STORE(y, x) _mm256_storeu_ps(y, x)
#define GEMM_STEP 1

#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define GEMM_APPLY(x, f) apus_fast_apply_avx2(x, f)
#define GEMM_APPLY_ROUGH(x, f) apus_fast_rough_avx2(x, f)
#define GEMM(name) name##_f32_avx2
#include "generic.h"
#undef GEMM
#undef MULTIPLY_ADD
#undef GEMM_APPLY
#undef GEMM_APPLY_ROUGH

#define MULTIPLY_ADD(a, b, c) _mm256_add_ps(c, _mm256_mul_ps(a, b))
#define GEMM_APPLY(x, f) apus_apply_avx2(x, f)
#define GEMM_APPLY_ROUGH(x, f) apus_apply_avx2(x, f)
#define GEMM(name) name##_exact_avx2
#include "generic.h"
#undef GEMM
#undef GEMM_APPLY
#undef GEMM_APPLY_ROUGH
#undef GEMM_INPUT
#undef GEMM_STORE
#undef GEMM_STEP
#undef GEMM_MULTIPLY

// bfloat16: the even elements of a pair in one pass over the rows, the odd ones in another, so
// that only two registers hold B at a time.
static inline __attribute__((always_inline)) __m256 low_half(__m256i pairs) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}
static inline __attribute__((always_inline)) __m256 high_half(__m256i pairs) {
  return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000)));
}
static inline __attribute__((always_inline)) __m256 broadcast_even(const uint16_t *a) {
  return _mm256_castsi256_ps(_mm256_set1_epi32((int)((uint32_t)*a << 16)));
}
static inline __attribute__((always_inline)) __m256 broadcast_odd(const uint16_t *a) {
  int32_t pair;
  __builtin_memcpy(&pair, a, sizeof pair);
  return high_half(_mm256_set1_epi32(pair));
}
#define GEMM_MULTIPLY(acc, row, k, b, stride, rows, panels, half)                   \
  do {                                                                              \
    __m256i first = _mm256_loadu_si256((const __m256i *)(b));                       \
    __m256i second = _mm256_loadu_si256((const __m256i *)((b) + 16));               \
    __m256 low = low_half(first), high = low_half(second);                          \
    UNROLL for (int i = 0; i < (rows); i++) {                                       \
      __m256 x = broadcast_even(row(i) + (k));                                      \
      acc[i][0] = _mm256_fmadd_ps(x, low, acc[i][0]);                               \
      acc[i][1] = _mm256_fmadd_ps(x, high, acc[i][1]);                              \
    }                                                                               \
    low = high_half(first), high = high_half(second);                               \
    UNROLL for (int i = 0; i < (rows); i++) {                                       \
      __m256 x = broadcast_odd(row(i) + (k));                                       \
      acc[i][0] = _mm256_fmadd_ps(x, low, acc[i][0]);                               \
      acc[i][1] = _mm256_fmadd_ps(x, high, acc[i][1]);                              \
    }                                                                               \
  } while (0)
#define GEMM_APPLY(x, f) apus_fast_apply_avx2(x, f)
#define GEMM_APPLY_ROUGH(x, f) apus_fast_rough_avx2(x, f)
#define GEMM(name) name##_bf16_avx2
#define GEMM_INPUT uint16_t
#define GEMM_STORE(y, x) store_bfloat16(y, x, 8)
#define GEMM_STEP 2
#include "generic.h"

void apus_round_bfloat16_avx2(const float *src, uint16_t *dst, size_t count) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) store_bfloat16(dst + i, _mm256_loadu_ps(src + i), 8);
  if (i < count) store_bfloat16(dst + i, LOAD_SOME(src + i, count - i), count - i);
}

#pragma clang attribute pop
#endif
