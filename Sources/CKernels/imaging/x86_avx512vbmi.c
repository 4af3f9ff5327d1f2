// The image path, AVX-512 with VBMI: permutations of bytes collect the pixels that columns need
// out of 64 … 256 bytes, and look bytes up.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi"))), \
    apply_to = function)

#include <immintrin.h>

#include "imaging.h"

#define FUNCTION(name) apus_imaging_##name##_avx512vbmi
#define OWN_COLUMNS
#define OWN_ROWS
#include "generic.h"

typedef __m512i Z;

INLINE __mmask64 first_bytes(ptrdiff_t count) {
  return count >= 64 ? ~(__mmask64)0 : count <= 0 ? 0 : ((__mmask64)1 << count) - 1;
}

// --- columns ---

// The bytes at places `index` (0 … 255) behind p, of which `available` may be read; places where
// `wanted` is 0 give 0. `reach` is the largest place.
INLINE Z collect(
    const uint8_t *p, ptrdiff_t available, ptrdiff_t reach, Z index, __mmask64 wanted) {
  Z part[4];
  if (available >= 128) {
    part[0] = _mm512_loadu_si512(p), part[1] = _mm512_loadu_si512(p + 64);
  } else {
    part[0] = _mm512_maskz_loadu_epi8(first_bytes(available), p);
    part[1] = _mm512_maskz_loadu_epi8(first_bytes(available - 64), p + 64);
  }
  if (reach < 128) return _mm512_maskz_permutex2var_epi8(wanted, part[0], index, part[1]);
  part[2] = _mm512_maskz_loadu_epi8(first_bytes(available - 128), p + 128);
  part[3] = _mm512_maskz_loadu_epi8(first_bytes(available - 192), p + 192);
  Z low = _mm512_permutex2var_epi8(part[0], index, part[1]);
  Z high = _mm512_permutex2var_epi8(part[2], index, part[3]);
  return _mm512_maskz_mov_epi8(
      wanted, _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high));
}

// The source positions of 16 columns, counted from that of the first.
struct block {
  ptrdiff_t base;
  ptrdiff_t reach;  // the largest position
  __mmask16 some;
  Z first, second;
};

INLINE struct block block_of(const struct apus_columns *c, size_t i) {
  const size_t count = c->count - i < 16 ? c->count - i : 16;
  struct block b;
  b.some = (__mmask16)((1u << count) - 1);
  b.base = c->first[i];
  b.reach = c->first[i + count - 1] + 1 - b.base;
  const Z base = _mm512_set1_epi32((int)b.base);
  b.first = _mm512_maskz_sub_epi32(b.some, _mm512_maskz_loadu_epi32(b.some, c->first + i), base);
  b.second = _mm512_min_epi32(
      _mm512_add_epi32(b.first, _mm512_set1_epi32(1)),
      _mm512_set1_epi32((int)((ptrdiff_t)c->width - 1 - b.base)));
  return b;
}

// Stores sums of left and right in 1/128; `halves` has both in every element.
INLINE void store_columns(
    const struct apus_columns *c, int channel, size_t i, __mmask16 some, int is_picking,
    Z weights, Z halves) {
  Z sum = is_picking ? _mm512_slli_epi32(halves, 7)
                     : _mm512_srai_epi32(_mm512_madd_epi16(halves, weights), 4);
  __m256i narrow = _mm512_cvtepi32_epi16(sum);
  int16_t *target = c->target[channel] + i;
  if (some == 0xffff) _mm256_storeu_si256((__m256i *)target, narrow);
  else _mm256_mask_storeu_epi16(target, some, narrow);
}

// The constants of a conversion; those of `base` gather what does not depend on the samples.
struct yuv {
  Z luma, red_v, green_u, green_v, blue_u;
  Z base[3];
};

INLINE struct yuv yuv_of(const apus_yuv_constants *k) {
  const int32_t half = 1 << (YUV_BITS - 1);
  const struct yuv v = {
      _mm512_set1_epi32(k->luma),    _mm512_set1_epi32(k->red_v),
      _mm512_set1_epi32(k->green_u), _mm512_set1_epi32(k->green_v),
      _mm512_set1_epi32(k->blue_u),
      {_mm512_set1_epi32(half - 128 * k->red_v),
       _mm512_set1_epi32(half - 128 * (k->green_u + k->green_v)),
       _mm512_set1_epi32(half - 128 * k->blue_u)}};
  return v;
}

// What chroma adds to red, green and blue, before they are shifted.
INLINE void chroma_part(const struct yuv *k, Z u, Z v, Z *rgb) {
  rgb[0] = _mm512_add_epi32(_mm512_mullo_epi32(v, k->red_v), k->base[0]);
  rgb[1] = _mm512_add_epi32(
      _mm512_add_epi32(_mm512_mullo_epi32(u, k->green_u), _mm512_mullo_epi32(v, k->green_v)),
      k->base[1]);
  rgb[2] = _mm512_add_epi32(_mm512_mullo_epi32(u, k->blue_u), k->base[2]);
}

