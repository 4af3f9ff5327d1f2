// The element-wise kernels of 8-bit tensors, AVX-512.
#if defined(__x86_64__)
#include "quantized_elements.h"

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2"))), apply_to = function)
#include "../math/lanes_avx512.h"

typedef uint8_t B16 __attribute__((vector_size(16)));
typedef apus_i_avx512 I;

INLINE B16 load_bytes(const uint8_t *p, size_t count) {
  if (count >= 16) return (B16)_mm_loadu_si128((const void *)p);
  return (B16)_mm_maskz_loadu_epi8(lanes_mask(count), p);
}

INLINE void store_bytes(uint8_t *p, B16 x, size_t count) {
  if (count >= 16) {
    _mm_storeu_si128((void *)p, (__m128i)x);
  } else {
    _mm_mask_storeu_epi8(p, lanes_mask(count), (__m128i)x);
  }
}

INLINE void widen_bytes(B16 x, I *parts) { parts[0] = (I)_mm512_cvtepu8_epi32((__m128i)x); }

// A NaN and what is below the integers become the least integer, and so 0.
INLINE B16 narrow_reals(const V *x, const I *zero) {
  const __m512 most = _mm512_set1_ps(1048576.0f);
  I q = (I)_mm512_cvtps_epi32(_mm512_min_ps(most, x[0])) + zero[0];
  __m512i positive = _mm512_max_epi32((__m512i)q, _mm512_setzero_si512());
  return (B16)_mm512_cvtusepi32_epi8(positive);
}

#define GATE_ROWS(c) gate_rows(c)
static void gate_rows(const struct apus_quantized_binary *c);

#include "generic.h"

// 64 columns of a gate: what each is multiplied with, and its zero point in the order of packing.
struct gate {
  __m512 factor[4], inverse[4];
  __m512i zero[2];
};

// 64 bytes, in the operations and their order of `binary_rows`.
INLINE __m512i gated(const __m128i bytes[4], const struct gate *g, __m512i centre, __m512 scale) {
  const __m512 most = _mm512_set1_ps(1048576.0f);
  const __m512i order =
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512i q[4];
  _Pragma("clang loop unroll(full)") for (int k = 0; k < 4; k++) {
    const __m512i whole = _mm512_sub_epi32(_mm512_cvtepu8_epi32(bytes[k]), centre);
    __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(whole), scale);
    x = _mm512_mul_ps(_mm512_mul_ps(x, g->factor[k]), g->inverse[k]);
    // A NaN and what is below the integers become the least integer, and so 0.
    q[k] = _mm512_cvtps_epi32(_mm512_min_ps(most, x));
  }
  const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(q[0], q[1]), g->zero[0]);
  const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(q[2], q[3]), g->zero[1]);
  return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
}

static void gate_rows(const struct apus_quantized_binary *call) {
  const struct apus_quantized_binary own = *call, *c = &own;
  const __m512i centre = _mm512_set1_epi32(c->a.scale.zero[0]);
  const __m512 scale = _mm512_set1_ps(c->a.scale.scale[0]);
  // Short dense rows are taken several at a time, as far as they fill a vector.
  const size_t joined = c->count <= 32 && 64 % c->count == 0 &&
                                c->a.row == (ptrdiff_t)c->count && c->y.row == c->a.row
                            ? 64 / c->count : 1;
  const size_t width = c->count * joined;
  for (size_t first = 0; first < width; first += 64) {
    const size_t some = least(width - first, 64);
    float factor[64], inverse[64];
    int32_t zero[64];
    for (size_t i = 0; i < 64; i++) {
      const size_t n = (first + least(i, some - 1)) % c->count;
      const size_t channel = c->y.scale.channels ? n : 0;
      factor[i] = ((const float *)c->b.data)[n];
      inverse[i] = c->y.scale.scale[channel];
      zero[i] = c->y.scale.zero[channel];
    }
    struct gate g;
    for (int k = 0; k < 4; k++) {
      g.factor[k] = _mm512_loadu_ps(factor + 16 * k);
      g.inverse[k] = _mm512_loadu_ps(inverse + 16 * k);
    }
    g.zero[0] = _mm512_packs_epi32(_mm512_loadu_si512(zero), _mm512_loadu_si512(zero + 16));
    g.zero[1] = _mm512_packs_epi32(_mm512_loadu_si512(zero + 32), _mm512_loadu_si512(zero + 48));
    const __mmask64 full = ~(__mmask64)0;
    for (size_t r = 0; r < c->rows; r += joined) {
      const size_t here = joined > 1 ? least(c->rows - r, joined) * c->count : some;
      const __mmask64 mask = here == 64 ? full : ((__mmask64)1 << here) - 1;
      const uint8_t *x = (const uint8_t *)c->a.data + (ptrdiff_t)r * c->a.row + first;
      uint8_t *y = (uint8_t *)c->y.data + (ptrdiff_t)r * c->y.row + first;
      const __m512i bytes = _mm512_maskz_loadu_epi8(mask, x);
      const __m128i parts[4] = {
          _mm512_castsi512_si128(bytes), _mm512_extracti32x4_epi32(bytes, 1),
          _mm512_extracti32x4_epi32(bytes, 2), _mm512_extracti32x4_epi32(bytes, 3)};
      _mm512_mask_storeu_epi8(y, mask, gated(parts, &g, centre, scale));
    }
  }
}

#pragma clang attribute pop
#endif
