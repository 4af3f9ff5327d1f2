// The curve store of quantized.h on 32 elements, AVX-512. Include it inside the file's
// `#pragma clang attribute push` of that target.
#ifndef APUS_CURVE_AVX512_H
#define APUS_CURVE_AVX512_H

#include <immintrin.h>

#include "quantized.h"

// The function's tables, held in registers.
struct apus_curve_avx512 {
  __m512i value[2], slope[2], bend[2];
};

static inline __attribute__((always_inline)) struct apus_curve_avx512 apus_hold_curve_avx512(
    const struct apus_curve *c) {
  struct apus_curve_avx512 held;
  _Pragma("clang loop unroll(full)") for (int h = 0; h < 2; h++) {
    held.value[h] = _mm512_load_si512(c->value + 32 * h);
    held.slope[h] = _mm512_load_si512(c->slope + 32 * h);
    held.bend[h] = _mm512_load_si512(c->bend + 32 * h);
    // Loading them anew for each use would cost more than the arithmetic.
    __asm__("" : "+v"(held.value[h]), "+v"(held.slope[h]), "+v"(held.bend[h]));
  }
  return held;
}

// t -> f
static inline __attribute__((always_inline)) __m512i apus_curve_avx512(
    const struct apus_curve_avx512 *c, __m512i t) {
  const __m512i i = _mm512_srai_epi16(t, 10);
  const __m512i r =
      _mm512_xor_si512(_mm512_slli_epi16(t, 6), _mm512_set1_epi16((int16_t)0x8000));
  const __m512i bend = _mm512_permutex2var_epi16(c->bend[0], i, c->bend[1]);
  const __m512i slope = _mm512_permutex2var_epi16(c->slope[0], i, c->slope[1]);
  const __m512i value = _mm512_permutex2var_epi16(c->value[0], i, c->value[1]);
  const __m512i p = _mm512_add_epi16(slope, _mm512_mulhrs_epi16(r, bend));
  return _mm512_add_epi16(value, _mm512_mulhrs_epi16(r, p));
}

// f -> g, without a residual, before it is shifted.
static inline __attribute__((always_inline)) __m512i apus_curve_scaled_avx512(
    __m512i f, __m512i ratio, __m512i level) {
  return _mm512_adds_epi16(_mm512_mulhrs_epi16(f, ratio), level);
}

#endif
