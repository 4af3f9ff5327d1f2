// Functions of 16 floats at a time for float programs, AVX-512: `apus_fast_<name>_avx512`, see
// fast.h. Include it inside the file's `#pragma clang attribute push` of that target.
#ifndef APUS_FAST_AVX512_H
#define APUS_FAST_AVX512_H

#include <immintrin.h>

#include "gelu_avx512.h"
#include "math_avx512.h"

static inline __attribute__((always_inline, unused)) __m512 apus_fast_inverse_avx512(__m512 x) {
  const __m512 y = _mm512_rcp14_ps(x);
  const __m512 error = _mm512_fnmadd_ps(x, y, _mm512_set1_ps(1.0f));
  return _mm512_fmadd_ps(y, error, y);
}

// 2^r by a cubic, r in [0, 1); vscalefps takes the whole part itself, infinities included.
static inline __attribute__((always_inline, unused)) __m512 apus_fast_rough_exp2_avx512(__m512 x) {
  const __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 p = _mm512_fmadd_ps(r, _mm512_set1_ps(0.0780245215f), _mm512_set1_ps(0.226067171f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.695833504f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.999925196f));
  return _mm512_scalef_ps(p, x);
}

#define APUS_MATH(name) apus_##name##_avx512
#define FAST(name) apus_fast_##name##_avx512
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define LESSER(a, b) _mm512_min_ps(a, b)
#define GREATER(a, b) _mm512_max_ps(a, b)
#define WHOLE(x) _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define SCALED(x, n) _mm512_scalef_ps(x, n)
#define INVERSE(x) apus_fast_inverse_avx512(x)
#define ROUGH_INVERSE(x) _mm512_rcp14_ps(x)
#define ROUGH_EXP2(x) apus_fast_rough_exp2_avx512(x)
#define GELU(x) apus_fast_gelu_by_avx512(x, apus_normal_avx512, 4, 3.0f)
#define GELU_TANH(x) apus_fast_gelu_by_avx512(x, apus_logistic_avx512, 4, 3.0f)
#define ROUGH_GELU(x) apus_fast_gelu_by_avx512(x, apus_normal_rough_avx512, 3, 1.0f / 0.35f)
#define ROUGH_GELU_TANH(x) \
  apus_fast_gelu_by_avx512(x, apus_logistic_rough_avx512, 3, 1.0f / 0.35f)
#include "fast.h"

#endif
