// Depthwise convolution, AVX-512.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma"))), apply_to = function)

#include <immintrin.h>

#include "../math/math_avx512.h"
#include "depthwise.h"
#include "gemm.h"

#define MATH(name) apus_##name##_avx512
#define UNROLL _Pragma("clang loop unroll(full)")

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
    __m512i bits = (__m512i)apus_bfloat16_avx512(x);
    _mm256_mask_storeu_epi16((uint16_t *)y + at, lanes, _mm512_cvtepi32_epi16(bits));
  }
}

#define LOAD(x, at, type) load(x, at, type, 0xffff)
#define LOAD_IF(x, at, type, condition) load(x, at, type, (condition) ? 0xffff : 0)
#define STORE(y, at, type, x, count) store(y, at, type, x, count)

#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define DEPTHWISE(name) name##_avx512
#include "generic.h"
#undef DEPTHWISE
#undef MULTIPLY_ADD

#define MULTIPLY_ADD(a, b, c) _mm512_add_ps(c, _mm512_mul_ps(a, b))
#define DEPTHWISE(name) name##_exact_avx512
#include "generic.h"

#pragma clang attribute pop
#endif
