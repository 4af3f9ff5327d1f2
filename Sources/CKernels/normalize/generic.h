// The normalisation kernel: one text for every ISA. Included by x86_<isa>.c after the lanes.
#include "../math/wide.h"

enum { BLOCK = 4 };

// x, or (x - mean)².
INLINE Wide terms(
    const struct apus_normalize *c, int squares, V mean, size_t i, size_t count) {
  Wide x = wide_load(c->x, c->x_type, i, count);
  if (squares) {
    EACH_PART {
      V d = x.v[j] - mean;
      x.v[j] = d * d;
    }
  }
  return x;
}

// Σ x, or Σ (x - mean)².
INLINE float row_sum(const struct apus_normalize *c, int squares, float mean) {
  const V middle = M(splat)(mean);
  const Wide zero = wide_splat(0.0f);
  Wide acc[BLOCK] = {zero, zero, zero, zero};
  size_t i = 0;
  for (; i + BLOCK * WIDE <= c->count; i += BLOCK * WIDE) {
    for (int b = 0; b < BLOCK; b++) {
      const size_t at = i + (size_t)b * WIDE;
      acc[b] = wide_add(acc[b], terms(c, squares, middle, at, WIDE));
    }
  }
  Wide total = wide_add(wide_add(acc[0], acc[1]), wide_add(acc[2], acc[3]));
  for (; i + WIDE <= c->count; i += WIDE) {
    total = wide_add(total, terms(c, squares, middle, i, WIDE));
  }
  if (i < c->count) {
    const size_t rest = c->count - i;
    total = wide_add(total, wide_first(terms(c, squares, middle, i, rest), zero, rest));
  }
  return wide_sum(total);
}

INLINE float parameter(const void *p, uint32_t type, size_t i, float absent) {
  if (!p) return absent;
  if (type == APUS_FLOAT32) return ((const float *)p)[i];
  uint32_t bits = (uint32_t)((const uint16_t *)p)[i] << 16;
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// y = x · factor + offset over one run.
INLINE void scale_run(const struct apus_normalize *c, size_t first, float factor, float offset) {
  const V a = M(splat)(factor), b = M(splat)(offset);
  size_t i = first, end = first + c->run;
  for (; i + LANES <= end; i += LANES) {
    store(c->y, c->y_type, i, load(c->x, c->x_type, i) * a + b);
  }
  if (i < end) {
    V x = load_part(c->x, c->x_type, i, end - i);
    store_part(c->y, c->y_type, i, end - i, x * a + b);
  }
}

void ISA_NAME(apus_normalize_row)(struct apus_normalize *c) {
  float n = (float)c->count;
  float mean = c->root_mean_square ? 0.0f : row_sum(c, 0, 0.0f) / n;
  float variance = row_sum(c, 1, mean) / n;
  float inverse = 1.0f / __builtin_sqrtf(variance + c->epsilon);
  c->mean = mean;
  c->inverse_deviation = inverse;
  if (c->run > 1) {
    for (size_t k = 0; k < c->count / c->run; k++) {
      float factor = inverse * parameter(c->scale, c->scale_type, k, 1.0f);
      float offset = parameter(c->bias, c->bias_type, k, 0.0f) - mean * factor;
      scale_run(c, k * c->run, factor, offset);
    }
    return;
  }
  const V middle = M(splat)(mean), factor = M(splat)(inverse);
  size_t i = 0;
  for (; i + LANES <= c->count; i += LANES) {
    V x = (load(c->x, c->x_type, i) - middle) * factor;
    if (c->scale) x = x * load(c->scale, c->scale_type, i);
    if (c->bias) x = x + load(c->bias, c->bias_type, i);
    store(c->y, c->y_type, i, x);
  }
  if (i < c->count) {
    size_t rest = c->count - i;
    V x = (load_part(c->x, c->x_type, i, rest) - middle) * factor;
    if (c->scale) x = x * load_part(c->scale, c->scale_type, i, rest);
    if (c->bias) x = x + load_part(c->bias, c->bias_type, i, rest);
    store_part(c->y, c->y_type, i, rest, x);
  }
}
