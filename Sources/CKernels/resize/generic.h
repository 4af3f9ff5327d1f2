// Interpolation in plain loops, vectorised for the instruction set of the including file, which
// defines FUNCTION(name).

#define INLINE static inline __attribute__((always_inline))

INLINE float widened(uint16_t bits) {
  union {
    uint32_t bits;
    float value;
  } x = {(uint32_t)bits << 16};
  return x.value;
}

// To nearest, ties to even; a NaN stays a quiet NaN.
INLINE uint16_t narrowed(float value) {
  union {
    float value;
    uint32_t bits;
  } x = {value};
  uint32_t rounded = x.bits + 0x7FFF + ((x.bits >> 16) & 1);
  uint32_t quiet = x.bits | 0x400000;
  return (uint16_t)((value != value ? quiet : rounded) >> 16);
}

void FUNCTION(rows)(
    const void *src, uint32_t bfloat16, const int32_t *places, const float *weights, size_t taps,
    size_t row, float *restrict dst) {
  for (size_t t = 0; t < taps; t++) {
    float w = weights[t];
    if (t > 0 && w == 0) continue;
    if (bfloat16) {
      const uint16_t *restrict from = (const uint16_t *)src + (size_t)places[t] * row;
      if (t == 0) {
        for (size_t i = 0; i < row; i++) dst[i] = w * widened(from[i]);
      } else {
        for (size_t i = 0; i < row; i++) dst[i] += w * widened(from[i]);
      }
    } else {
      const float *restrict from = (const float *)src + (size_t)places[t] * row;
      if (t == 0) {
        for (size_t i = 0; i < row; i++) dst[i] = w * from[i];
      } else {
        for (size_t i = 0; i < row; i++) dst[i] += w * from[i];
      }
    }
  }
}

// Both halves of two taps, which bilinear interpolation has.
INLINE void two_taps(
    const float *restrict src, const int32_t *restrict places, const float *restrict weights,
    size_t count, size_t inner, void *restrict dst, int bfloat16) {
  for (size_t k = 0; k < count; k++) {
    float a = weights[2 * k], b = weights[2 * k + 1];
    const float *restrict x = src + (size_t)places[2 * k] * inner;
    const float *restrict y = src + (size_t)places[2 * k + 1] * inner;
    if (bfloat16) {
      uint16_t *restrict to = (uint16_t *)dst + k * inner;
      for (size_t i = 0; i < inner; i++) to[i] = narrowed(a * x[i] + b * y[i]);
    } else {
      float *restrict to = (float *)dst + k * inner;
      for (size_t i = 0; i < inner; i++) to[i] = a * x[i] + b * y[i];
    }
  }
}

INLINE void many_taps(
    const float *restrict src, const int32_t *restrict places, const float *restrict weights,
    size_t taps, size_t count, size_t inner, void *restrict dst, int bfloat16) {
  for (size_t k = 0; k < count; k++) {
    const int32_t *p = places + k * taps;
    const float *w = weights + k * taps;
    for (size_t i = 0; i < inner; i += 16) {
      size_t length = inner - i < 16 ? inner - i : 16;
      float sum[16];
      for (size_t j = 0; j < length; j++) sum[j] = w[0] * src[(size_t)p[0] * inner + i + j];
      for (size_t t = 1; t < taps; t++) {
        const float *from = src + (size_t)p[t] * inner + i;
        for (size_t j = 0; j < length; j++) sum[j] += w[t] * from[j];
      }
      if (bfloat16) {
        for (size_t j = 0; j < length; j++) ((uint16_t *)dst)[k * inner + i + j] = narrowed(sum[j]);
      } else {
        for (size_t j = 0; j < length; j++) ((float *)dst)[k * inner + i + j] = sum[j];
      }
    }
  }
}

void FUNCTION(pixels)(
    const float *src, const int32_t *places, const float *weights, size_t taps, size_t count,
    size_t inner, void *dst, uint32_t bfloat16) {
  if (taps == 2 && inner == 1) {
    if (bfloat16) {
      two_taps(src, places, weights, count, 1, dst, 1);
    } else {
      two_taps(src, places, weights, count, 1, dst, 0);
    }
  } else if (taps == 2) {
    if (bfloat16) {
      two_taps(src, places, weights, count, inner, dst, 1);
    } else {
      two_taps(src, places, weights, count, inner, dst, 0);
    }
  } else if (bfloat16) {
    many_taps(src, places, weights, taps, count, inner, dst, 1);
  } else {
    many_taps(src, places, weights, taps, count, inner, dst, 0);
  }
}

#undef INLINE
