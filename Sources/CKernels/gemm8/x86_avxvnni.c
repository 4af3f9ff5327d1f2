// The 8-bit matrix product, AVX-VNNI.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,avxvnni"))), apply_to = function)

#include <immintrin.h>

// 12 sums, two of B, one of A: 15 of 16 registers.
#define GEMM8(name) name##_avxvnni
#define GEMM8_ROW_LIMIT 6
#define GEMM8_TILES TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)

#define GEMM8_MULTIPLY(acc, row, k, b, step, rows, panels)                  \
  do {                                                                      \
    const __m256i first = _mm256_loadu_si256((const __m256i *)(b));         \
    const __m256i second = _mm256_loadu_si256((const __m256i *)((b) + 32)); \
    UNROLL for (int i = 0; i < (rows); i++) {                               \
      int32_t four;                                                         \
      __builtin_memcpy(&four, row(i) + (k), sizeof four);                   \
      const __m256i x = _mm256_set1_epi32(four);                            \
      acc[i][0] = _mm256_dpbusd_avx_epi32(acc[i][0], x, first);             \
      acc[i][1] = _mm256_dpbusd_avx_epi32(acc[i][1], x, second);            \
    }                                                                       \
  } while (0)

#include "x86_avx2.h"

#pragma clang attribute pop
#endif
