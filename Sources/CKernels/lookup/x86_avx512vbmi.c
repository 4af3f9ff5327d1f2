// Looking bytes up, AVX-512 with VBMI: a permutation looks up in 128 entries.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi"))), \
    apply_to = function)

#include <immintrin.h>

#include "lookup.h"

#include "generic.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m512i look_up(__m512i x, const __m512i *table) {
  __m512i low = _mm512_permutex2var_epi8(table[0], x, table[1]);
  __m512i high = _mm512_permutex2var_epi8(table[2], x, table[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
}

void apus_look_up_avx512vbmi(const struct apus_look_up *c) {
  if (c->is_float || c->table_step != 0) {
    look_up_each(c);
    return;
  }
  __m512i table[4];
  for (int g = 0; g < 4; g++) table[g] = _mm512_loadu_si512((const uint8_t *)c->table + 64 * g);
  const size_t left = c->count % 64;
  const __mmask64 some = ((__mmask64)1 << left) - 1;
  for (size_t r = 0; r < c->rows; r++) {
    const uint8_t *x = c->x + (ptrdiff_t)r * c->x_row;
    uint8_t *y = (uint8_t *)c->y + (ptrdiff_t)r * c->y_row;
    size_t i = 0;
    for (; i + 64 <= c->count; i += 64) {
      _mm512_storeu_si512(y + i, look_up(_mm512_loadu_si512(x + i), table));
    }
    if (left > 0) {
      __m512i bytes = _mm512_maskz_loadu_epi8(some, x + i);
      _mm512_mask_storeu_epi8(y + i, some, look_up(bytes, table));
    }
  }
}

#pragma clang attribute pop
#endif
