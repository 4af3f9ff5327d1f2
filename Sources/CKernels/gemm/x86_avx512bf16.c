// The matrix product in bfloat16, AVX-512-BF16.
#if defined(__x86_64__)
#pragma clang attribute push(                                                 \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma"))), \
    apply_to = function)

#include "x86_avx512.h"

static inline __attribute__((always_inline)) void store_bfloat16(
    uint16_t *y, __m512 x, size_t count) {
  __m256i bits = (__m256i)_mm512_cvtneps_pbh(x);
  if (count >= 16) {
    _mm256_storeu_si256((__m256i *)y, bits);
  } else {
    _mm256_mask_storeu_epi16(y, first_lanes(count), bits);
  }
}
#define STORE_BFLOAT16(y, x, count) store_bfloat16(y, x, count)

static inline __attribute__((always_inline)) __m512bh broadcast_pair(const uint16_t *a) {
  int32_t pair;
  __builtin_memcpy(&pair, a, sizeof pair);
  return (__m512bh)_mm512_set1_epi32(pair);
}

static inline __attribute__((always_inline)) __m512 multiply_add_half(
    __m512 c, __m512bh a, __m512bh b) {
  return _mm512_castps256_ps512(_mm256_dpbf16_ps(
      _mm512_castps512_ps256(c), (__m256bh)_mm512_castsi512_si256((__m512i)a),
      (__m256bh)_mm512_castsi512_si256((__m512i)b)));
}

#define GEMM_HALVES 1
#define GEMM_MULTIPLY(acc, row, k, b, stride, rows, panels, half)                   \
  do {                                                                              \
    __m512bh column[GEMM_MAX_PANELS];                                               \
    UNROLL for (int j = 0; j < (panels); j++) {                                     \
      column[j] = (__m512bh)_mm512_loadu_si512((b) + (size_t)j * (stride));         \
    }                                                                               \
    UNROLL for (int i = 0; i < (rows); i++) {                                       \
      __m512bh x = broadcast_pair(row(i) + (k));                                    \
      UNROLL for (int j = 0; j < (panels); j++) {                                   \
        acc[i][j] = (half) && j == (panels) - 1                                     \
                        ? multiply_add_half(acc[i][j], column[j], x)                \
                        : _mm512_dpbf16_ps(acc[i][j], column[j], x);                \
      }                                                                             \
    }                                                                               \
  } while (0)
#define GEMM_APPLY(x, f) apus_fast_apply_avx512(x, f)
#define GEMM_APPLY_ROUGH(x, f) apus_fast_rough_avx512(x, f)
#define GEMM_STORE_TWO(y, a, b) \
  _mm512_storeu_si512(y, (__m512i)_mm512_cvtne2ps_pbh(b, a))
#define GEMM(name) name##_bf16_avx512bf16
#define GEMM_INPUT uint16_t
#define GEMM_STORE(y, x) store_bfloat16(y, x, 16)
#define GEMM_STEP 2
#include "generic.h"

void apus_round_bfloat16_avx512bf16(const float *src, uint16_t *dst, size_t count) {
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    GEMM_STORE_TWO(dst + i, _mm512_loadu_ps(src + i), _mm512_loadu_ps(src + i + 16));
  }
  for (; i < count; i += 16) {
    store_bfloat16(dst + i, LOAD_SOME(src + i, count - i), count - i);
  }
}

#pragma clang attribute pop
#endif
