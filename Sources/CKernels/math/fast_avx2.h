// Functions of 8 floats at a time for float programs, AVX2 and FMA: `apus_fast_<name>_avx2`, see
// fast.h. Include it inside the file's `#pragma clang attribute push` of that target.
#ifndef APUS_FAST_AVX2_H
#define APUS_FAST_AVX2_H

#include <immintrin.h>

#include "math_avx2.h"

static inline __attribute__((always_inline, unused)) __m256 apus_fast_inverse_avx2(__m256 x) {
  const __m256 y = _mm256_rcp_ps(x);
  const __m256 error = _mm256_fnmadd_ps(x, y, _mm256_set1_ps(1.0f));
  return _mm256_fmadd_ps(y, error, y);
}

// The exponent is added to.
static inline __attribute__((always_inline, unused)) __m256 apus_fast_scaled_avx2(
    __m256 x, __m256 n) {
  const __m256i bits = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), bits));
}

// 2^r by a cubic, r in [0, 1).
static inline __attribute__((always_inline, unused)) __m256 apus_fast_rough_exp2_avx2(__m256 x) {
  x = _mm256_min_ps(_mm256_set1_ps(125.0f), _mm256_max_ps(_mm256_set1_ps(-125.0f), x));
  const __m256 n = _mm256_floor_ps(x), r = _mm256_sub_ps(x, n);
  __m256 p = _mm256_fmadd_ps(r, _mm256_set1_ps(0.0780245215f), _mm256_set1_ps(0.226067171f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.695833504f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.999925196f));
  return apus_fast_scaled_avx2(p, n);
}

#define APUS_MATH(name) apus_##name##_avx2
#define FAST(name) apus_fast_##name##_avx2
#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define LESSER(a, b) _mm256_min_ps(a, b)
#define GREATER(a, b) _mm256_max_ps(a, b)
#define WHOLE(x) _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define SCALED(x, n) apus_fast_scaled_avx2(x, n)
#define INVERSE(x) apus_fast_inverse_avx2(x)
#define ROUGH_INVERSE(x) _mm256_rcp_ps(x)
#define ROUGH_EXP2(x) apus_fast_rough_exp2_avx2(x)
#include "fast.h"

#endif
