// What generic.h asks for, with vectors of 32 bytes and AVX2.
#include "../quantized/curve_avx2.h"

#define OP(name) _mm256_##name
#define LANES 2
#define HELD 3
#define BYTES __m256i
#define FLOATS __m256
#define MATH(name) apus_##name##_avx2
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define COMBINE(a, b, c, d) ((void)(c), (void)(d), _mm256_set_m128i(b, a))
#define STORE(p, v, n) store_bytes(p, v, n)
#define CURVE(curve, t) curve_words(curve, t)

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

// Too long to stand in every loop.
static __attribute__((noinline, unused)) void curve_words(
    const struct apus_curve *curve, __m256i *t) {
  apus_curve_avx2(curve, t);
}
