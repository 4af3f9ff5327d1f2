// What the AVX-512 depthwise convolutions share. Included inside the file's target attribute.
#include <immintrin.h>

#include "../math/fast_avx512.h"
#include "depthwise.h"
#include "gemm.h"

#define MATH(name) apus_##name##_avx512
#define UNROLL _Pragma("clang loop unroll(full)")
#define LESSER(a, b) _mm512_min_ps(a, b)
#define GREATER(a, b) _mm512_max_ps(a, b)

static inline __attribute__((always_inline)) __m512 load(
    const void *x, ptrdiff_t at, uint32_t type, __mmask16 lanes) {
  if (type == APUS_FLOAT32) return _mm512_maskz_loadu_ps(lanes, (const float *)x + at);
  __m256i half = _mm256_maskz_loadu_epi16(lanes, (const uint16_t *)x + at);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

static inline __attribute__((always_inline)) void store(
    void *y, ptrdiff_t at, uint32_t type, __m512 x, ptrdiff_t count) {
  const __mmask16 lanes = count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1);
  if (type == APUS_FLOAT32) {
    _mm512_mask_storeu_ps((float *)y + at, lanes, x);
  } else {
    _mm256_mask_storeu_epi16((uint16_t *)y + at, lanes, NARROW(x));
  }
}

#define LOAD(x, at, type) load(x, at, type, 0xffff)
#define LOAD_IF(x, at, type, seen) load(x, at, type, seen)
#define STORE(y, at, type, x, count) store(y, at, type, x, count)

// 14 sums and, for 3×3, all 9 weights stay in registers.
#define DEPTHWISE_ROWS 2
#define DEPTHWISE_COLUMNS 7
