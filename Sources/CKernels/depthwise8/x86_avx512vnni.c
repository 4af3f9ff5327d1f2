// 8-bit depthwise convolution, AVX-512 with VNNI: 64 channels at a time, and the last 32 or fewer
// in vectors of half the size.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma"))), \
    apply_to = function)

#include <immintrin.h>

#include "../math/math_avx2.h"
#include "../quantized/curve_avx2.h"
#include "../math/math_avx512.h"
#include "../quantized/curve_avx512.h"
#include "depthwise8.h"

static inline __attribute__((always_inline)) void curve_vectors(
    const struct apus_curve_avx512 *held, const struct apus_curve_columns_avx512 *columns,
    __m512i *t, const int ramp) {
  for (int h = 0; h < 2; h++) t[h] = apus_curve_avx512(held, columns + h, t[h], ramp);
}

#define NAME(name) name##_zmm
#define OP(name) _mm512_##name
#define LANES 4
#define HELD 3
#define BYTES __m512i
#define FLOATS __m512
#define MATH(name) apus_##name##_avx512
#define LOAD(p) _mm512_loadu_si512(p)
#define COMBINE(a, b, c, d)                                                                  \
  _mm512_inserti64x4(                                                                        \
      _mm512_castsi256_si512(_mm256_set_m128i(b, a)), _mm256_set_m128i(d, c), 1)
#define DOT(sum, x, w) _mm512_dpbusd_epi32(sum, x, w)
#define STORE(p, v, n) \
  _mm512_mask_storeu_epi8(p, (n) >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (n)) - 1, v)
#define CURVE_COLUMNS apus_curve_columns_avx512
#define CURVE_HELD struct apus_curve_avx512
#define HOLD(curve) apus_hold_curve_avx512(curve)
#define CURVE(held, columns, t, ramp) curve_vectors(&held, columns, t, ramp)
#include "generic.h"

#undef NAME
#undef OP
#undef LANES
#undef HELD
#undef BYTES
#undef FLOATS
#undef MATH
#undef LOAD
#undef COMBINE
#undef DOT
#undef STORE
#undef CURVE
#undef CURVE_HELD
#undef HOLD
#undef CURVE_COLUMNS

static inline __attribute__((always_inline)) __m512i joined(__m256i low, __m256i high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// Both vectors at once.
static inline __attribute__((always_inline)) void curve_pair(
    const struct apus_curve_avx512 *held, const struct apus_curve_columns_avx2 *columns,
    __m256i *t, const int ramp) {
  const struct apus_curve_columns_avx512 own = {
      joined(columns[0].ratio, columns[1].ratio), joined(columns[0].level, columns[1].level),
      joined(columns[0].reach, columns[1].reach), joined(columns[0].lift, columns[1].lift),
      joined(columns[0].near, columns[1].near)};
  const __m512i both = apus_curve_avx512(held, &own, joined(t[0], t[1]), ramp);
  t[0] = _mm512_castsi512_si256(both);
  t[1] = _mm512_extracti64x4_epi64(both, 1);
}

#define NAME(name) name##_ymm
#define DOT(sum, x, w) _mm256_dpbusd_epi32(sum, x, w)
#include "ymm_avx2.h"
#undef CURVE
#undef CURVE_HELD
#undef HOLD
#define CURVE_HELD struct apus_curve_avx512
#define HOLD(curve) apus_hold_curve_avx512(curve)
#define CURVE(held, columns, t, ramp) curve_pair(&held, columns, t, ramp)
#undef STORE
#define STORE(p, v, n) \
  _mm256_mask_storeu_epi8(p, (n) >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << (n)) - 1, v)
#include "generic.h"

// How many lines of output to compute at a time, so that the next block of channels finds their
// input in a cache.
static ptrdiff_t lines_together(const struct apus_depthwise8 *d) {
  const ptrdiff_t input = d->stride_y * d->width * d->x_pixel;
  const ptrdiff_t lines = 262144 / (input + 1) / 2 * 2;
  return lines < 8 ? 8 : lines;
}

void apus_depthwise8_avx512vnni(const struct apus_depthwise8 *d) {
  const ptrdiff_t end = d->first_line + d->line_count;
  struct apus_depthwise8 some = *d;
  const ptrdiff_t most = d->channels > 64 ? lines_together(d) : d->line_count;
  for (; some.first_line < end; some.first_line += some.line_count) {
    some.line_count = end - some.first_line < most ? end - some.first_line : most;
    for (ptrdiff_t c = 0; c < d->channels; c += 64) {
      const ptrdiff_t n = d->channels - c < 64 ? d->channels - c : 64;
      if (n > 32) block_zmm(&some, c, n);
      else block_ymm(&some, c, n);
    }
  }
}

#pragma clang attribute pop
#endif
