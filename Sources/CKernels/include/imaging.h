// The image path: colour conversion, resizing, conversion to the model's numbers, row by row.
//
// A picture is resized in two steps: `columns` makes a source row as wide as the target, in whole
// numbers of 1/128; `rows` blends two such rows, rounds to 8 bits, looks the bytes up and stores
// the model's numbers. All kernels give the same bits: the arithmetic is that of integers, or of
// floats in a fixed order. No function allocates, fails or keeps state, reads or writes outside
// the extents stated. Sizes are in elements; rows may be unaligned.
#ifndef APUS_IMAGING_H
#define APUS_IMAGING_H

#include <stddef.h>
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

// target[c][i] = (x(first[i]) · left[i] + x(min(first[i] + 1, width − 1)) · right[i]) >> 4, x being
// channel c of the source row. The weights have 11 bits and sum to about 2048.
struct apus_columns {
  // Without `yuv`: the first sample of each channel. With it: luma, U and V, each chroma sample
  // standing for two pixels; the channels are then red, green and blue.
  const uint8_t *source[3];
  ptrdiff_t step;                 // from sample to sample; with `yuv` of the chroma only: 1 or 2
  const apus_yuv_constants *yuv;  // null: the samples are the channels
  size_t width;                   // pixels of the source row, at least 1
  const int32_t *first;           // by column, never falling, less than width
  const int16_t *weights;         // by column: left, right
  uint32_t channels;              // 1 or 3; 3 with `yuv`
  uint32_t is_picking;            // 1: every left weight is 2048 and every right one 0
  size_t count;                   // columns
  uint32_t *scratch;              // 2 · count elements
  int16_t *target[3];
};

// b = ((upper · upper_weight) >> 16) + ((lower · lower_weight) >> 16), then (b + 2) >> 2 saturated
// to 8 bits, or the bytes given; looked up and stored.
struct apus_rows {
  const int16_t *upper[3];  // of `columns`
  const int16_t *lower[3];
  int32_t upper_weight;     // 0 … 2048
  int32_t lower_weight;
  const uint8_t *bytes[3];  // the pixels themselves, by channel; null: blend
  const void *table[3];     // 256 elements by channel; null: elements are the bytes
  const uint8_t *split[3];  // the same elements by the places of their bytes: 256 lowest, …
  uint32_t element_size;    // 1, 2 or 4 bytes
  uint32_t channels;        // 1 or 3
  uint32_t is_interleaved;  // 1: target[0] has the channels of a pixel side by side
  size_t count;             // pixels
  void *target[3];
};

struct apus_imaging_kernel {
  const char *name;
  uint32_t isa;      // enum apus_isa
  const char *flag;  // a processor flag that the kernel needs beyond the ISA; null: none
  void (*columns)(const struct apus_columns *);
  void (*rows)(const struct apus_rows *);

  // Converts `count` pixels of one row. `u` and `v` hold (count + 1) / 2 samples, `chroma_step`
  // apart (1: planar, 2: interleaved; nothing else). Each chroma sample stands for two pixels.
  void (*yuv_row)(
      const uint8_t *luma, const uint8_t *u, const uint8_t *v, ptrdiff_t chroma_step, size_t count,
      const apus_yuv_constants *constants, uint8_t *restrict red, uint8_t *restrict green,
      uint8_t *restrict blue);

  // Grey of `count` pixels: (r·4899 + g·9617 + b·1868 + 2^13) >> 14. Samples lie `step` apart.
  void (*gray_row)(
      const uint8_t *red, const uint8_t *green, const uint8_t *blue, ptrdiff_t step, size_t count,
      uint8_t *restrict target);

  // Area resize of a row: target[i] = Σ source[k·step] · weights[k], k in the i-th run of
  // `run_first[i] ..< run_first[i] + run_count[i]`, its weights one after the other.
  void (*area_row)(
      const uint8_t *source, ptrdiff_t step, const int32_t *run_first, const int32_t *run_count,
      const float *weights, size_t count, float *restrict target);

  // sum[i] += row[i] · weight.
  void (*accumulate_row)(const float *row, float weight, size_t count, float *restrict sum);

  // Rounds to nearest (ties to even) and saturates to 8 bits.
  void (*round_row)(const float *sum, size_t count, uint8_t *restrict target);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_imaging_kernel *apus_imaging_kernels(size_t *count);

#endif
