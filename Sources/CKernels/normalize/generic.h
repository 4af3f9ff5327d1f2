// The normalisation kernel: one text for every ISA. Included by x86_<isa>.c after the lanes.

enum { BLOCK = 4 };

// Σ x, or Σ (x - mean)².
INLINE float row_sum(const struct apus_normalize *c, int squares, float mean) {
  const V zero = M(splat)(0.0f), middle = M(splat)(mean);
  V acc[BLOCK] = {zero, zero, zero, zero};
  size_t i = 0;
  for (; i + BLOCK * LANES <= c->count; i += BLOCK * LANES) {
    for (int j = 0; j < BLOCK; j++) {
      V x = load(c->x, c->x_type, i + (size_t)j * LANES);
      V d = x - middle;
      acc[j] = acc[j] + (squares ? d * d : x);
    }
  }
  V total = (acc[0] + acc[1]) + (acc[2] + acc[3]);
  for (; i + LANES <= c->count; i += LANES) {
    V x = load(c->x, c->x_type, i);
    V d = x - middle;
    total = total + (squares ? d * d : x);
  }
  if (i < c->count) {
    V x = load_part(c->x, c->x_type, i, c->count - i);
    V d = x - middle;
    total = total + first_lanes(squares ? d * d : x, zero, c->count - i);
  }
  return lanes_sum(total);
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
