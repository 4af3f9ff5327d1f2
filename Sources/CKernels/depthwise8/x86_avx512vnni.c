// 8-bit depthwise convolution, AVX-512 with VNNI: 64 channels at a time, and the last 32 or fewer
// in vectors of half the size.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma"))), \
    apply_to = function)

#include <immintrin.h>

#include "../math/math_avx2.h"
#include "../math/math_avx512.h"
#include "../quantized/curve_avx512.h"
#include "depthwise8.h"

static inline __attribute__((always_inline)) void curve_vectors(
    const struct apus_curve *curve, __m512i *t) {
  const struct apus_curve_avx512 held = apus_hold_curve_avx512(curve);
  for (int h = 0; h < 2; h++) t[h] = apus_curve_avx512(&held, t[h]);
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
#define CURVE(curve, t) curve_vectors(curve, t)
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

// Both vectors at once.
static inline __attribute__((always_inline)) void curve_pair(
    const struct apus_curve *curve, __m256i *t) {
  const struct apus_curve_avx512 held = apus_hold_curve_avx512(curve);
  const __m512i both = apus_curve_avx512(
      &held, _mm512_inserti64x4(_mm512_castsi256_si512(t[0]), t[1], 1));
  t[0] = _mm512_castsi512_si256(both);
  t[1] = _mm512_extracti64x4_epi64(both, 1);
}

#define NAME(name) name##_ymm
#define DOT(sum, x, w) _mm256_dpbusd_epi32(sum, x, w)
#include "ymm_avx2.h"
#undef CURVE
#define CURVE(curve, t) curve_pair(curve, t)
#undef STORE
#define STORE(p, v, n) \
  _mm256_mask_storeu_epi8(p, (n) >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << (n)) - 1, v)
#include "generic.h"

void apus_depthwise8_avx512vnni(const struct apus_depthwise8 *d) {
  for (ptrdiff_t c = 0; c < d->channels; c += 64) {
    const ptrdiff_t n = d->channels - c < 64 ? d->channels - c : 64;
    if (n > 32) block_zmm(d, c, n);
    else block_ymm(d, c, n);
  }
}

#pragma clang attribute pop
#endif
