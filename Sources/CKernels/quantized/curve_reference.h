// The curve and ramp stores of quantized.h, one element at a time.
#ifndef APUS_CURVE_REFERENCE_H
#define APUS_CURVE_REFERENCE_H

#include "quantized.h"

static inline int32_t apus_curve_saturated(int32_t x, int32_t low, int32_t high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

// The rounded product of two fractions of 15 bits.
static inline int32_t apus_curve_product(int32_t a, int32_t b) {
  return (a * b + 16384) >> 15;
}

static inline int32_t apus_curve_sum(int32_t a, int32_t b) {
  return apus_curve_saturated(a + b, -32768, 32767);
}

// The element of column n for its scaled and rounded sum; `added` is the residual's, or null.
static inline uint8_t apus_curve_byte(
    const struct apus_quantized_store *s, int32_t scaled, size_t n, const uint8_t *added) {
  const int32_t t = apus_curve_saturated(scaled, -32768, 32767);
  const int ramp = s->kind == APUS_STORE_RAMP;
  uint32_t i = (uint32_t)t >> 10 & 63, r16 = (uint32_t)t << 6;
  if (ramp) {
    const uint32_t size = (uint32_t)(t < 0 ? -t : t);
    const uint32_t near = size < s->reach[n] ? size : s->reach[n];
    const uint32_t u = (near * s->lift[n] & 0xffff) * s->near[n] >> 16;
    i = u >> 9 & 63;
    r16 = u << 7;
  }
  const int32_t r = (int16_t)((r16 & 0xffff) ^ 0x8000);
  const struct apus_curve *c = s->curve;
  const int32_t p = c->slope[i] + apus_curve_product(r, c->bend[i]);
  const int32_t f = c->value[i] + apus_curve_product(r, p);
  int32_t g = apus_curve_product(f, s->ratio[n]);
  if (ramp) g = apus_curve_sum(t > 0 ? t : 0, g);
  g = apus_curve_sum(g, s->level[n]);
  if (added) g = apus_curve_sum(g, apus_curve_product(*added << 7, s->residual_ratio[n]));
  return (uint8_t)apus_curve_saturated(g >> s->fraction, 0, 255);
}

#endif
