// The two halves of a separable interpolation: rows blended into one, then pixels of a row.
#ifndef APUS_RESIZE_H
#define APUS_RESIZE_H

#include <stddef.h>
#include <stdint.h>

// dst[i] = Σ weights[t] · src[places[t] * row + i], i < row, t < taps, in the order of t. Elements
// of src are float32, or bfloat16 where `bfloat16` is not 0. dst: `row` floats apart from src.
typedef void apus_blend_tensor_rows(
    const void *src, uint32_t bfloat16, const int32_t *places, const float *weights, size_t taps,
    size_t row, float *dst);

// dst[k * inner + i] = Σ weights[k * taps + t] · src[places[k * taps + t] * inner + i], k < count,
// i < inner, in the order of t; dst is float32, or bfloat16 (rounded to nearest even).
typedef void apus_blend_pixels(
    const float *src, const int32_t *places, const float *weights, size_t taps, size_t count,
    size_t inner, void *dst, uint32_t bfloat16);

struct apus_resize_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  apus_blend_tensor_rows *rows;
  apus_blend_pixels *pixels;
};

// The kernels of this build, best first; `count` is set to their number. All give the same bits.
const struct apus_resize_kernel *apus_resize_kernels(size_t *count);

#endif
