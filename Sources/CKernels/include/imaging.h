// Row kernels of the image path: colour conversion, resizing, conversion to the model's numbers.
//
// No function allocates, fails or keeps state. Sizes are in elements. Rows may be unaligned; no
// function reads or writes outside the extents stated.
#ifndef APUS_IMAGING_H
#define APUS_IMAGING_H

#include <stdint.h>

// The constants of a YUV to RGB conversion, in 20-bit fixed point:
//   l = max(y − luma_offset, 0) · luma;  r = (l + red_v · v' + 2^19) >> 20 and so on, saturated,
// with u' = u − 128 and v' = v − 128.
typedef struct {
  int32_t luma_offset;
  int32_t luma;
  int32_t red_v;
  int32_t green_u;
  int32_t green_v;
  int32_t blue_u;
} apus_yuv_constants;

// Converts `count` pixels of one row. `u` and `v` hold (count + 1) / 2 samples, `chroma_step` apart
// (1: planar, 2: interleaved; nothing else). Each chroma sample stands for two pixels.
void apus_yuv_row(const uint8_t *luma, const uint8_t *u, const uint8_t *v, int64_t chroma_step,
                  int64_t count, const apus_yuv_constants *constants, uint8_t *restrict red,
                  uint8_t *restrict green, uint8_t *restrict blue);

// Takes `count` samples that lie `step` apart.
void apus_gather_row(const uint8_t *source, int64_t step, int64_t count, uint8_t *restrict target);

// Grey of `count` pixels: (r·4899 + g·9617 + b·1868 + 2^13) >> 14. Samples lie `step` apart.
void apus_gray_row(const uint8_t *red, const uint8_t *green, const uint8_t *blue, int64_t step,
                   int64_t count, uint8_t *restrict target);

// Bilinear resize of a row: target[i] = source[first[i]·step] · left[i] + source[second[i]·step] ·
// right[i]; the weights have 11 bits and sum to 2048.
void apus_resize_row(const uint8_t *source, int64_t step, const int32_t *first,
                     const int32_t *second, const int16_t *left, const int16_t *right,
                     int64_t count, int32_t *restrict target);

// Blends two rows of apus_resize_row with 11-bit weights and rounds to 8 bits.
void apus_blend_rows(const int32_t *upper, const int32_t *lower, int32_t upper_weight,
                     int32_t lower_weight, int64_t count, uint8_t *restrict target);

// Area resize of a row: target[i] = Σ source[k·step] · weights[k], k in the i-th run of
// `run_first[i] ..< run_first[i] + run_count[i]`, its weights one after the other.
void apus_area_row(const uint8_t *source, int64_t step, const int32_t *run_first,
                   const int32_t *run_count, const float *weights, int64_t count,
                   float *restrict target);

// sum[i] += row[i] · weight.
void apus_accumulate_row(const float *row, float weight, int64_t count, float *restrict sum);

// Rounds to nearest (ties to even) and saturates to 8 bits.
void apus_round_row(const float *sum, int64_t count, uint8_t *restrict target);

// target[i·step] = table[source[i]].
void apus_lookup_f32_row(const uint8_t *source, const float *table, int64_t count,
                         float *restrict target, int64_t step);
void apus_lookup_u8_row(const uint8_t *source, const uint8_t *table, int64_t count,
                        uint8_t *restrict target, int64_t step);

#endif
