// What the AVX-512 softmax kernels share. Included inside the file's target attribute.
#include "../math/lanes_avx512.h"
#define BYTES "../math/bytes_avx512.h"

// 64 numbers times `factor` become bytes: what lies beyond 16 bits lies beyond 8.
INLINE void shares_64_bytes(uint8_t *y, const float *x, V factor, int32_t zero) {
  const __m512i order =
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i shift = _mm512_set1_epi16((int16_t)zero);
  __m512i q[4];
  _Pragma("clang loop unroll(full)") for (int k = 0; k < 4; k++) {
    q[k] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_load_ps(x + 16 * k), factor));
  }
  const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(q[0], q[1]), shift);
  const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(q[2], q[3]), shift);
  const __m512i all = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
  _mm512_storeu_si512((void *)y, all);
}

#ifdef NARROW_TWO
// 64 numbers times `factor` become bfloat16.
INLINE void shares_64_bfloat16(uint16_t *y, const float *x, V factor) {
  for (int k = 0; k < 64; k += 32) {
    const V low = _mm512_mul_ps(_mm512_load_ps(x + k), factor);
    const V high = _mm512_mul_ps(_mm512_load_ps(x + k + 16), factor);
    _mm512_storeu_si512((void *)(y + k), NARROW_TWO(low, high));
  }
}
#else
// 64 numbers times `factor`, none a NaN, become bfloat16.
INLINE void shares_64_bfloat16(uint16_t *y, const float *x, V factor) {
  const __m512i below = _mm512_set1_epi32(0x7fff), one = _mm512_set1_epi32(1);
  // The upper halves of one vector, then of the other.
  const __m512i order = _mm512_or_si512(
      _mm512_set1_epi32(0x00030001),
      _mm512_mullo_epi32(
          _mm512_set1_epi32(0x00040004),
          _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)));
  for (int k = 0; k < 2; k++) {
    __m512i q[2];
    _Pragma("clang loop unroll(full)") for (int h = 0; h < 2; h++) {
      q[h] = (__m512i)_mm512_mul_ps(_mm512_load_ps(x + 32 * k + 16 * h), factor);
      const __m512i last = _mm512_and_si512(_mm512_srli_epi32(q[h], 16), one);
      q[h] = _mm512_add_epi32(_mm512_add_epi32(q[h], below), last);
    }
    _mm512_storeu_si512((void *)(y + 32 * k), _mm512_permutex2var_epi16(q[0], order, q[1]));
  }
}
#endif

INLINE void shares_64(
    void *y, uint32_t type, size_t i, const float *x, V factor, int32_t zero) {
  if (type == APUS_SOFTMAX_BYTES) {
    shares_64_bytes((uint8_t *)y + i, x, factor, zero);
  } else if (type == APUS_BFLOAT16) {
    shares_64_bfloat16((uint16_t *)y + i, x, factor);
  } else {
    for (int k = 0; k < 64; k += 16) {
      _mm512_storeu_ps((float *)y + i + k, _mm512_mul_ps(_mm512_load_ps(x + k), factor));
    }
  }
}

#define SHARES_64 shares_64

// a · 1 + b, rounded once: the same sum. (A 1 that the compiler knew would make it an addition.)
INLINE V sum_by_product(V a, V b) {
  V one = M(splat)(1.0f);
  __asm__("" : "+v"(one));
  return _mm512_fmadd_ps(a, one, b);
}

// 2^t = 2^floor(t) 2^r, r in [0, 1), as exactly as `exp_below`; vscalefps takes the floor itself.
INLINE V exp2_by_scale(V t, int coarse) {
  const V r = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  V p;
  if (coarse) {
    p = _mm512_fmadd_ps(r, M(splat)(0.0780245215f), M(splat)(0.226067171f));
    p = _mm512_fmadd_ps(p, r, M(splat)(0.695833504f));
    p = _mm512_fmadd_ps(p, r, M(splat)(0.999925196f));
  } else {
    p = _mm512_fmadd_ps(r, M(splat)(0.00187757658f), M(splat)(0.00898934063f));
    p = _mm512_fmadd_ps(p, r, M(splat)(0.0558263175f));
    p = _mm512_fmadd_ps(p, r, M(splat)(0.240153611f));
    p = _mm512_fmadd_ps(p, r, M(splat)(0.693153083f));
    p = _mm512_fmadd_ps(p, r, M(splat)(0.99999994f));
  }
  return _mm512_scalef_ps(p, t);
}

#define EXP2 exp2_by_scale
#define OTHER_SUM sum_by_product
