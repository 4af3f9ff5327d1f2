// 8-bit depthwise convolution: every channel has its own window.
//
//   s[oy][ox][c] = offset[c] + Σ x[oy·sy + ky·dy - top][ox·sx + kx·dx - left][c] · w[ky][kx][c]
//   y[oy][ox][c] = the store of s (quantized.h)
//
// x: one image [height][width][channels] of uint8, pixels `x_pixel` elements apart; taps outside it
// read `padding[c]`, the zero point of x. w: int8, packed as below. y and residual: lines of
// `y_width` pixels, which lie `y_pixel` and `residual_pixel` elements apart.
//
// Packed weights: [⌈channels / 64⌉][⌈kernel_height / 4⌉][kernel_width][256], zeros where there is
// no channel or no kernel row. The 256 are [4][4][4][4]: channel c of the block of 64 and row r of
// the group of 4 stand at [c / 4 % 4][c / 16][c % 4][r]. This is the order in which bytes of four
// rows lie after unpacking them twice within lanes of 16 bytes, and it suits vectors of 32 and 64
// bytes.
//
// The pointers are those of the first channel computed, which starts a block of 64. Alignment: none
// needed. Reads past the operands: up to 63 bytes behind x, padding and a uint8 residual; up to 12
// bytes behind offset and a float32 residual; the other arrays of columns as quantized.h says. Y is
// written exactly.
#ifndef APUS_DEPTHWISE8_H
#define APUS_DEPTHWISE8_H

#include <stddef.h>
#include <stdint.h>

#include "quantized.h"

struct apus_depthwise8 {
  const uint8_t *x;
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
  const uint8_t *padding;
  const int8_t *weights;
  ptrdiff_t channels;

  struct apus_quantized_store store;  // y and residual: line 0, pixel 0
  ptrdiff_t y_pixel;
  ptrdiff_t y_width;
  ptrdiff_t first_line;
  ptrdiff_t line_count;
  ptrdiff_t residual_pixel;
};

struct apus_depthwise8_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*run)(const struct apus_depthwise8 *);
};

// The kernels of this build, best first; `count` is set to their number. All give the same bits.
const struct apus_depthwise8_kernel *apus_depthwise8_kernels(size_t *count);

#endif
