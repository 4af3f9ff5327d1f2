// Interpolation in plain loops, vectorised for the instruction set of the including file, which
// defines FUNCTION(name). Types are constants where the loops are inlined.

#define INLINE static inline __attribute__((always_inline))
// Keeps loops that copy from becoming calls.
#define NO_CALLS __attribute__((no_builtin("memcpy")))

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

// Adding 2^23 leaves no bits for a fraction.
INLINE uint8_t nearest_byte(float value) {
  value = value > 0.0f ? value : 0.0f;
  value = value < 255.0f ? value : 255.0f;
  return (uint8_t)(int32_t)((value + 8388608.0f) - 8388608.0f);
}

INLINE float element(const void *from, size_t i, uint32_t type) {
  if (type == APUS_RESIZE_FLOAT32) return ((const float *)from)[i];
  if (type == APUS_RESIZE_BFLOAT16) return widened(((const uint16_t *)from)[i]);
  return (float)((const uint8_t *)from)[i];
}

INLINE void put(void *to, size_t i, float value, uint32_t type) {
  if (type == APUS_RESIZE_FLOAT32) ((float *)to)[i] = value;
  else if (type == APUS_RESIZE_BFLOAT16) ((uint16_t *)to)[i] = narrowed(value);
  else ((uint8_t *)to)[i] = nearest_byte(value);
}

INLINE size_t size_of(uint32_t type) {
  return type == APUS_RESIZE_FLOAT32 ? 4 : type == APUS_RESIZE_BFLOAT16 ? 2 : 1;
}

INLINE void rows_of(
    const void *src, const uint32_t type, const int32_t *places, const float *weights,
    size_t taps, size_t row, float *restrict dst) {
  for (size_t t = 0; t < taps; t++) {
    float w = weights[t];
    if (t > 0 && w == 0) continue;
    const void *restrict from = (const char *)src + (size_t)places[t] * row * size_of(type);
    if (t == 0) {
      for (size_t i = 0; i < row; i++) dst[i] = w * element(from, i, type);
    } else {
      for (size_t i = 0; i < row; i++) dst[i] += w * element(from, i, type);
    }
  }
}

void FUNCTION(rows)(
    const void *src, uint32_t type, const int32_t *places, const float *weights, size_t taps,
    size_t row, float *restrict dst) {
  switch (type) {
    case APUS_RESIZE_FLOAT32: rows_of(src, 0, places, weights, taps, row, dst); break;
    case APUS_RESIZE_BFLOAT16: rows_of(src, 1, places, weights, taps, row, dst); break;
    default: rows_of(src, 2, places, weights, taps, row, dst); break;
  }
}

// Pixels of two taps, which bilinear interpolation has.
INLINE void two_taps(
    const float *restrict src, const int32_t *restrict places, const float *restrict weights,
    size_t count, const size_t inner, void *restrict dst, const uint32_t type) {
  for (size_t k = 0; k < count; k++) {
    float a = weights[2 * k], b = weights[2 * k + 1];
    const float *restrict x = src + (size_t)places[2 * k] * inner;
    const float *restrict y = src + (size_t)places[2 * k + 1] * inner;
    void *restrict to = (char *)dst + k * inner * size_of(type);
    for (size_t i = 0; i < inner; i++) put(to, i, a * x[i] + b * y[i], type);
  }
}

INLINE void many_taps(
    const float *restrict src, const int32_t *restrict places, const float *restrict weights,
    size_t taps, size_t count, size_t inner, void *restrict dst, const uint32_t type) {
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
      for (size_t j = 0; j < length; j++) put(dst, k * inner + i + j, sum[j], type);
    }
  }
}

INLINE void pixels_of(
    const float *src, const int32_t *places, const float *weights, size_t taps, size_t count,
    size_t inner, void *dst, const uint32_t type) {
  if (taps == 2 && inner == 1) two_taps(src, places, weights, count, 1, dst, type);
  else if (taps == 2) two_taps(src, places, weights, count, inner, dst, type);
  else many_taps(src, places, weights, taps, count, inner, dst, type);
}

NO_CALLS void FUNCTION(pixels)(
    const float *src, const int32_t *places, const float *weights, size_t taps, size_t count,
    size_t inner, void *dst, uint32_t type) {
  switch (type) {
    case APUS_RESIZE_FLOAT32: pixels_of(src, places, weights, taps, count, inner, dst, 0); break;
    case APUS_RESIZE_BFLOAT16: pixels_of(src, places, weights, taps, count, inner, dst, 1); break;
    default: pixels_of(src, places, weights, taps, count, inner, dst, 2); break;
  }
}

INLINE void pick_pixel(const uint8_t *from, uint8_t *to, size_t length) {
  size_t i = 0;
  for (; i + 64 <= length; i += 64) __builtin_memcpy(to + i, from + i, 64);
  for (; i + 16 <= length; i += 16) __builtin_memcpy(to + i, from + i, 16);
  for (; i + 4 <= length; i += 4) __builtin_memcpy(to + i, from + i, 4);
  for (; i < length; i++) to[i] = from[i];
}

// Copies of fixed sizes, which become single instructions.
NO_CALLS void FUNCTION(pick)(
    const uint8_t *src, size_t src_step, const int32_t *places, size_t count, size_t length,
    uint8_t *dst, size_t dst_step) {
  for (size_t k = 0; k < count; k++) {
    pick_pixel(src + (size_t)places[k] * src_step, dst + k * dst_step, length);
  }
}

#undef INLINE
#undef NO_CALLS
