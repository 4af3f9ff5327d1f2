// Transposition in tiles, AVX2: 8 × 8 elements of 4 bytes, 8 × 8 of 2, 16 × 16 of 1. Each stage
// interleaves pairs of rows; after log2(tile) of them rows have become columns.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#include <immintrin.h>

#include "transpose.h"

#define ELEMENT uint32_t
#define NAME(name) name##_4
#include "generic.h"
#undef ELEMENT
#undef NAME

#define ELEMENT uint16_t
#define NAME(name) name##_2
#include "generic.h"
#undef ELEMENT
#undef NAME

#define ELEMENT uint8_t
#define NAME(name) name##_1
#include "generic.h"
#undef ELEMENT
#undef NAME

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE void tile_4(const uint32_t *src, ptrdiff_t s, uint32_t *dst, ptrdiff_t d) {
  __m256 r[8], t[8];
  // Lane 0 holds rows 0 to 3, lane 1 rows 4 to 7, of columns 0 to 3 and then of 4 to 7.
  UNROLL for (int i = 0; i < 4; i++) {
    const float *low = (const float *)(src + i * s);
    const float *high = (const float *)(src + (i + 4) * s);
    r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
    r[i + 4] = _mm256_insertf128_ps(
        _mm256_castps128_ps256(_mm_loadu_ps(low + 4)), _mm_loadu_ps(high + 4), 1);
  }
  UNROLL for (int h = 0; h < 8; h += 4) {
    t[h] = _mm256_unpacklo_ps(r[h], r[h + 1]);
    t[h + 1] = _mm256_unpackhi_ps(r[h], r[h + 1]);
    t[h + 2] = _mm256_unpacklo_ps(r[h + 2], r[h + 3]);
    t[h + 3] = _mm256_unpackhi_ps(r[h + 2], r[h + 3]);
    _mm256_storeu_ps((float *)(dst + h * d), _mm256_shuffle_ps(t[h], t[h + 2], 0x44));
    _mm256_storeu_ps((float *)(dst + (h + 1) * d), _mm256_shuffle_ps(t[h], t[h + 2], 0xEE));
    _mm256_storeu_ps((float *)(dst + (h + 2) * d), _mm256_shuffle_ps(t[h + 1], t[h + 3], 0x44));
    _mm256_storeu_ps((float *)(dst + (h + 3) * d), _mm256_shuffle_ps(t[h + 1], t[h + 3], 0xEE));
  }
}

INLINE void tile_2(const uint16_t *src, ptrdiff_t s, uint16_t *dst, ptrdiff_t d) {
  __m128i r[8], t[8];
  UNROLL for (int i = 0; i < 8; i++) r[i] = _mm_loadu_si128((const __m128i *)(src + i * s));
  UNROLL for (int i = 0; i < 4; i++) {
    t[2 * i] = _mm_unpacklo_epi16(r[i], r[i + 4]);
    t[2 * i + 1] = _mm_unpackhi_epi16(r[i], r[i + 4]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    r[2 * i] = _mm_unpacklo_epi16(t[i], t[i + 4]);
    r[2 * i + 1] = _mm_unpackhi_epi16(t[i], t[i + 4]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    _mm_storeu_si128(
        (__m128i *)(dst + 2 * i * d), _mm_unpacklo_epi16(r[i], r[i + 4]));
    _mm_storeu_si128(
        (__m128i *)(dst + (2 * i + 1) * d), _mm_unpackhi_epi16(r[i], r[i + 4]));
  }
}

INLINE void tile_1(const uint8_t *src, ptrdiff_t s, uint8_t *dst, ptrdiff_t d) {
  __m128i r[16], t[16];
  UNROLL for (int i = 0; i < 16; i++) r[i] = _mm_loadu_si128((const __m128i *)(src + i * s));
  UNROLL for (int stage = 0; stage < 4; stage++) {
    UNROLL for (int i = 0; i < 8; i++) {
      t[2 * i] = _mm_unpacklo_epi8(r[i], r[i + 8]);
      t[2 * i + 1] = _mm_unpackhi_epi8(r[i], r[i + 8]);
    }
    UNROLL for (int i = 0; i < 16; i++) r[i] = t[i];
  }
  UNROLL for (int i = 0; i < 16; i++) _mm_storeu_si128((__m128i *)(dst + i * d), r[i]);
}

// Three planes that become the channels of pixels; the rest element by element.
INLINE void interleave_3(const uint16_t *src, ptrdiff_t s, uint16_t *dst, size_t columns) {
#define W(i) ((2 * (i) + 1) << 8 | 2 * (i))
  // Where the elements of each plane lie in the three vectors that 8 pixels make.
  const __m128i order[3][3] = {
      {_mm_setr_epi16(W(0), -1, -1, W(1), -1, -1, W(2), -1),
       _mm_setr_epi16(-1, W(0), -1, -1, W(1), -1, -1, W(2)),
       _mm_setr_epi16(-1, -1, W(0), -1, -1, W(1), -1, -1)},
      {_mm_setr_epi16(-1, W(3), -1, -1, W(4), -1, -1, W(5)),
       _mm_setr_epi16(-1, -1, W(3), -1, -1, W(4), -1, -1),
       _mm_setr_epi16(W(2), -1, -1, W(3), -1, -1, W(4), -1)},
      {_mm_setr_epi16(-1, -1, W(6), -1, -1, W(7), -1, -1),
       _mm_setr_epi16(W(5), -1, -1, W(6), -1, -1, W(7), -1),
       _mm_setr_epi16(-1, W(5), -1, -1, W(6), -1, -1, W(7))},
  };
#undef W
  size_t j = 0;
  for (; j + 8 <= columns; j += 8) {
    __m128i x[3];
    UNROLL for (int i = 0; i < 3; i++) {
      x[i] = _mm_loadu_si128((const __m128i *)(src + i * s + (ptrdiff_t)j));
    }
    UNROLL for (int k = 0; k < 3; k++) {
      __m128i y = _mm_or_si128(
          _mm_shuffle_epi8(x[0], order[k][0]), _mm_shuffle_epi8(x[1], order[k][1]));
      y = _mm_or_si128(y, _mm_shuffle_epi8(x[2], order[k][2]));
      _mm_storeu_si128((__m128i *)(dst + 3 * j + 8 * k), y);
    }
  }
  plain_2(src + j, s, dst + 3 * j, 3, 3, columns - j);
}

void apus_transpose_4_avx2(const struct apus_transpose *t) { tiled_4(t, 8, tile_4); }
void apus_transpose_2_avx2(const struct apus_transpose *t) {
  if (t->rows == 3 && t->dst_stride == 3) {
    interleave_3(t->src, t->src_stride, t->dst, t->columns);
  } else {
    tiled_2(t, 8, tile_2);
  }
}
void apus_transpose_1_avx2(const struct apus_transpose *t) { tiled_1(t, 16, tile_1); }

#pragma clang attribute pop
#endif
