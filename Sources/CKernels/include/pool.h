// Pooling over two spatial axes, channels last.
//
// Elements of float32 and bfloat16 (enum apus_float) are computed in float32 and rounded to nearest
// even when stored. No alignment needed; nothing is written outside the operands, and nothing read
// but up to 63 bytes behind x where it is uint8.
#ifndef APUS_POOL_H
#define APUS_POOL_H

#include <stddef.h>
#include <stdint.h>

// The numbers are those of Swift's `Pool.Function`.
enum apus_pool_function { APUS_POOL_MAXIMUM = 0, APUS_POOL_AVERAGE = 1 };

// One row of output pixels. Pixel (h, w) of the image starts (h · width + w) · x_pixel elements
// after x; output pixel w starts w · y_pixel elements after y. Window element (i, j) of output
// pixel (row, w) lies at h = row · stride_h - pad_top + i · dilation_h, w alike; those outside the
// image do not take part. An average divides by their number, or with `counts_padding` by that of
// those inside the image and its padding.
struct apus_pool {
  const void *x;
  void *y;
  ptrdiff_t x_pixel, y_pixel;
  uint32_t x_type, y_type;
  size_t height, width, channels;
  size_t output_width, row;
  size_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  size_t pad_top, pad_left, pad_bottom, pad_right;
  uint32_t function;
  uint32_t counts_padding;
};

// The average of bytes that stand for real numbers; every ISA gives the same bits. With S the sum
// of x - x_zero[c] over the n window elements inside the image and N their number or that which
// includes padding, each step one float32 operation:
//
//   v = S · multiplier[c] / N          (0 where no element is inside)
//   y = v, or clamp(round(v) + y_zero[c], 0, 255)
//
// round: to nearest, ties to even, of v clamped to -2^20 ... 2^20. Images have at most 2^23 pixels.
struct apus_pool_bytes {
  struct apus_pool window;  // x_type, y_type, function unused
  const int32_t *x_zero;
  const float *multiplier;  // scale(x) / scale(y); for a float32 y scale(x)
  const int32_t *y_zero;
  uint32_t y_real;          // 1: y is float32, else uint8
};

struct apus_pool_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*row)(const struct apus_pool *);
  // x and y uint8; 0 for an empty window
  void (*maximum_bytes)(const struct apus_pool *);
  void (*average_bytes)(const struct apus_pool_bytes *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_pool_kernel *apus_pool_kernels(size_t *count);

#endif
