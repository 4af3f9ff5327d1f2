// Transposition in tiles of 16 × 16 elements of 4 bytes, AVX-512; tails by masks.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)

#include <immintrin.h>

#include "transpose.h"

void apus_transpose_2_avx2(const struct apus_transpose *t);

#define ELEMENT uint32_t
#define NAME(name) name##_4
#include "generic.h"
#undef ELEMENT
#undef NAME

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE __m512d pairs(__m512 x) { return _mm512_castps_pd(x); }
INLINE __m512 quads(__m512d x) { return _mm512_castpd_ps(x); }

// `rows` rows and `columns` columns, at most 16 each; `whole` says at compile time that both are.
INLINE void tile(
    const float *src, ptrdiff_t s, float *dst, ptrdiff_t d, int rows, int columns, int whole) {
  __mmask16 across = whole ? 0xFFFF : (__mmask16)((1u << columns) - 1);
  __mmask16 down = whole ? 0xFFFF : (__mmask16)((1u << rows) - 1);
  __m512 r[16], t[16], u[16];
  UNROLL for (int i = 0; i < 16; i++) {
    r[i] = whole || i < rows ? _mm512_maskz_loadu_ps(across, src + i * s) : _mm512_setzero_ps();
  }
  UNROLL for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  // u[4 g + c]: lane l holds column 4 l + c of rows 4 g to 4 g + 3.
  UNROLL for (int i = 0; i < 16; i += 4) {
    u[i] = quads(_mm512_unpacklo_pd(pairs(t[i]), pairs(t[i + 2])));
    u[i + 1] = quads(_mm512_unpackhi_pd(pairs(t[i]), pairs(t[i + 2])));
    u[i + 2] = quads(_mm512_unpacklo_pd(pairs(t[i + 1]), pairs(t[i + 3])));
    u[i + 3] = quads(_mm512_unpackhi_pd(pairs(t[i + 1]), pairs(t[i + 3])));
  }
  UNROLL for (int c = 0; c < 4; c++) {
    __m512 a = _mm512_shuffle_f32x4(u[c], u[4 + c], 0x88);
    __m512 b = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0x88);
    __m512 e = _mm512_shuffle_f32x4(u[c], u[4 + c], 0xDD);
    __m512 f = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0xDD);
    r[c] = _mm512_shuffle_f32x4(a, b, 0x88);
    r[8 + c] = _mm512_shuffle_f32x4(a, b, 0xDD);
    r[4 + c] = _mm512_shuffle_f32x4(e, f, 0x88);
    r[12 + c] = _mm512_shuffle_f32x4(e, f, 0xDD);
  }
  UNROLL for (int j = 0; j < 16; j++) {
    if (whole || j < columns) _mm512_mask_storeu_ps(dst + j * d, down, r[j]);
  }
}

void apus_transpose_4_avx512(const struct apus_transpose *t) {
  if (special_4(t)) return;
  const float *src = t->src;
  float *dst = t->dst;
  ptrdiff_t s = t->src_stride, d = t->dst_stride;
  for (size_t j = 0; j < t->columns; j += 16) {
    int columns = t->columns - j < 16 ? (int)(t->columns - j) : 16;
    for (size_t i = 0; i < t->rows; i += 16) {
      int rows = t->rows - i < 16 ? (int)(t->rows - i) : 16;
      const float *from = src + (ptrdiff_t)i * s + (ptrdiff_t)j;
      float *to = dst + (ptrdiff_t)j * d + (ptrdiff_t)i;
      if (rows == 16 && columns == 16) {
        tile(from, s, to, d, 16, 16, 1);
      } else {
        tile(from, s, to, d, rows, columns, 0);
      }
    }
  }
}

// Three planes that become the channels of pixels; a vector holds 32 elements.
INLINE void interleave_3(const uint16_t *src, ptrdiff_t s, uint16_t *dst, size_t columns) {
  // Element e of the result's 96 is pixel e / 3 of plane e % 3: first of planes 0 and 1, where
  // those of plane 2 are anything, then of both and plane 2.
  uint16_t first[3][32], second[3][32];
  for (int e = 0; e < 96; e++) {
    const uint16_t pixel = (uint16_t)(e / 3);
    first[e / 32][e % 32] = e % 3 == 1 ? 32 + pixel : pixel;
    second[e / 32][e % 32] = e % 3 == 2 ? 32 + pixel : (uint16_t)(e % 32);
  }
  __m512i early[3], late[3];
  UNROLL for (int k = 0; k < 3; k++) {
    early[k] = _mm512_loadu_si512(first[k]);
    late[k] = _mm512_loadu_si512(second[k]);
  }
  for (size_t j = 0; j < columns; j += 32) {
    const size_t count = columns - j;
    const __mmask32 some = count >= 32 ? ~0u : (1u << count) - 1;
    __m512i x[3];
    UNROLL for (int i = 0; i < 3; i++) {
      x[i] = _mm512_maskz_loadu_epi16(some, src + i * s + (ptrdiff_t)j);
    }
    UNROLL for (int k = 0; k < 3; k++) {
      const __m512i two = _mm512_permutex2var_epi16(x[0], early[k], x[1]);
      const __m512i three = _mm512_permutex2var_epi16(two, late[k], x[2]);
      if (count >= 32) {
        _mm512_storeu_si512(dst + 3 * j + 32 * k, three);
      } else if (3 * count > 32 * (size_t)k) {
        const size_t rest = 3 * count - 32 * (size_t)k;
        _mm512_mask_storeu_epi16(
            dst + 3 * j + 32 * k, rest >= 32 ? ~0u : (1u << rest) - 1, three);
      }
    }
  }
}

void apus_transpose_2_avx512(const struct apus_transpose *t) {
  if (t->rows == 3 && t->dst_stride == 3) {
    interleave_3(t->src, t->src_stride, t->dst, t->columns);
  } else {
    apus_transpose_2_avx2(t);
  }
}

#pragma clang attribute pop
#endif
