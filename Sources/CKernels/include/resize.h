// The two halves of a separable interpolation: rows blended into one, then pixels of a row; and
// the choice of pixels.
#ifndef APUS_RESIZE_H
#define APUS_RESIZE_H

#include <stddef.h>
#include <stdint.h>

// The element types of tensors. Bytes are quantised: a blend is rounded to the nearest integer,
// ties to even, and saturated.
enum apus_resize_type {
  APUS_RESIZE_FLOAT32 = 0,
  APUS_RESIZE_BFLOAT16 = 1,
  APUS_RESIZE_UINT8 = 2,
};

// dst[i] = Σ weights[t] · src[places[t] * row + i], i < row, t < taps, in the order of t. Elements
// of src are of `type`. dst: `row` floats apart from src.
typedef void apus_blend_tensor_rows(
    const void *src, uint32_t type, const int32_t *places, const float *weights, size_t taps,
    size_t row, float *dst);

// dst[k * inner + i] = Σ weights[k * taps + t] · src[places[k * taps + t] * inner + i], k < count,
// i < inner, in the order of t; dst is of `type` (bfloat16: rounded to nearest even).
typedef void apus_blend_pixels(
    const float *src, const int32_t *places, const float *weights, size_t taps, size_t count,
    size_t inner, void *dst, uint32_t type);

// dst[k * dst_step + i] = src[places[k] * src_step + i], k < count, i < length; bytes.
typedef void apus_pick_pixels(
    const uint8_t *src, size_t src_step, const int32_t *places, size_t count, size_t length,
    uint8_t *dst, size_t dst_step);

struct apus_resize_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  apus_blend_tensor_rows *rows;
  apus_blend_pixels *pixels;
  apus_pick_pixels *pick;
};

// The kernels of this build, best first; `count` is set to their number. All give the same bits.
const struct apus_resize_kernel *apus_resize_kernels(size_t *count);

#endif
