// The matrix product in portable C: one row and one panel at a time.
#include "../math/math_reference.h"
#include "gemm.h"

enum { PANEL = 16 };

static float widen(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float y;
  __builtin_memcpy(&y, &bits, sizeof y);
  return y;
}

static uint16_t rounded(float x) {
  return (uint16_t)apus_bfloat16_reference(apus_splat_reference(x))[0];
}

static float load(const void *base, ptrdiff_t index, uint32_t type) {
  if (type == APUS_FLOAT32) return ((const float *)base)[index];
  return widen(((const uint16_t *)base)[index]);
}

// Applies scale, bias, residual and function to the sums of a row, and stores `count` of them.
static void finish(const struct apus_gemm *g, size_t row, size_t column, const float *sums) {
  size_t count = g->columns - column < PANEL ? g->columns - column : PANEL;
  ptrdiff_t line = (ptrdiff_t)(row / g->width), pixel = (ptrdiff_t)(row % g->width);
  ptrdiff_t to = line * g->y_line + pixel * g->y_pixel + (ptrdiff_t)column;
  ptrdiff_t from = line * g->residual_line + pixel * g->residual_pixel + (ptrdiff_t)column;
  for (size_t n = 0; n < count; n++) {
    float x = sums[n] * g->scale;
    if (g->bias) x += g->bias[column + n];
    float other = g->residual ? load(g->residual, from + (ptrdiff_t)n, g->residual_type) : 0.0f;
    if (g->residual && !g->residual_last) x += other;
    x = apus_apply_reference(apus_splat_reference(x), &g->activation)[0];
    if (g->residual && g->residual_last) x += other;
    if (g->y_type == APUS_FLOAT32) {
      ((float *)g->y)[to + (ptrdiff_t)n] = x;
    } else {
      ((uint16_t *)g->y)[to + (ptrdiff_t)n] = rounded(x);
    }
  }
}

void apus_gemm_f32_reference(const struct apus_gemm *g) {
  for (size_t column = 0; column < g->columns; column += PANEL) {
    const float *panel = (const float *)g->b + column / PANEL * g->panel_step;
    for (size_t row = g->first; row < g->first + g->count; row++) {
      const float *a = (const float *)g->a + (ptrdiff_t)(row / g->width) * g->a_line +
                       (ptrdiff_t)(row % g->width) * g->a_pixel;
      const float *b = panel;
      float sums[PANEL] = {0};
      for (size_t r = 0; r < g->run_count; r++) {
        for (size_t k = 0; k < g->run_length; k++, b += PANEL) {
          float x = a[g->runs[r] + (ptrdiff_t)k];
          for (size_t n = 0; n < PANEL; n++) sums[n] += x * b[n];
        }
      }
      finish(g, row, column, sums);
    }
  }
}

void apus_gemm_bf16_reference(const struct apus_gemm *g) {
  for (size_t column = 0; column < g->columns; column += PANEL) {
    const uint16_t *panel = (const uint16_t *)g->b + column / PANEL * g->panel_step;
    for (size_t row = g->first; row < g->first + g->count; row++) {
      const uint16_t *a = (const uint16_t *)g->a + (ptrdiff_t)(row / g->width) * g->a_line +
                          (ptrdiff_t)(row % g->width) * g->a_pixel;
      const uint16_t *b = panel;
      float sums[PANEL] = {0};
      for (size_t r = 0; r < g->run_count; r++) {
        for (size_t k = 0; k < g->run_length; k += 2, b += 2 * PANEL) {
          float x0 = widen(a[g->runs[r] + (ptrdiff_t)k]);
          float x1 = widen(a[g->runs[r] + (ptrdiff_t)k + 1]);
          for (size_t n = 0; n < PANEL; n++) {
            sums[n] += x0 * widen(b[2 * n]);
            sums[n] += x1 * widen(b[2 * n + 1]);
          }
        }
      }
      finish(g, row, column, sums);
    }
  }
}

void apus_round_bfloat16_portable(const float *src, uint16_t *dst, size_t count) {
  for (size_t i = 0; i < count; i++) dst[i] = rounded(src[i]);
}