// The left sums shifted in the lower halves of every element, the right ones in the upper, as
// bytes.
INLINE Z saturated(Z left, Z right) {
  Z both = _mm512_mask_blend_epi16(
      0xaaaaaaaa, _mm512_srai_epi32(left, YUV_BITS), _mm512_srai_epi32(right, YUV_BITS - 16));
  both = _mm512_max_epi16(both, _mm512_setzero_si512());
  return _mm512_min_epi16(both, _mm512_set1_epi16(255));
}

// The bytes 8 · place … of every element.
INLINE Z byte_at(Z x, unsigned place) {
  x = place ? _mm512_srli_epi32(x, 8 * place) : x;
  return place == 3 ? x : _mm512_and_si512(x, _mm512_set1_epi32(255));
}

// u0 v0 u1 v1 of every column (v0 u0 v1 u1 where V comes first).
INLINE Z collect_chroma(const struct apus_columns *c, const struct block *b, const uint8_t *pair) {
  const ptrdiff_t pairs = ((ptrdiff_t)c->width + 1) / 2, base = b->base / 2;
  const Z odd = _mm512_set1_epi32((int)(b->base % 2));
  Z p0 = _mm512_srli_epi32(_mm512_add_epi32(b->first, odd), 1);
  Z p1 = _mm512_srli_epi32(_mm512_add_epi32(b->second, odd), 1);
  Z both = _mm512_or_si512(p0, _mm512_slli_epi32(p1, 16));
  if (pair) {
    both = _mm512_slli_epi32(both, 1);
    Z next = _mm512_add_epi32(both, _mm512_set1_epi32(0x00010001));
    Z index = _mm512_or_si512(both, _mm512_slli_epi32(next, 8));
    return collect(
        pair + 2 * base, 2 * (pairs - base), b->reach + 2, index, ~(__mmask64)0);
  }
  Z index = _mm512_or_si512(both, _mm512_slli_epi32(both, 8));
  Z u = collect(c->source[1] + base, pairs - base, b->reach / 2 + 1, index, 0x5555555555555555);
  Z v = collect(c->source[2] + base, pairs - base, b->reach / 2 + 1, index, 0xaaaaaaaaaaaaaaaa);
  return _mm512_or_si512(u, v);
}

INLINE void columns_yuv(
    const struct apus_columns *c, const uint8_t *pair, int is_swapped, int is_picking) {
  const struct yuv k = yuv_of(c->yuv);
  const Z offset = _mm512_set1_epi8((char)c->yuv->luma_offset);
  for (size_t i = 0; i < c->count; i += 16) {
    const struct block b = block_of(c, i);
    if (b.reach > 250) {
      columns_of_yuv(c, i);
      return;
    }
    Z index = _mm512_or_si512(b.first, _mm512_slli_epi32(b.second, 8));
    Z lumas = collect(
        c->source[0] + b.base, (ptrdiff_t)c->width - b.base, b.reach, index, ~(__mmask64)0);
    lumas = _mm512_subs_epu8(lumas, offset);
    Z chromas = collect_chroma(c, &b, pair);
    Z left[3], right[3];
    chroma_part(
        &k, byte_at(chromas, is_swapped ? 1 : 0), byte_at(chromas, is_swapped ? 0 : 1), left);
    if (is_picking) {
      for (int t = 0; t < 3; t++) right[t] = _mm512_setzero_si512();
    } else if (_mm512_cmpeq_epi32_mask(
                   _mm512_slli_epi32(chromas, 16),
                   _mm512_and_si512(chromas, _mm512_set1_epi32((int)0xffff0000))) == 0xffff) {
      for (int t = 0; t < 3; t++) right[t] = left[t];
    } else {
      chroma_part(
          &k, byte_at(chromas, is_swapped ? 3 : 2), byte_at(chromas, is_swapped ? 2 : 3), right);
    }
    const Z y0 = _mm512_mullo_epi32(byte_at(lumas, 0), k.luma);
    for (int t = 0; t < 3; t++) left[t] = _mm512_add_epi32(left[t], y0);
    if (!is_picking) {
      const Z y1 = _mm512_mullo_epi32(byte_at(lumas, 1), k.luma);
      for (int t = 0; t < 3; t++) right[t] = _mm512_add_epi32(right[t], y1);
    }
    const Z weights =
        is_picking ? right[0] : _mm512_maskz_loadu_epi32(b.some, c->weights + 2 * i);
    for (int t = 0; t < 3; t++) {
      store_columns(c, t, i, b.some, is_picking, weights, saturated(left[t], right[t]));
    }
  }
}

