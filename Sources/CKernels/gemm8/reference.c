// The 8-bit matrix product in portable C: one row and one panel at a time.
#include "../math/math_reference.h"
#include "../quantized/curve_reference.h"
#include "gemm8.h"

enum { PANEL = 16 };

// The nearest integer, ties to even; |x| < 2^31.
static int32_t nearest(float x) {
  return (int32_t)apus_round_reference(apus_splat_reference(x))[0];
}

static uint8_t clamped(int32_t x, int32_t low, int32_t high) {
  x = x < low ? low : x;
  return (uint8_t)(x > high ? high : x);
}

static float residual(const struct apus_quantized_store *s, ptrdiff_t at, size_t n) {
  if (s->residual_type == APUS_REAL) return ((const float *)s->residual)[at];
  const int32_t q = ((const uint8_t *)s->residual)[at];
  return (float)(q - s->residual_zero[n]) * s->residual_scale[n];
}

// Stores the sum of column n as element `to` of y; `from` is the residual's element.
static void finish(
    const struct apus_quantized_store *s, int32_t sum, size_t n, ptrdiff_t to, ptrdiff_t from) {
  float v = (float)sum * s->multiplier[n];
  if (s->kind >= APUS_STORE_CURVE) {
    const uint8_t *added = s->residual ? (const uint8_t *)s->residual + from : NULL;
    ((uint8_t *)s->y)[to] = apus_curve_byte(s, nearest(v), n, added);
    return;
  }
  if (s->kind == APUS_STORE_DIRECT) {
    ((uint8_t *)s->y)[to] =
        clamped(clamped(nearest(v) + s->zero[n], 0, 255), s->low[n], s->high[n]);
    return;
  }
  const float other = s->residual ? residual(s, from, n) : 0.0f;
  if (s->residual && !s->residual_last) v = v + other;
  v = apus_apply_reference(apus_splat_reference(v), &s->activation)[0];
  if (s->residual && s->residual_last) v = v + other;
  if (s->y_type == APUS_REAL) {
    ((float *)s->y)[to] = v;
    return;
  }
  const float limit = 1048576.0f;
  v = v * s->inverse[n];
  v = v > -limit ? v : -limit;
  v = v < limit ? v : limit;
  ((uint8_t *)s->y)[to] = clamped(nearest(v) + s->zero[n], 0, 255);
}

void apus_gemm8_reference(const struct apus_gemm8 *g) {
  for (size_t column = 0; column < g->columns; column += PANEL) {
    const int8_t *panel = g->b + column / PANEL * g->panel_step;
    const size_t count = g->columns - column < PANEL ? g->columns - column : PANEL;
    for (size_t row = g->first; row < g->first + g->count; row++) {
      const ptrdiff_t line = (ptrdiff_t)(row / g->width), pixel = (ptrdiff_t)(row % g->width);
      const uint8_t *a = g->a + line * g->a_line + pixel * g->a_pixel;
      const int8_t *b = panel;
      const uint32_t start = g->row_offset ? (uint32_t)g->row_offset[row] : 0;
      uint32_t sums[PANEL];
      for (size_t n = 0; n < PANEL; n++) {
        sums[n] = n < count ? start + (uint32_t)g->store.offset[column + n] : 0;
      }
      for (size_t r = 0; r < g->run_count; r++) {
        for (size_t k = 0; k < g->run_length; k += 4, b += 4 * PANEL) {
          const uint8_t *x = a + g->runs[r] + (ptrdiff_t)k;
          for (size_t n = 0; n < PANEL; n++) {
            sums[n] += (uint32_t)(x[0] * b[4 * n] + x[1] * b[4 * n + 1] + x[2] * b[4 * n + 2] +
                                  x[3] * b[4 * n + 3]);
          }
        }
      }
      const ptrdiff_t to = line * g->y_line + pixel * g->y_pixel + (ptrdiff_t)column;
      const ptrdiff_t from =
          line * g->residual_line + pixel * g->residual_pixel + (ptrdiff_t)column;
      for (size_t n = 0; n < count; n++) {
        finish(&g->store, (int32_t)sums[n], column + n, to + (ptrdiff_t)n, from + (ptrdiff_t)n);
      }
    }
  }
}
