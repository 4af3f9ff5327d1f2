// Looking bytes up, AVX2: 32 at a time.
//
// A shuffle looks up in 16 entries and gives 0 where bit 7 of the index is set. With D[g] =
// table[g] ^ table[g - 1] for groups of 16 entries (D[0] = table[0]), the look-up of x below 128 is
// the exclusive or of D[g][x - 16 g] over all g: where x lies below group g the difference is
// negative and gives 0, and of the others all but table[x / 16] cancel. Subtraction that saturates
// keeps negative what is negative, so bytes from 128 on give 0, and they are looked up likewise as
// x ^ 128 in the upper half of the table.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#include <immintrin.h>

#include "lookup.h"

#include "generic.h"

#define INLINE static inline __attribute__((always_inline))

enum { GROUPS = 16 };

INLINE __m256i look_up(__m256i x, const __m256i *differences) {
  const __m256i step = _mm256_set1_epi8(16);
  __m256i low = x, high = _mm256_xor_si256(x, _mm256_set1_epi8((char)0x80));
  __m256i y = _mm256_setzero_si256(), z = y;
  _Pragma("clang loop unroll(full)") for (int g = 0; g < GROUPS / 2; g++) {
    y = _mm256_xor_si256(y, _mm256_shuffle_epi8(differences[g], low));
    z = _mm256_xor_si256(z, _mm256_shuffle_epi8(differences[GROUPS / 2 + g], high));
    low = _mm256_subs_epi8(low, step);
    high = _mm256_subs_epi8(high, step);
  }
  return _mm256_xor_si256(y, z);
}

void apus_look_up_avx2(const struct apus_look_up *c) {
  // Where there are few bytes the preparation would cost more than it gains.
  if (c->is_float || c->table_step != 0 || c->rows * c->count < 128) {
    look_up_each(c);
    return;
  }
  const uint8_t *table = (const uint8_t *)c->table;
  __m256i differences[GROUPS];
  __m128i before = _mm_setzero_si128();
  for (int g = 0; g < GROUPS; g++) {
    if (g == GROUPS / 2) before = _mm_setzero_si128();
    __m128i group = _mm_loadu_si128((const __m128i *)(table + 16 * g));
    differences[g] = _mm256_broadcastsi128_si256(_mm_xor_si128(group, before));
    before = group;
  }
  for (size_t r = 0; r < c->rows; r++) {
    const uint8_t *x = c->x + (ptrdiff_t)r * c->x_row;
    uint8_t *y = (uint8_t *)c->y + (ptrdiff_t)r * c->y_row;
    size_t i = 0;
    for (; i + 32 <= c->count; i += 32) {
      __m256i bytes = _mm256_loadu_si256((const __m256i *)(x + i));
      _mm256_storeu_si256((__m256i *)(y + i), look_up(bytes, differences));
    }
    for (; i < c->count; i++) y[i] = table[x[i]];
  }
}

#pragma clang attribute pop
#endif
