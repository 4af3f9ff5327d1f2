// The image path, one text for every ISA: plain loops that the compiler makes vectors of.
//
// Included by <isa>.c, which defines FUNCTION(name). Files with ways of their own define
// OWN_COLUMNS and OWN_ROWS and use the functions here for what they leave, or
//   LOOK_UP_BYTES(pixels, count, table)   pixels[i] = table[pixels[i]], count ≤ CHUNK
#include "declare.h"

#define INLINE static inline __attribute__((always_inline, unused))
#define YUV_BITS 20
// The pixels that are stored at a time.
#define CHUNK 256

INLINE uint8_t saturate(int32_t x) { return x < 0 ? 0 : x > 255 ? 255 : (uint8_t)x; }

// --- whole rows ---

// Two pixels per chroma sample; `step` is a constant where it is called, so that each layout gets
// its own loop.
INLINE void yuv_pairs(
    const uint8_t *restrict luma, const uint8_t *restrict u, const uint8_t *restrict v,
    ptrdiff_t step, size_t pairs, const apus_yuv_constants *constants, uint8_t *restrict red,
    uint8_t *restrict green, uint8_t *restrict blue) {
  const apus_yuv_constants k = *constants;
  const int32_t half = 1 << (YUV_BITS - 1);
  for (size_t i = 0; i < pairs; i++) {
    const int32_t cu = (int32_t)u[(ptrdiff_t)i * step] - 128;
    const int32_t cv = (int32_t)v[(ptrdiff_t)i * step] - 128;
    const int32_t r = half + k.red_v * cv;
    const int32_t g = half + k.green_u * cu + k.green_v * cv;
    const int32_t b = half + k.blue_u * cu;
    const int32_t even = (int32_t)luma[2 * i] - k.luma_offset;
    const int32_t odd = (int32_t)luma[2 * i + 1] - k.luma_offset;
    const int32_t l0 = (even < 0 ? 0 : even) * k.luma, l1 = (odd < 0 ? 0 : odd) * k.luma;
    red[2 * i] = saturate((l0 + r) >> YUV_BITS);
    red[2 * i + 1] = saturate((l1 + r) >> YUV_BITS);
    green[2 * i] = saturate((l0 + g) >> YUV_BITS);
    green[2 * i + 1] = saturate((l1 + g) >> YUV_BITS);
    blue[2 * i] = saturate((l0 + b) >> YUV_BITS);
    blue[2 * i + 1] = saturate((l1 + b) >> YUV_BITS);
  }
}

void FUNCTION(yuv_row)(
    const uint8_t *luma, const uint8_t *u, const uint8_t *v, ptrdiff_t chroma_step, size_t count,
    const apus_yuv_constants *constants, uint8_t *restrict red, uint8_t *restrict green,
    uint8_t *restrict blue) {
  const size_t pairs = count / 2;
  if (chroma_step == 1) {
    yuv_pairs(luma, u, v, 1, pairs, constants, red, green, blue);
  } else {
    yuv_pairs(luma, u, v, 2, pairs, constants, red, green, blue);
  }
  if (count % 2 == 0) return;
  const uint8_t last[2] = {luma[count - 1], luma[count - 1]};
  const ptrdiff_t at = (ptrdiff_t)pairs * chroma_step;
  uint8_t rgb[3][2];
  yuv_pairs(last, u + at, v + at, 1, 1, constants, rgb[0], rgb[1], rgb[2]);
  red[count - 1] = rgb[0][0];
  green[count - 1] = rgb[1][0];
  blue[count - 1] = rgb[2][0];
}

void FUNCTION(gray_row)(
    const uint8_t *red, const uint8_t *green, const uint8_t *blue, ptrdiff_t step, size_t count,
    uint8_t *restrict target) {
  for (size_t i = 0; i < count; i++) {
    const ptrdiff_t at = (ptrdiff_t)i * step;
    target[i] = (uint8_t)((red[at] * 4899u + green[at] * 9617u + blue[at] * 1868u + 8192u) >> 14);
  }
}

void FUNCTION(area_row)(
    const uint8_t *source, ptrdiff_t step, const int32_t *run_first, const int32_t *run_count,
    const float *weights, size_t count, float *restrict target) {
  for (size_t i = 0; i < count; i++) {
    const uint8_t *from = source + run_first[i] * step;
    float sum = 0;
    for (int32_t k = 0; k < run_count[i]; k++) sum += from[k * step] * weights[k];
    weights += run_count[i];
    target[i] = sum;
  }
}

void FUNCTION(accumulate_row)(const float *row, float weight, size_t count, float *restrict sum) {
  for (size_t i = 0; i < count; i++) sum[i] += row[i] * weight;
}

void FUNCTION(round_row)(const float *sum, size_t count, uint8_t *restrict target) {
  // Adding 1.5 · 2^23 leaves the nearest whole number, ties to even, in the low bits.
  const float magic = 12582912.0f;
  for (size_t i = 0; i < count; i++) {
    const float x = sum[i] < 0 ? 0 : sum[i] > 255 ? 255 : sum[i];
    union {
      float value;
      int32_t bits;
    } rounded = {x + magic};
    target[i] = (uint8_t)rounded.bits;
  }
}

