// The matrix product in float32 and in bfloat16 (by widening), AVX-512.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma"))), apply_to = function)

#include "x86_avx512.h"

static inline __attribute__((always_inline)) void store_bfloat16(
    uint16_t *y, __m512 x, size_t count) {
  __m512i bits = (__m512i)apus_bfloat16_avx512(x);
  _mm256_mask_storeu_epi16(y, first_lanes(count), _mm512_cvtepi32_epi16(bits));
}
#define STORE_BFLOAT16(y, x, count) store_bfloat16(y, x, count)

// float32: one element of K per step.
#define GEMM_MULTIPLY(acc, row, k, b, stride, rows, panels, half)                   \
  do {                                                                              \
    __m512 column[GEMM_MAX_PANELS];                                                 \
    UNROLL for (int j = 0; j < (panels); j++) {                                     \
      column[j] = _mm512_loadu_ps((b) + (size_t)j * (stride));                      \
    }                                                                               \
    UNROLL for (int i = 0; i < (rows); i++) {                                       \
      __m512 x = _mm512_set1_ps(row(i)[k]);                                         \
      UNROLL for (int j = 0; j < (panels); j++) {                                   \
        acc[i][j] = (half) && j == (panels) - 1                                     \
                        ? MULTIPLY_ADD_HALF(x, column[j], acc[i][j])                \
                        : MULTIPLY_ADD(x, column[j], acc[i][j]);                    \
      }                                                                             \
    }                                                                               \
  } while (0)
#define GEMM_INPUT float
#define GEMM_STORE(y, x) _mm512_storeu_ps(y, x)
#define GEMM_STEP 1

static inline __attribute__((always_inline)) __m512 multiply_add_half(
    __m512 a, __m512 b, __m512 c) {
  return _mm512_castps256_ps512(_mm256_fmadd_ps(
      _mm512_castps512_ps256(a), _mm512_castps512_ps256(b), _mm512_castps512_ps256(c)));
}
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define MULTIPLY_ADD_HALF(a, b, c) multiply_add_half(a, b, c)
#define GEMM_HALVES 1
#define GEMM_APPLY(x, f) apus_fast_apply_avx512(x, f)
#define GEMM_APPLY_ROUGH(x, f) apus_fast_rough_avx512(x, f)
#define GEMM(name) name##_f32_avx512
#include "generic.h"
#undef GEMM
#undef MULTIPLY_ADD
#undef MULTIPLY_ADD_HALF
#undef GEMM_HALVES
#undef GEMM_APPLY
#undef GEMM_APPLY_ROUGH

#define GEMM_HALVES 0
#define MULTIPLY_ADD_HALF(a, b, c) MULTIPLY_ADD(a, b, c)
#define MULTIPLY_ADD(a, b, c) _mm512_add_ps(c, _mm512_mul_ps(a, b))
#define GEMM_APPLY(x, f) apus_apply_avx512(x, f)
#define GEMM_APPLY_ROUGH(x, f) apus_apply_avx512(x, f)
#define GEMM(name) name##_exact_avx512
#include "generic.h"
#undef GEMM
#undef GEMM_APPLY
#undef GEMM_APPLY_ROUGH
#undef GEMM_INPUT
#undef GEMM_STORE
#undef GEMM_STEP
#undef GEMM_MULTIPLY

// bfloat16: a pair per step, each element widened by its place in the float32.
static inline __attribute__((always_inline)) __m512 low_half(__m512i pairs) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
}
static inline __attribute__((always_inline)) __m512 high_half(__m512i pairs) {
  return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000)));
}
static inline __attribute__((always_inline)) __m512i broadcast_pair(const uint16_t *a) {
  int32_t pair;
  __builtin_memcpy(&pair, a, sizeof pair);
  return _mm512_set1_epi32(pair);
}
#define GEMM_MULTIPLY(acc, row, k, b, stride, rows, panels, half)                   \
  do {                                                                              \
    __m512 even[GEMM_MAX_PANELS], odd[GEMM_MAX_PANELS];                             \
    UNROLL for (int j = 0; j < (panels); j++) {                                     \
      __m512i pairs = _mm512_loadu_si512((b) + (size_t)j * (stride));               \
      even[j] = low_half(pairs);                                                    \
      odd[j] = high_half(pairs);                                                    \
    }                                                                               \
    UNROLL for (int i = 0; i < (rows); i++) {                                       \
      __m512i pairs = broadcast_pair(row(i) + (k));                                 \
      __m512 x = low_half(pairs), z = high_half(pairs);                             \
      UNROLL for (int j = 0; j < (panels); j++) {                                   \
        acc[i][j] = _mm512_fmadd_ps(x, even[j], acc[i][j]);                         \
        acc[i][j] = _mm512_fmadd_ps(z, odd[j], acc[i][j]);                          \
      }                                                                             \
    }                                                                               \
  } while (0)
#define GEMM_APPLY(x, f) apus_fast_apply_avx512(x, f)
#define GEMM_APPLY_ROUGH(x, f) apus_fast_rough_avx512(x, f)
#define GEMM(name) name##_bf16_avx512
#define GEMM_INPUT uint16_t
#define GEMM_STORE(y, x) store_bfloat16(y, x, 16)
#define GEMM_STEP 2
#include "generic.h"

#pragma clang attribute pop
#endif
