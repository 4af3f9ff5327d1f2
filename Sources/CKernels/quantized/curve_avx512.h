// The curve and ramp stores of quantized.h on 32 elements, AVX-512. Include it inside the file's
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

// The parabola of index i at r ^ 0x8000.
static inline __attribute__((always_inline)) __m512i apus_parabola_avx512(
    const struct apus_curve_avx512 *c, __m512i i, __m512i r) {
  r = _mm512_xor_si512(r, _mm512_set1_epi16((int16_t)0x8000));
  const __m512i bend = _mm512_permutex2var_epi16(c->bend[0], i, c->bend[1]);
  const __m512i slope = _mm512_permutex2var_epi16(c->slope[0], i, c->slope[1]);
  const __m512i value = _mm512_permutex2var_epi16(c->value[0], i, c->value[1]);
  const __m512i p = _mm512_add_epi16(slope, _mm512_mulhrs_epi16(r, bend));
  return _mm512_add_epi16(value, _mm512_mulhrs_epi16(r, p));
}

// What belongs to the columns, in the order of the elements.
struct apus_curve_columns_avx512 {
  __m512i ratio, level, reach, lift, near;
};

// t -> g, without a residual; `ramp` is a constant.
static inline __attribute__((always_inline)) __m512i apus_curve_avx512(
    const struct apus_curve_avx512 *c, const struct apus_curve_columns_avx512 *columns, __m512i t,
    const int ramp) {
  if (!ramp) {
    const __m512i f =
        apus_parabola_avx512(c, _mm512_srai_epi16(t, 10), _mm512_slli_epi16(t, 6));
    return _mm512_adds_epi16(_mm512_mulhrs_epi16(f, columns->ratio), columns->level);
  }
  const __m512i size = _mm512_min_epu16(_mm512_abs_epi16(t), columns->reach);
  const __m512i u = _mm512_mulhi_epu16(_mm512_mullo_epi16(size, columns->lift), columns->near);
  const __m512i f = apus_parabola_avx512(c, _mm512_srli_epi16(u, 9), _mm512_slli_epi16(u, 7));
  const __m512i g = _mm512_adds_epi16(
      _mm512_max_epi16(t, _mm512_setzero_si512()), _mm512_mulhrs_epi16(f, columns->ratio));
  return _mm512_adds_epi16(g, columns->level);
}

#endif
