// Depthwise convolution in portable C, one pixel and channel at a time.
#include "../math/math_reference.h"
#include "depthwise.h"
#include "gemm.h"

static float load(const void *base, ptrdiff_t index, uint32_t type) {
  if (type == APUS_FLOAT32) return ((const float *)base)[index];
  uint32_t bits = (uint32_t)((const uint16_t *)base)[index] << 16;
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

static void pixel(const struct apus_depthwise *d, ptrdiff_t oy, ptrdiff_t ox) {
  const ptrdiff_t at = oy * d->y_width + ox;
  for (ptrdiff_t c = 0; c < d->channels; c++) {
    float sum = 0.0f;
    for (ptrdiff_t ky = 0; ky < d->kernel_height; ky++) {
      ptrdiff_t iy = oy * d->stride_y + ky * d->dilation_y - d->pad_top;
      if (iy < 0 || iy >= d->height) continue;
      for (ptrdiff_t kx = 0; kx < d->kernel_width; kx++) {
        ptrdiff_t ix = ox * d->stride_x + kx * d->dilation_x - d->pad_left;
        if (ix < 0 || ix >= d->width) continue;
        float weight = d->weights[(ky * d->kernel_width + kx) * d->weight_step + c];
        sum += load(d->x, (iy * d->width + ix) * d->x_pixel + c, d->x_type) * weight;
      }
    }
    if (d->bias) sum += d->bias[c];
    float other =
        d->residual ? load(d->residual, at * d->residual_pixel + c, d->residual_type) : 0.0f;
    if (d->residual && !d->residual_last) sum += other;
    sum = apus_apply_reference(apus_splat_reference(sum), &d->activation)[0];
    if (d->residual && d->residual_last) sum += other;
    if (d->y_type == APUS_FLOAT32) {
      ((float *)d->y)[at * d->y_pixel + c] = sum;
    } else {
      ((uint16_t *)d->y)[at * d->y_pixel + c] =
          (uint16_t)apus_bfloat16_reference(apus_splat_reference(sum))[0];
    }
  }
}

void apus_depthwise_reference(const struct apus_depthwise *d) {
  for (ptrdiff_t oy = d->first_line; oy < d->first_line + d->line_count; oy++) {
    for (ptrdiff_t ox = 0; ox < d->y_width; ox++) pixel(d, oy, ox);
  }
}
