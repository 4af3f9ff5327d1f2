// Pooling over two spatial axes, channels last, float32 and bfloat16 (enum apus_float).
//
// Computed in float32, rounded to nearest even when stored. No alignment needed; nothing is read or
// written outside the operands.
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

struct apus_pool_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*row)(const struct apus_pool *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_pool_kernel *apus_pool_kernels(size_t *count);

#endif
