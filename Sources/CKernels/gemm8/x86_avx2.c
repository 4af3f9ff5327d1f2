// The 8-bit matrix product, AVX2: bytes are widened to 16 bits and multiplied in pairs, which is
// exact (multiplying the bytes themselves would saturate).
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#include <immintrin.h>

// 8 sums, four of B, two of A: 14 of 16 registers.
#define GEMM8(name) name##_avx2
#define GEMM8_ROW_LIMIT 4
#define GEMM8_TILES TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1)

// Elements 0 and 2 of every four, as 16 bits; elements 1 and 3.
static inline __attribute__((always_inline)) __m256i even_signed(__m256i x) {
  return _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8);
}
static inline __attribute__((always_inline)) __m256i odd_signed(__m256i x) {
  return _mm256_srai_epi16(x, 8);
}

#define GEMM8_MULTIPLY(acc, row, k, b, step, rows, panels)                                \
  do {                                                                                    \
    const __m256i first = _mm256_loadu_si256((const __m256i *)(b));                       \
    const __m256i second = _mm256_loadu_si256((const __m256i *)((b) + 32));               \
    const __m256i even[2] = {even_signed(first), even_signed(second)};                    \
    const __m256i odd[2] = {odd_signed(first), odd_signed(second)};                       \
    UNROLL for (int i = 0; i < (rows); i++) {                                             \
      int32_t four;                                                                       \
      __builtin_memcpy(&four, row(i) + (k), sizeof four);                                 \
      const __m256i x = _mm256_set1_epi32(four);                                          \
      const __m256i x0 = _mm256_and_si256(x, _mm256_set1_epi16(0xff));                    \
      const __m256i x1 = _mm256_srli_epi16(x, 8);                                         \
      UNROLL for (int j = 0; j < 2; j++) {                                                \
        acc[i][j] = _mm256_add_epi32(acc[i][j], _mm256_madd_epi16(x0, even[j]));          \
        acc[i][j] = _mm256_add_epi32(acc[i][j], _mm256_madd_epi16(x1, odd[j]));           \
      }                                                                                   \
    }                                                                                     \
  } while (0)

#include "x86_avx2.h"

#pragma clang attribute pop
#endif
