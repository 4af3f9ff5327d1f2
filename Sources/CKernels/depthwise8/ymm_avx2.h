// What generic.h asks for, with vectors of 32 bytes and AVX2.
#include "../quantized/curve_avx2.h"

// Its tables stay in memory.
#ifndef APUS_HELD_CURVE
#define APUS_HELD_CURVE
struct held_curve {
  const struct apus_curve *curve;
};
#endif

#define OP(name) _mm256_##name
#define LANES 2
#define HELD 3
#define BYTES __m256i
#define FLOATS __m256
#define MATH(name) apus_##name##_avx2
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define COMBINE(a, b, c, d) ((void)(c), (void)(d), _mm256_set_m128i(b, a))
#define STORE(p, v, n) store_bytes(p, v, n)
#define CURVE_COLUMNS apus_curve_columns_avx2
#define CURVE_HELD struct held_curve
#define HOLD(curve) ((struct held_curve){curve})
#define CURVE(held, columns, t, ramp) curve_words((held).curve, columns, t, ramp)

static inline __attribute__((always_inline)) void store_bytes(
    uint8_t *p, __m256i v, ptrdiff_t n) {
  if (n >= 32) {
    _mm256_storeu_si256((__m256i *)p, v);
  } else {
    uint8_t some[32];
    _mm256_storeu_si256((__m256i *)some, v);
    for (ptrdiff_t i = 0; i < n; i++) p[i] = some[i];
  }
}

static inline __attribute__((always_inline, unused)) void curve_words(
    const struct apus_curve *curve, const struct apus_curve_columns_avx2 *columns, __m256i *t,
    const int ramp) {
  const struct apus_curve_columns_avx2 *const both[2] = {columns, columns + 1};
  apus_curve_avx2(curve, both, t, ramp);
}
