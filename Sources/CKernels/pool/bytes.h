// Pooling of bytes: one text for every ISA, on the compiler's vectors. Included after generic.h.
//
// A step does 64 channels. Sums of bytes are kept in 16 bits, which 256 of them cannot exceed, and
// then added to sums of 32 bits in memory.

enum { STEP = 64, RUN = 256 };

typedef uint8_t bytes_vector __attribute__((vector_size(STEP)));
typedef uint16_t words_vector __attribute__((vector_size(2 * STEP)));

// Passed by reference: baseline x86-64 has no registers to return such a vector in.
INLINE void load_bytes(bytes_vector *v, const uint8_t *p) { __builtin_memcpy(v, p, sizeof *v); }

INLINE struct reach height_reach(const struct apus_pool *c) {
  return reach_of(
      c->row, c->stride_h, c->pad_top, c->pad_bottom, c->kernel_h, c->dilation_h, c->height);
}

INLINE struct reach width_reach(const struct apus_pool *c, size_t o) {
  return reach_of(
      o, c->stride_w, c->pad_left, c->pad_right, c->kernel_w, c->dilation_w, c->width);
}

// The first byte of a window.
INLINE const uint8_t *window_start(const struct apus_pool *c, struct reach h, struct reach w) {
  const uint8_t *x = (const uint8_t *)c->x;
  if (h.count == 0 || w.count == 0) return x;
  return x + (ptrdiff_t)(h.first * c->width + w.first) * c->x_pixel;
}

void ISA_NAME(apus_pool_maximum_bytes)(const struct apus_pool *c) {
  const ptrdiff_t right = (ptrdiff_t)c->dilation_w * c->x_pixel;
  const ptrdiff_t down = (ptrdiff_t)(c->dilation_h * c->width) * c->x_pixel;
  const struct reach h = height_reach(c);
  for (size_t o = 0; o < c->output_width; o++) {
    const struct reach w = width_reach(c, o);
    const uint8_t *x = window_start(c, h, w);
    uint8_t *y = (uint8_t *)c->y + (ptrdiff_t)o * c->y_pixel;
    for (size_t i = 0; i < c->channels; i += STEP) {
      bytes_vector best = {0};
      for (size_t a = 0; a < h.count; a++) {
        const uint8_t *p = x + (ptrdiff_t)a * down + i;
        for (size_t b = 0; b < w.count; b++, p += right) {
          bytes_vector bytes;
          load_bytes(&bytes, p);
          best = __builtin_elementwise_max(best, bytes);
        }
      }
      if (c->channels - i >= STEP) {
        __builtin_memcpy(y + i, &best, sizeof best);
      } else {
        for (size_t j = 0; j < c->channels - i; j++) y[i + j] = best[j];
      }
    }
  }
}

// Sums the bytes of a window in 64 channels.
INLINE void sum_bytes(
    const struct apus_pool *c, const uint8_t *x, struct reach h, struct reach w, int32_t *sums) {
  const ptrdiff_t right = (ptrdiff_t)c->dilation_w * c->x_pixel;
  const ptrdiff_t down = (ptrdiff_t)(c->dilation_h * c->width) * c->x_pixel;
  for (size_t j = 0; j < STEP; j++) sums[j] = 0;
  words_vector part = {0};
  size_t run = 0;
  for (size_t a = 0; a < h.count; a++) {
    const uint8_t *p = x + (ptrdiff_t)a * down;
    for (size_t b = 0; b < w.count; b++, p += right) {
      bytes_vector bytes;
      load_bytes(&bytes, p);
      part += __builtin_convertvector(bytes, words_vector);
      if (++run == RUN) {
        for (size_t j = 0; j < STEP; j++) sums[j] += part[j];
        part = (words_vector){0};
        run = 0;
      }
    }
  }
  for (size_t j = 0; j < STEP; j++) sums[j] += part[j];
}

void ISA_NAME(apus_pool_average_bytes)(const struct apus_pool_bytes *call) {
  const struct apus_pool *c = &call->window;
  const float limit = 1048576.0f;
  const float magic = 12582912.0f;  // 1.5 · 2^23 leaves no bits for a fraction
  const struct reach h = height_reach(c);
  for (size_t o = 0; o < c->output_width; o++) {
    const struct reach w = width_reach(c, o);
    const uint8_t *x = window_start(c, h, w);
    const size_t inside = h.count * w.count;
    const size_t divisor = c->counts_padding ? h.counted * w.counted : inside;
    const float count = divisor > 0 ? (float)divisor : 1.0f;
    for (size_t i = 0; i < c->channels; i += STEP) {
      const size_t n = c->channels - i < STEP ? c->channels - i : STEP;
      const ptrdiff_t to = (ptrdiff_t)o * c->y_pixel + (ptrdiff_t)i;
      int32_t sums[STEP];
      float values[STEP];
      sum_bytes(c, x + i, h, w, sums);
      for (size_t j = 0; j < n; j++) {
        const int32_t sum = sums[j] - (int32_t)inside * call->x_zero[i + j];
        values[j] = (float)sum * call->multiplier[i + j] / count;
      }
      if (call->y_real) {
        for (size_t j = 0; j < n; j++) ((float *)c->y)[to + (ptrdiff_t)j] = values[j];
        continue;
      }
      for (size_t j = 0; j < n; j++) {
        float v = values[j] > -limit ? values[j] : -limit;
        v = v < limit ? v : limit;
        const int32_t q = (int32_t)((v + magic) - magic) + call->y_zero[i + j];
        ((uint8_t *)c->y)[to + (ptrdiff_t)j] = (uint8_t)(q < 0 ? 0 : q > 255 ? 255 : q);
      }
    }
  }
}
