// Depthwise convolution: every channel has its own window.
//
//   y[oy][ox][c] = f(Σ x[oy·sy + ky·dy - top][ox·sx + kx·dx - left][c] · w[ky·kw + kx][c]
//                    + bias[c] + residual[oy][ox][c])
//
// x: one image [height][width][channels], pixels `x_pixel` elements apart; taps outside it count
// as zero. y and residual: [..][y_width][channels], pixels `y_pixel` and `residual_pixel` apart.
// x, y and residual are float32 or bfloat16; weights and bias float32; sums float32.
//
// Kernels that are not fused give the same bits on every ISA: each product is rounded, and they are
// added in the order of ky and kx. The fused ones skip the first rounding.
//
// Alignment: none needed. Reads past the operands: up to 60 bytes behind x, weights and bias.
// Y is written exactly.
#ifndef APUS_DEPTHWISE_H
#define APUS_DEPTHWISE_H

#include <stddef.h>
#include <stdint.h>

#include "functions.h"

struct apus_depthwise {
  const void *x;
  uint32_t x_type;  // enum apus_float
  ptrdiff_t x_pixel;
  ptrdiff_t height;
  ptrdiff_t width;
  ptrdiff_t kernel_height;
  ptrdiff_t kernel_width;
  ptrdiff_t stride_y;
  ptrdiff_t stride_x;
  ptrdiff_t pad_top;
  ptrdiff_t pad_left;
  ptrdiff_t dilation_y;
  ptrdiff_t dilation_x;

  const float *weights;  // rows of `weight_step` floats
  ptrdiff_t weight_step;
  const float *bias;  // null: zeros

  // The pointers x, weights, bias, y and residual are those of the first channel computed.
  ptrdiff_t channels;

  void *y;  // line 0, pixel 0
  uint32_t y_type;
  ptrdiff_t y_pixel;
  ptrdiff_t y_width;
  ptrdiff_t first_line;
  ptrdiff_t line_count;

  const void *residual;  // null: none; line 0, pixel 0
  uint32_t residual_type;
  uint32_t residual_last;
  ptrdiff_t residual_pixel;

  struct apus_activation activation;
};

struct apus_depthwise_kernel {
  const char *name;
  uint32_t isa;    // enum apus_isa
  uint32_t fused;  // 1: multiplies and adds with one rounding
  void (*run)(const struct apus_depthwise *);
};

// The kernels of this build, best first; `count` is set to their number.
const struct apus_depthwise_kernel *apus_depthwise_kernels(size_t *count);

#endif