// --- columns ---

INLINE uint32_t two_bytes(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }

// Collects luma and chroma of the pixels that column after column needs: bytes y0 y1 in the first
// half of the scratch memory, u0 v0 u1 v1 in the second; where columns pick, y0 and u0 v0 only.
// `pair` is where the chroma samples of a pixel lie side by side, U first; null: they do not.
INLINE void collect_yuv(
    const struct apus_columns *c, size_t from, const uint8_t *pair, int is_picking) {
  uint32_t *restrict lumas = c->scratch, *restrict chromas = c->scratch + c->count;
  const uint8_t *luma = c->source[0], *u = c->source[1], *v = c->source[2];
  const int32_t last = (int32_t)c->width - 1;
  for (size_t i = from; i < c->count; i++) {
    const int32_t x0 = c->first[i];
    const ptrdiff_t p0 = (x0 >> 1) * c->step;
    if (is_picking) {
      lumas[i] = luma[x0];
      chromas[i] = pair ? two_bytes(pair + p0) : u[p0] | (uint32_t)v[p0] << 8;
      continue;
    }
    const int32_t x1 = x0 < last ? x0 + 1 : last;
    const ptrdiff_t p1 = (x1 >> 1) * c->step;
    lumas[i] = luma[x0] | (uint32_t)luma[x1] << 8;
    if (pair) {
      chromas[i] = two_bytes(pair + p0) | two_bytes(pair + p1) << 16;
    } else {
      chromas[i] = u[p0] | (uint32_t)v[p0] << 8 | (uint32_t)u[p1] << 16 | (uint32_t)v[p1] << 24;
    }
  }
}

INLINE void blend_yuv(const struct apus_columns *c, size_t from, int is_picking) {
  const apus_yuv_constants k = *c->yuv;
  const uint32_t *restrict lumas = c->scratch, *restrict chromas = c->scratch + c->count;
  const int16_t *restrict weights = c->weights;
  int16_t *restrict red = c->target[0], *restrict green = c->target[1];
  int16_t *restrict blue = c->target[2];
  const int32_t half = 1 << (YUV_BITS - 1);
  for (size_t i = from; i < c->count; i++) {
    int32_t r[2], g[2], b[2];
    for (int t = 0; t < 2; t++) {
      const int32_t y = (int32_t)(lumas[i] >> (8 * t) & 255) - k.luma_offset;
      const int32_t u = (int32_t)(chromas[i] >> (16 * t) & 255) - 128;
      const int32_t v = (int32_t)(chromas[i] >> (16 * t + 8) & 255) - 128;
      const int32_t l = (y < 0 ? 0 : y) * k.luma + half;
      r[t] = saturate((l + k.red_v * v) >> YUV_BITS);
      g[t] = saturate((l + k.green_u * u + k.green_v * v) >> YUV_BITS);
      b[t] = saturate((l + k.blue_u * u) >> YUV_BITS);
      if (is_picking) break;
    }
    if (is_picking) {
      red[i] = (int16_t)(r[0] << 7);
      green[i] = (int16_t)(g[0] << 7);
      blue[i] = (int16_t)(b[0] << 7);
    } else {
      const int32_t left = weights[2 * i], right = weights[2 * i + 1];
      red[i] = (int16_t)((r[0] * left + r[1] * right) >> 4);
      green[i] = (int16_t)((g[0] * left + g[1] * right) >> 4);
      blue[i] = (int16_t)((b[0] * left + b[1] * right) >> 4);
    }
  }
}

INLINE void columns_of_yuv(const struct apus_columns *c, size_t from) {
  const uint8_t *pair = c->step == 2 && c->source[2] == c->source[1] + 1 ? c->source[1] : 0;
  if (c->is_picking) {
    if (pair) collect_yuv(c, from, pair, 1);
    else collect_yuv(c, from, 0, 1);
    blend_yuv(c, from, 1);
  } else {
    if (pair) collect_yuv(c, from, pair, 0);
    else collect_yuv(c, from, 0, 0);
    blend_yuv(c, from, 0);
  }
}

INLINE void columns_of_samples(const struct apus_columns *c, ptrdiff_t step) {
  const int32_t last = (int32_t)c->width - 1;
  for (uint32_t channel = 0; channel < c->channels; channel++) {
    const uint8_t *restrict source = c->source[channel];
    int16_t *restrict target = c->target[channel];
    if (c->is_picking) {
      for (size_t i = 0; i < c->count; i++) {
        target[i] = (int16_t)(source[c->first[i] * step] << 7);
      }
      continue;
    }
    for (size_t i = 0; i < c->count; i++) {
      const int32_t x0 = c->first[i], x1 = x0 < last ? x0 + 1 : last;
      target[i] = (int16_t)(
          (source[x0 * step] * c->weights[2 * i] + source[x1 * step] * c->weights[2 * i + 1]) >> 4);
    }
  }
}

