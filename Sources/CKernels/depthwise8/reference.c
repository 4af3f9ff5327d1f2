// 8-bit depthwise convolution in portable C, one pixel and channel at a time.
#include "../math/math_reference.h"
#include "../quantized/curve_reference.h"
#include "depthwise8.h"

// The nearest integer, ties to even; |x| < 2^31.
static int32_t nearest(float x) {
  return (int32_t)apus_round_reference(apus_splat_reference(x))[0];
}

static int32_t clamped(int32_t x, int32_t low, int32_t high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

static void finish(const struct apus_depthwise8 *d, int32_t sum, ptrdiff_t pixel, ptrdiff_t c) {
  const struct apus_quantized_store *s = &d->store;
  const ptrdiff_t to = pixel * d->y_pixel + c;
  float v = (float)sum * s->multiplier[c];
  if (s->kind >= APUS_STORE_CURVE) {
    const uint8_t *added =
        s->residual ? (const uint8_t *)s->residual + pixel * d->residual_pixel + c : NULL;
    ((uint8_t *)s->y)[to] = apus_curve_byte(s, nearest(v), (size_t)c, added);
    return;
  }
  if (s->kind == APUS_STORE_DIRECT) {
    const int32_t y = clamped(nearest(v) + s->zero[c], s->low[c], s->high[c]);
    ((uint8_t *)s->y)[to] = (uint8_t)y;
    return;
  }
  float other = 0.0f;
  if (s->residual) {
    const ptrdiff_t from = pixel * d->residual_pixel + c;
    other = s->residual_type == APUS_REAL
                ? ((const float *)s->residual)[from]
                : (float)(((const uint8_t *)s->residual)[from] - s->residual_zero[c]) *
                      s->residual_scale[c];
    if (!s->residual_last) v = v + other;
  }
  v = apus_apply_reference(apus_splat_reference(v), &s->activation)[0];
  if (s->residual && s->residual_last) v = v + other;
  if (s->y_type == APUS_REAL) {
    ((float *)s->y)[to] = v;
    return;
  }
  const float limit = 1048576.0f;
  v = v * s->inverse[c];
  v = v > -limit ? v : -limit;
  v = v < limit ? v : limit;
  ((uint8_t *)s->y)[to] = (uint8_t)clamped(nearest(v) + s->zero[c], 0, 255);
}

static int8_t weight(const struct apus_depthwise8 *d, ptrdiff_t ky, ptrdiff_t kx, ptrdiff_t c) {
  const ptrdiff_t groups = (d->kernel_height + 3) / 4;
  const ptrdiff_t piece = (c / 64 * groups + ky / 4) * d->kernel_width + kx;
  return d->weights[piece * 256 + c / 4 % 4 * 64 + c / 16 % 4 * 16 + c % 4 * 4 + ky % 4];
}

static void pixel(const struct apus_depthwise8 *d, ptrdiff_t oy, ptrdiff_t ox) {
  for (ptrdiff_t c = 0; c < d->channels; c++) {
    uint32_t sum = (uint32_t)d->store.offset[c];
    for (ptrdiff_t ky = 0; ky < d->kernel_height; ky++) {
      const ptrdiff_t iy = oy * d->stride_y + ky * d->dilation_y - d->pad_top;
      for (ptrdiff_t kx = 0; kx < d->kernel_width; kx++) {
        const ptrdiff_t ix = ox * d->stride_x + kx * d->dilation_x - d->pad_left;
        const int inside = iy >= 0 && iy < d->height && ix >= 0 && ix < d->width;
        const uint8_t x = inside ? d->x[(iy * d->width + ix) * d->x_pixel + c] : d->padding[c];
        sum += (uint32_t)(x * weight(d, ky, kx, c));
      }
    }
    finish(d, (int32_t)sum, oy * d->y_width + ox, c);
  }
}

void apus_depthwise8_reference(const struct apus_depthwise8 *d) {
  for (ptrdiff_t oy = d->first_line; oy < d->first_line + d->line_count; oy++) {
    for (ptrdiff_t ox = 0; ox < d->y_width; ox++) pixel(d, oy, ox);
  }
}