INLINE void columns_samples(const struct apus_columns *c) {
  const Z step = _mm512_set1_epi32((int)c->step);
  for (size_t i = 0; i < c->count; i += 16) {
    const struct block b = block_of(c, i);
    if (b.reach * c->step > 255) {
      columns_by_element(c);
      return;
    }
    Z index = _mm512_mullo_epi32(b.first, step);
    if (!c->is_picking) {
      index = _mm512_or_si512(
          index, _mm512_slli_epi32(_mm512_mullo_epi32(b.second, step), 16));
    }
    const Z weights = c->is_picking ? _mm512_setzero_si512()
                                    : _mm512_maskz_loadu_epi32(b.some, c->weights + 2 * i);
    const ptrdiff_t available = ((ptrdiff_t)c->width - 1 - b.base) * c->step + 1;
    for (uint32_t t = 0; t < c->channels; t++) {
      Z halves = collect(
          c->source[t] + b.base * c->step, available, b.reach * c->step, index,
          c->is_picking ? 0x1111111111111111 : 0x5555555555555555);
      store_columns(c, (int)t, i, b.some, (int)c->is_picking, weights, halves);
    }
  }
}

INLINE void columns_by_layout(const struct apus_columns *c, int is_picking) {
  if (c->step == 1) columns_yuv(c, 0, 0, is_picking);
  else if (c->source[2] > c->source[1]) columns_yuv(c, c->source[1], 0, is_picking);
  else columns_yuv(c, c->source[2], 1, is_picking);
}

void FUNCTION(columns)(const struct apus_columns *c) {
  if (!c->yuv) columns_samples(c);
  else if (c->is_picking) columns_by_layout(c, 1);
  else columns_by_layout(c, 0);
}

// --- rows ---

INLINE Z blended(const struct apus_rows *c, uint32_t channel, size_t i, __mmask32 some) {
  Z a = _mm512_maskz_loadu_epi16(some, c->upper[channel] + i);
  Z b = _mm512_maskz_loadu_epi16(some, c->lower[channel] + i);
  a = _mm512_mulhi_epi16(a, _mm512_set1_epi16((short)c->upper_weight));
  b = _mm512_mulhi_epi16(b, _mm512_set1_epi16((short)c->lower_weight));
  return _mm512_srai_epi16(
      _mm512_add_epi16(_mm512_add_epi16(a, b), _mm512_set1_epi16(2)), 2);
}

// 64 pixels from i, of which `some` exist.
INLINE Z pixels_at(const struct apus_rows *c, uint32_t channel, size_t i, __mmask64 some) {
  if (c->bytes[0]) return _mm512_maskz_loadu_epi8(some, c->bytes[channel] + i);
  Z low = blended(c, channel, i, (__mmask32)some);
  Z high = blended(c, channel, i + 32, (__mmask32)(some >> 32));
  const Z order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  return _mm512_permutexvar_epi64(order, _mm512_packus_epi16(low, high));
}

INLINE Z look_up(Z x, __mmask64 upper, const void *table) {
  const uint8_t *t = (const uint8_t *)table;
  Z low = _mm512_permutex2var_epi8(_mm512_loadu_si512(t), x, _mm512_loadu_si512(t + 64));
  Z high =
      _mm512_permutex2var_epi8(_mm512_loadu_si512(t + 128), x, _mm512_loadu_si512(t + 192));
  return _mm512_mask_blend_epi8(upper, low, high);
}

// Where element J of three interleaved vectors of `count` elements comes from: the third vector is
// chosen by a mask.
#define PLACE(J, count) ((J) / 3 + ((J) % 3 == 1 ? count : 0))
#define PLACES_4(J, n) PLACE(J, n), PLACE(J + 1, n), PLACE(J + 2, n), PLACE(J + 3, n)
#define PLACES_16(J, n) \
  PLACES_4(J, n), PLACES_4(J + 4, n), PLACES_4(J + 8, n), PLACES_4(J + 12, n)
#define PLACES_32(J, n) PLACES_16(J, n), PLACES_16(J + 16, n)
#define PLACES_64(J, n) PLACES_32(J, n), PLACES_32(J + 32, n)

static const uint8_t places8[3][64] = {
    {PLACES_64(0, 64)}, {PLACES_64(64, 64)}, {PLACES_64(128, 64)}};
static const uint16_t places16[3][32] = {
    {PLACES_32(0, 32)}, {PLACES_32(32, 32)}, {PLACES_32(64, 32)}};
static const uint32_t places32[3][16] = {
    {PLACES_16(0, 16)}, {PLACES_16(16, 16)}, {PLACES_16(32, 16)}};

