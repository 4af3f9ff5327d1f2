// What the AVX-512 matrix products share: stores, loads and tile shapes. Included inside the
// file's target attribute.
#include <immintrin.h>

#include "../math/fast_avx512.h"
#include "gemm.h"

#define MATH(name) apus_##name##_avx512
#define LESSER(a, b) _mm512_min_ps(a, b)
#define GREATER(a, b) _mm512_max_ps(a, b)
#define UNROLL _Pragma("clang loop unroll(full)")

static inline __mmask16 first_lanes(size_t count) {
  return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1);
}

static inline __attribute__((always_inline)) __m512 widen_lanes(__m256i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

#define STORE_SOME(y, x, count) _mm512_mask_storeu_ps(y, first_lanes(count), x)
#define LOAD_SOME(x, count) _mm512_maskz_loadu_ps(first_lanes(count), x)
#define LOAD_BFLOAT16(x, count) widen_lanes(_mm256_maskz_loadu_epi16(first_lanes(count), x))

// Up to 29 of 32 registers: 16 to 24 sums, up to 4 of B, one of A. With a row more of 2 or 3 panels
// the compiler spills sums.
#define GEMM_ROW_LIMIT 16
#define GEMM_MAX_PANELS 4
#define GEMM_MAX_ROWS(n) ((n) == 4 ? 6 : (n) == 3 ? 7 : (n) == 2 ? 11 : 16)
#define GEMM_TILES                                                                \
  TILE(1, 4) TILE(2, 4) TILE(3, 4) TILE(4, 4) TILE(5, 4) TILE(6, 4)               \
  TILE(1, 3) TILE(2, 3) TILE(3, 3) TILE(4, 3) TILE(5, 3) TILE(6, 3) TILE(7, 3)    \
  TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2) TILE(7, 2)    \
  TILE(8, 2) TILE(9, 2) TILE(10, 2) TILE(11, 2)                                   \
  TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1) TILE(7, 1)    \
  TILE(8, 1) TILE(9, 1) TILE(10, 1) TILE(11, 1) TILE(12, 1) TILE(13, 1) TILE(14, 1) \
  TILE(15, 1) TILE(16, 1)