INLINE void columns_by_element(const struct apus_columns *c) {
  if (c->yuv) columns_of_yuv(c, 0);
  else if (c->step == 1) columns_of_samples(c, 1);
  else if (c->step == 3) columns_of_samples(c, 3);
  else columns_of_samples(c, c->step);
}

#ifndef OWN_COLUMNS
void FUNCTION(columns)(const struct apus_columns *c) { columns_by_element(c); }
#endif

// --- rows ---

// The pixels from ..< from + count of one channel, count ≤ CHUNK.
INLINE void blend_chunk(
    const struct apus_rows *c, uint32_t channel, size_t from, size_t count,
    uint8_t *restrict pixels) {
  if (c->bytes[0]) {
    for (size_t i = 0; i < count; i++) pixels[i] = c->bytes[channel][from + i];
    return;
  }
  const int16_t *restrict upper = c->upper[channel] + from;
  const int16_t *restrict lower = c->lower[channel] + from;
  const int16_t a = (int16_t)c->upper_weight, b = (int16_t)c->lower_weight;
  for (size_t i = 0; i < count; i++) {
    const int16_t high = (int16_t)(((int32_t)upper[i] * a) >> 16);
    const int16_t low = (int16_t)(((int32_t)lower[i] * b) >> 16);
    const int16_t sum = (int16_t)((int16_t)(high + low + 2) >> 2);
    pixels[i] = (uint8_t)(sum > 255 ? 255 : sum);
  }
}

#define STORE_CHUNK(element)                                                                  \
  INLINE void store_##element(                                                                \
      const struct apus_rows *c, uint8_t (*pixels)[CHUNK], size_t from, size_t count) {       \
    if (c->is_interleaved && c->channels == 3) {                                              \
      const element *restrict t0 = c->table[0], *restrict t1 = c->table[1];                   \
      const element *restrict t2 = c->table[2];                                               \
      element *restrict y = (element *)c->target[0] + 3 * from;                               \
      for (size_t i = 0; i < count; i++) {                                                    \
        y[3 * i] = t0[pixels[0][i]];                                                          \
        y[3 * i + 1] = t1[pixels[1][i]];                                                      \
        y[3 * i + 2] = t2[pixels[2][i]];                                                      \
      }                                                                                       \
      return;                                                                                 \
    }                                                                                         \
    for (uint32_t channel = 0; channel < c->channels; channel++) {                            \
      const element *restrict table = c->table[channel];                                      \
      element *restrict y = (element *)c->target[channel] + from;                             \
      for (size_t i = 0; i < count; i++) y[i] = table[pixels[channel][i]];                    \
    }                                                                                         \
  }

STORE_CHUNK(uint8_t)
STORE_CHUNK(uint16_t)
STORE_CHUNK(uint32_t)
#undef STORE_CHUNK

INLINE void store_plain(
    const struct apus_rows *c, uint8_t (*pixels)[CHUNK], size_t from, size_t count) {
  if (c->is_interleaved && c->channels == 3) {
    uint8_t *restrict y = (uint8_t *)c->target[0] + 3 * from;
    for (size_t i = 0; i < count; i++) {
      y[3 * i] = pixels[0][i], y[3 * i + 1] = pixels[1][i], y[3 * i + 2] = pixels[2][i];
    }
    return;
  }
  for (uint32_t channel = 0; channel < c->channels; channel++) {
    uint8_t *restrict y = (uint8_t *)c->target[channel] + from;
    for (size_t i = 0; i < count; i++) y[i] = pixels[channel][i];
  }
}

INLINE void rows_from(const struct apus_rows *c, size_t from) {
  uint8_t pixels[3][CHUNK];
  for (; from < c->count; from += CHUNK) {
    const size_t count = c->count - from < CHUNK ? c->count - from : CHUNK;
    for (uint32_t channel = 0; channel < c->channels; channel++) {
      if (count == CHUNK) blend_chunk(c, channel, from, CHUNK, pixels[channel]);
      else blend_chunk(c, channel, from, count, pixels[channel]);
    }
    int is_plain = !c->table[0];
#ifdef LOOK_UP_BYTES
    if (!is_plain && c->element_size == 1) {
      for (uint32_t channel = 0; channel < c->channels; channel++) {
        LOOK_UP_BYTES(pixels[channel], count, (const uint8_t *)c->table[channel]);
      }
      is_plain = 1;
    }
#endif
    if (is_plain) store_plain(c, pixels, from, count);
    else if (c->element_size == 1) store_uint8_t(c, pixels, from, count);
    else if (c->element_size == 2) store_uint16_t(c, pixels, from, count);
    else store_uint32_t(c, pixels, from, count);
  }
}

#ifndef OWN_ROWS
void FUNCTION(rows)(const struct apus_rows *c) { rows_from(c, 0); }
#endif
