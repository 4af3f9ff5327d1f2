#include "imaging.h"

#define YUV_BITS 20

static inline uint8_t saturate(int32_t x) { return x < 0 ? 0 : x > 255 ? 255 : (uint8_t)x; }

void apus_yuv_row(const uint8_t *luma, const uint8_t *u, const uint8_t *v, int64_t chroma_step,
                  int64_t count, const apus_yuv_constants *constants, uint8_t *restrict red,
                  uint8_t *restrict green, uint8_t *restrict blue) {
  const int32_t offset = constants->luma_offset, scale = constants->luma;
  const int32_t half = 1 << (YUV_BITS - 1);
  for (int64_t pair = 0; pair < (count + 1) / 2; pair++) {
    const int32_t cu = (int32_t)u[pair * chroma_step] - 128;
    const int32_t cv = (int32_t)v[pair * chroma_step] - 128;
    const int32_t r = half + constants->red_v * cv;
    const int32_t g = half + constants->green_u * cu + constants->green_v * cv;
    const int32_t b = half + constants->blue_u * cu;
    const int64_t end = pair * 2 + 2 < count ? pair * 2 + 2 : count;
    for (int64_t x = pair * 2; x < end; x++) {
      int32_t l = (int32_t)luma[x] - offset;
      l = (l < 0 ? 0 : l) * scale;
      red[x] = saturate((l + r) >> YUV_BITS);
      green[x] = saturate((l + g) >> YUV_BITS);
      blue[x] = saturate((l + b) >> YUV_BITS);
    }
  }
}

void apus_gather_row(const uint8_t *source, int64_t step, int64_t count,
                     uint8_t *restrict target) {
  for (int64_t i = 0; i < count; i++) target[i] = source[i * step];
}

void apus_gray_row(const uint8_t *red, const uint8_t *green, const uint8_t *blue, int64_t step,
                   int64_t count, uint8_t *restrict target) {
  for (int64_t i = 0; i < count; i++) {
    const uint32_t sum =
        red[i * step] * 4899u + green[i * step] * 9617u + blue[i * step] * 1868u + 8192u;
    target[i] = (uint8_t)(sum >> 14);
  }
}

void apus_resize_row(const uint8_t *source, int64_t step, const int32_t *first,
                     const int32_t *second, const int16_t *left, const int16_t *right,
                     int64_t count, int32_t *restrict target) {
  for (int64_t i = 0; i < count; i++) {
    target[i] = source[first[i] * step] * left[i] + source[second[i] * step] * right[i];
  }
}

void apus_blend_rows(const int32_t *upper, const int32_t *lower, int32_t upper_weight,
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

void apus_accumulate_row(const float *row, float weight, int64_t count, float *restrict sum) {
  for (int64_t i = 0; i < count; i++) sum[i] += row[i] * weight;
}

void apus_round_row(const float *sum, int64_t count, uint8_t *restrict target) {
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