INLINE void interleave(const Z *x, uint32_t element_size, Z *y) {
  static const __mmask64 third8[3] = {0x4924924924924924, 0x2492492492492492, 0x9249249249249249};
  static const __mmask32 third16[3] = {0x24924924, 0x49249249, 0x92492492};
  static const __mmask16 third32[3] = {0x4924, 0x2492, 0x9249};
  for (int t = 0; t < 3; t++) {
    if (element_size == 1) {
      const Z at = _mm512_loadu_si512(places8[t]);
      y[t] = _mm512_permutex2var_epi8(x[0], at, x[1]);
      y[t] = _mm512_mask_permutexvar_epi8(y[t], third8[t], at, x[2]);
    } else if (element_size == 2) {
      const Z at = _mm512_loadu_si512(places16[t]);
      y[t] = _mm512_permutex2var_epi16(x[0], at, x[1]);
      y[t] = _mm512_mask_permutexvar_epi16(y[t], third16[t], at, x[2]);
    } else {
      const Z at = _mm512_loadu_si512(places32[t]);
      y[t] = _mm512_permutex2var_epi32(x[0], at, x[1]);
      y[t] = _mm512_mask_permutexvar_epi32(y[t], third32[t], at, x[2]);
    }
  }
}

// Bytes from the low ends of the 128-bit parts, so that unpacking keeps the order of pixels.
INLINE Z spread(Z x, uint32_t element_size) {
  if (element_size == 2) {
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), x);
  }
  return _mm512_permutexvar_epi32(
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), x);
}

// The elements of 64 pixels: as many vectors as an element has bytes.
INLINE void elements_of(
    const struct apus_rows *c, uint32_t channel, uint32_t element_size, Z x, Z *y) {
  if (element_size == 1) {
    y[0] = c->table[0] ? look_up(x, _mm512_movepi8_mask(x), c->table[channel]) : x;
    return;
  }
  x = spread(x, element_size);
  const __mmask64 upper = _mm512_movepi8_mask(x);
  const uint8_t *split = c->split[channel];
  Z b0 = look_up(x, upper, split), b1 = look_up(x, upper, split + 256);
  Z low = _mm512_unpacklo_epi8(b0, b1), high = _mm512_unpackhi_epi8(b0, b1);
  if (element_size == 2) {
    y[0] = low, y[1] = high;
    return;
  }
  Z b2 = look_up(x, upper, split + 512), b3 = look_up(x, upper, split + 768);
  Z low2 = _mm512_unpacklo_epi8(b2, b3), high2 = _mm512_unpackhi_epi8(b2, b3);
  y[0] = _mm512_unpacklo_epi16(low, low2), y[1] = _mm512_unpackhi_epi16(low, low2);
  y[2] = _mm512_unpacklo_epi16(high, high2), y[3] = _mm512_unpackhi_epi16(high, high2);
}

INLINE void store_bytes(uint8_t *y, Z x, ptrdiff_t left) {
  if (left >= 64) _mm512_storeu_si512(y, x);
  else if (left > 0) _mm512_mask_storeu_epi8(y, first_bytes(left), x);
}

INLINE void rows_of(const struct apus_rows *c, uint32_t element_size) {
  const int is_woven = c->is_interleaved && c->channels == 3;
  for (size_t i = 0; i < c->count; i += 64) {
    const __mmask64 some = first_bytes((ptrdiff_t)(c->count - i));
    Z elements[3][4];
    for (uint32_t t = 0; t < c->channels; t++) {
      elements_of(c, t, element_size, pixels_at(c, t, i, some), elements[t]);
    }
    if (is_woven) {
      uint8_t *y = (uint8_t *)c->target[0] + 3 * i * element_size;
      ptrdiff_t left = (ptrdiff_t)(3 * (c->count - i) * element_size);
      for (uint32_t g = 0; g < element_size; g++) {
        const Z x[3] = {elements[0][g], elements[1][g], elements[2][g]};
        Z woven[3];
        interleave(x, element_size, woven);
        for (int t = 0; t < 3; t++, y += 64, left -= 64) store_bytes(y, woven[t], left);
      }
      continue;
    }
    for (uint32_t t = 0; t < c->channels; t++) {
      uint8_t *y = (uint8_t *)c->target[t] + i * element_size;
      ptrdiff_t left = (ptrdiff_t)((c->count - i) * element_size);
      for (uint32_t g = 0; g < element_size; g++, y += 64, left -= 64) {
        store_bytes(y, elements[t][g], left);
      }
    }
  }
}

void FUNCTION(rows)(const struct apus_rows *c) {
  if (!c->table[0] || c->element_size == 1) rows_of(c, 1);
  else if (c->element_size == 2) rows_of(c, 2);
  else rows_of(c, 4);
}

#pragma clang attribute pop
#endif
