#include "imaging.h"

#define YUV_BITS 20

// Compiled twice on x86-64; the loader takes the copy that the processor can run. Both give the
// same bits: the arithmetic is that of integers, or of floats in a fixed order.
#if defined(__x86_64__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

static inline uint8_t saturate(int32_t x) { return x < 0 ? 0 : x > 255 ? 255 : (uint8_t)x; }

// Two pixels per chroma sample; `step` is a constant where it is called, so that each layout gets
// its own loop.
static inline __attribute__((always_inline)) void yuv_pairs(
    const uint8_t *restrict luma, const uint8_t *restrict u, const uint8_t *restrict v,
    int64_t step, int64_t pairs, const apus_yuv_constants *constants, uint8_t *restrict red,
    uint8_t *restrict green, uint8_t *restrict blue) {
  const int32_t offset = constants->luma_offset, scale = constants->luma;
  const int32_t red_v = constants->red_v, green_u = constants->green_u;
  const int32_t green_v = constants->green_v, blue_u = constants->blue_u;
  const int32_t half = 1 << (YUV_BITS - 1);
  for (int64_t i = 0; i < pairs; i++) {
    const int32_t cu = (int32_t)u[i * step] - 128, cv = (int32_t)v[i * step] - 128;
    const int32_t r = half + red_v * cv;
    const int32_t g = half + green_u * cu + green_v * cv;
    const int32_t b = half + blue_u * cu;
    const int32_t even = (int32_t)luma[2 * i] - offset, odd = (int32_t)luma[2 * i + 1] - offset;
    const int32_t l0 = (even < 0 ? 0 : even) * scale, l1 = (odd < 0 ? 0 : odd) * scale;
    red[2 * i] = saturate((l0 + r) >> YUV_BITS);
    red[2 * i + 1] = saturate((l1 + r) >> YUV_BITS);
    green[2 * i] = saturate((l0 + g) >> YUV_BITS);
    green[2 * i + 1] = saturate((l1 + g) >> YUV_BITS);
    blue[2 * i] = saturate((l0 + b) >> YUV_BITS);
    blue[2 * i + 1] = saturate((l1 + b) >> YUV_BITS);
  }
}

WIDE void apus_yuv_row(const uint8_t *luma, const uint8_t *u, const uint8_t *v,
                       int64_t chroma_step, int64_t count, const apus_yuv_constants *constants,
                       uint8_t *restrict red, uint8_t *restrict green, uint8_t *restrict blue) {
  const int64_t pairs = count / 2;
  if (chroma_step == 1) {
    yuv_pairs(luma, u, v, 1, pairs, constants, red, green, blue);
  } else {
    yuv_pairs(luma, u, v, 2, pairs, constants, red, green, blue);
  }
  if (count % 2 == 0) return;
  const uint8_t last[2] = {luma[count - 1], luma[count - 1]};
  uint8_t rgb[3][2];
  yuv_pairs(last, u + pairs * chroma_step, v + pairs * chroma_step, 1, 1, constants, rgb[0],
            rgb[1], rgb[2]);
  red[count - 1] = rgb[0][0];
  green[count - 1] = rgb[1][0];
  blue[count - 1] = rgb[2][0];
}

void apus_gather_row(const uint8_t *source, int64_t step, int64_t count,
                     uint8_t *restrict target) {
  for (int64_t i = 0; i < count; i++) target[i] = source[i * step];
}

WIDE void apus_gray_row(const uint8_t *red, const uint8_t *green, const uint8_t *blue, int64_t step,
                   int64_t count, uint8_t *restrict target) {
  for (int64_t i = 0; i < count; i++) {
    const uint32_t sum =
        red[i * step] * 4899u + green[i * step] * 9617u + blue[i * step] * 1868u + 8192u;
    target[i] = (uint8_t)(sum >> 14);
  }
}

WIDE void apus_resize_row(const uint8_t *source, int64_t step, const int32_t *first,
                     const int32_t *second, const int16_t *left, const int16_t *right,
                     int64_t count, int32_t *restrict target) {
  for (int64_t i = 0; i < count; i++) {
    target[i] = source[first[i] * step] * left[i] + source[second[i] * step] * right[i];
  }
}

WIDE void apus_blend_rows(const int32_t *upper, const int32_t *lower, int32_t upper_weight,
                     int32_t lower_weight, int64_t count, uint8_t *restrict target) {
  for (int64_t i = 0; i < count; i++) {
    const int32_t a = ((upper[i] >> 4) * upper_weight) >> 16;
    const int32_t b = ((lower[i] >> 4) * lower_weight) >> 16;
    target[i] = saturate((a + b + 2) >> 2);
  }
}

void apus_area_row(const uint8_t *source, int64_t step, const int32_t *run_first,
                   const int32_t *run_count, const float *weights, int64_t count,
                   float *restrict target) {
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *from = source + run_first[i] * step;
    float sum = 0;
    for (int32_t k = 0; k < run_count[i]; k++) sum += from[k * step] * weights[k];
    weights += run_count[i];
    target[i] = sum;
  }
}

WIDE void apus_accumulate_row(const float *row, float weight, int64_t count, float *restrict sum) {
  for (int64_t i = 0; i < count; i++) sum[i] += row[i] * weight;
}

WIDE void apus_round_row(const float *sum, int64_t count, uint8_t *restrict target) {
  // Adding 1.5 · 2^23 leaves the nearest whole number, ties to even, in the low bits.
  const float magic = 12582912.0f;
  for (int64_t i = 0; i < count; i++) {
    const float x = sum[i] < 0 ? 0 : sum[i] > 255 ? 255 : sum[i];
    union {
      float value;
      int32_t bits;
    } rounded = {x + magic};
    target[i] = (uint8_t)rounded.bits;
  }
}

void apus_lookup_f32_row(const uint8_t *source, const float *table, int64_t count,
                         float *restrict target, int64_t step) {
  for (int64_t i = 0; i < count; i++) target[i * step] = table[source[i]];
}

void apus_lookup_u8_row(const uint8_t *source, const uint8_t *table, int64_t count,
                        uint8_t *restrict target, int64_t step) {
  for (int64_t i = 0; i < count; i++) target[i * step] = table[source[i]];
}
