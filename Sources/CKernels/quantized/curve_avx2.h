// The curve and ramp stores of quantized.h on 32 elements, AVX2. Include it inside the file's
// `#pragma clang attribute push` of that target.
//
// A shuffle looks up in 16 bytes and gives 0 where the index's upper bit is set. Four of them, each
// with indices of which those of its 16 entries alone lie in 0 … 127, look up in 64.
#ifndef APUS_CURVE_AVX2_H
#define APUS_CURVE_AVX2_H

#include <immintrin.h>

#include "quantized.h"

static inline __attribute__((always_inline)) __m256i apus_curve_bytes_avx2(
    const uint8_t *table, const __m256i index[4]) {
#define PART(k)                                                                          \
  _mm256_shuffle_epi8(                                                                   \
      _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(table) + (k))), index[k])
  return _mm256_or_si256(_mm256_or_si256(PART(0), PART(1)), _mm256_or_si256(PART(2), PART(3)));
#undef PART
}

// What belongs to the columns of 16 elements, in their order.
struct apus_curve_columns_avx2 {
  __m256i ratio, level, reach, lift, near;
};

// t -> g, without a residual, in place; 16 elements in each of two vectors. `ramp` is a constant.
static inline __attribute__((always_inline)) void apus_curve_avx2(
    const struct apus_curve *c, const struct apus_curve_columns_avx2 *const columns[2],
    __m256i t[2], const int ramp) {
  // i in the upper 6 bits, r below them.
  __m256i place[2] = {t[0], t[1]};
  if (ramp) {
    for (int h = 0; h < 2; h++) {
      const __m256i size = _mm256_min_epu16(_mm256_abs_epi16(t[h]), columns[h]->reach);
      const __m256i u =
          _mm256_mulhi_epu16(_mm256_mullo_epi16(size, columns[h]->lift), columns[h]->near);
      place[h] = _mm256_slli_epi16(u, 1);
    }
  }
  // The upper 6 bits as unsigned bytes, each two vectors' lanes side by side as unpacking wants it.
  const __m256i i =
      _mm256_packus_epi16(_mm256_srli_epi16(place[0], 10), _mm256_srli_epi16(place[1], 10));
  __m256i index[4];
  for (int k = 0; k < 4; k++) {
    // What lies above the 16 entries saturates to 0x80 and more, what lies below is negative.
    const __m256i own = _mm256_sub_epi8(i, _mm256_set1_epi8((char)(16 * k)));
    index[k] = _mm256_adds_epu8(own, _mm256_set1_epi8(0x70));
  }
  __m256i word[3][2];
  for (int q = 0; q < 3; q++) {
    const __m256i low = apus_curve_bytes_avx2(c->bytes[2 * q], index);
    const __m256i high = apus_curve_bytes_avx2(c->bytes[2 * q + 1], index);
    word[q][0] = _mm256_unpacklo_epi8(low, high);
    word[q][1] = _mm256_unpackhi_epi8(low, high);
  }
  for (int h = 0; h < 2; h++) {
    const __m256i r = _mm256_xor_si256(
        _mm256_slli_epi16(place[h], 6), _mm256_set1_epi16((int16_t)0x8000));
    const __m256i p = _mm256_add_epi16(word[1][h], _mm256_mulhrs_epi16(r, word[2][h]));
    const __m256i f = _mm256_add_epi16(word[0][h], _mm256_mulhrs_epi16(r, p));
    __m256i g = _mm256_mulhrs_epi16(f, columns[h]->ratio);
    if (ramp) g = _mm256_adds_epi16(_mm256_max_epi16(t[h], _mm256_setzero_si256()), g);
    t[h] = _mm256_adds_epi16(g, columns[h]->level);
  }
}

#endif
