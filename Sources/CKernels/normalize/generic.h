// The normalisation kernel: one text for every ISA. Included by x86_<isa>.c after the lanes.
#include "../math/wide.h"

#include BYTES

enum { BLOCK = 4 };

// How many rows' sums are on their way together.
enum { GROUP = 4 };

// x, or (x - mean)².
INLINE Wide terms(
    const void *x, uint32_t type, int squares, V mean, size_t i, size_t count) {
  Wide t = wide_load(x, type, i, count);
  if (squares) {
    EACH_PART {
      V d = t.v[j] - mean;
      t.v[j] = d * d;
    }
  }
  return t;
}

// Σ x, or Σ (x - mean)².
INLINE float row_sum(const void *x, uint32_t type, size_t count, int squares, float mean) {
  const V middle = M(splat)(mean);
  const Wide zero = wide_splat(0.0f);
  Wide acc[BLOCK] = {zero, zero, zero, zero};
  size_t i = 0;
  for (; i + BLOCK * WIDE <= count; i += BLOCK * WIDE) {
    for (int b = 0; b < BLOCK; b++) {
      const size_t at = i + (size_t)b * WIDE;
      acc[b] = wide_add(acc[b], terms(x, type, squares, middle, at, WIDE));
    }
  }
  Wide total = wide_add(wide_add(acc[0], acc[1]), wide_add(acc[2], acc[3]));
  for (; i + WIDE <= count; i += WIDE) {
    total = wide_add(total, terms(x, type, squares, middle, i, WIDE));
  }
  if (i < count) {
    const size_t rest = count - i;
    total = wide_add(total, wide_first(terms(x, type, squares, middle, i, rest), zero, rest));
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

INLINE size_t up_to_wide(size_t count) { return count < WIDE ? count : WIDE; }

INLINE void store_normal(
    const struct apus_normalize *c, void *y, uint32_t type, size_t i, size_t count, Wide x) {
  if (type != APUS_NORMALIZE_BYTES) {
    wide_store(y, type, i, count, x);
    return;
  }
  EACH_PART x.v[j] = x.v[j] * c->y_inverse;
  uint8_t *p = (uint8_t *)y + i;
  if (count >= WIDE) {
    wide_bytes(p, x, c->y_zero);
  } else {
    uint8_t part[WIDE];
    wide_bytes(part, x, c->y_zero);
    for (size_t k = 0; k < count; k++) p[k] = part[k];
  }
}

// y = x · factor + offset over one run.
INLINE void scale_run(const struct apus_normalize *c, size_t first, float factor, float offset) {
  const V a = M(splat)(factor), b = M(splat)(offset);
  const size_t end = first + c->run;
  for (size_t i = first; i < end; i += WIDE) {
    const size_t some = up_to_wide(end - i);
    Wide x = wide_load(c->x, c->x_type, i, some);
    EACH_PART x.v[j] = x.v[j] * a + b;
    store_normal(c, c->y, c->y_type, i, some, x);
  }
}

INLINE Wide normal(
    const struct apus_normalize *c, const void *from, uint32_t x_type, uint32_t types, size_t i,
    size_t count, V mean, V factor) {
  Wide x = wide_load(from, x_type, i, count);
  EACH_PART x.v[j] = (x.v[j] - mean) * factor;
  if (c->scale) {
    const Wide s = wide_load(c->scale, types == APUS_FLOAT32 ? types : c->scale_type, i, count);
    EACH_PART x.v[j] = x.v[j] * s.v[j];
  }
  if (c->bias) {
    const Wide b = wide_load(c->bias, types == APUS_FLOAT32 ? types : c->bias_type, i, count);
    EACH_PART x.v[j] = x.v[j] + b.v[j];
  }
  return x;
}

INLINE ptrdiff_t size_of(uint32_t type) {
  return type == APUS_FLOAT32 ? 4 : type == APUS_NORMALIZE_BYTES ? 1 : 2;
}

// One row, whose mean and inverse deviation are known.
INLINE void normalize_row(
    const struct apus_normalize *call, const void *x, void *y, uint32_t x_type, uint32_t y_type,
    uint32_t types, float mean, float inverse) {
  // A copy, which stores to y cannot change.
  const struct apus_normalize own = *call, *c = &own;
  const V middle = M(splat)(mean), factor = M(splat)(inverse);
  const size_t n = c->count;
  size_t i = 0;
#ifdef BYTES_64
  if (y_type == APUS_NORMALIZE_BYTES) {
    for (; i + 64 <= n; i += 64) {
      V some[4];
      for (int k = 0; k < 4; k++) {
        some[k] = normal(c, x, x_type, types, i + 16 * (size_t)k, WIDE, middle, factor).v[0];
        some[k] = some[k] * c->y_inverse;
      }
      BYTES_64((uint8_t *)y + i, some, c->y_zero);
    }
  }
#endif
  for (; i + WIDE <= n; i += WIDE) {
    store_normal(c, y, y_type, i, WIDE, normal(c, x, x_type, types, i, WIDE, middle, factor));
  }
  if (i < n) {
    const size_t rest = n - i;
    store_normal(c, y, y_type, i, rest, normal(c, x, x_type, types, i, rest, middle, factor));
  }
}

// `types`: of scale and bias; anything but APUS_FLOAT32: look at each.
INLINE void normalize_elements(
    struct apus_normalize *c, uint32_t x_type, uint32_t y_type, uint32_t types) {
  const float n = (float)c->count;
  const size_t x_row = c->count * (size_t)size_of(x_type);
  const size_t y_row = c->count * (size_t)size_of(y_type);
  const char *x = c->x;
  char *y = c->y;
  for (size_t first = 0; first < c->rows; first += GROUP) {
    const size_t some = c->rows - first < GROUP ? c->rows - first : GROUP;
    float mean[GROUP], inverse[GROUP];
    for (size_t r = 0; r < some; r++) {
      mean[r] = c->root_mean_square ? 0.0f : row_sum(x + r * x_row, x_type, c->count, 0, 0.0f) / n;
    }
    for (size_t r = 0; r < some; r++) {
      const float variance = row_sum(x + r * x_row, x_type, c->count, 1, mean[r]) / n;
      inverse[r] = 1.0f / __builtin_sqrtf(variance + c->epsilon);
    }
    c->mean = mean[some - 1];
    c->inverse_deviation = inverse[some - 1];
    if (c->run > 1) {
      for (size_t k = 0; k < c->count / c->run; k++) {
        float factor = c->inverse_deviation * parameter(c->scale, c->scale_type, k, 1.0f);
        float offset = parameter(c->bias, c->bias_type, k, 0.0f) - c->mean * factor;
        scale_run(c, k * c->run, factor, offset);
      }
      return;
    }
    for (size_t r = 0; r < some; r++) {
      normalize_row(
          c, x + r * x_row, y + r * y_row, x_type, y_type, types, mean[r], inverse[r]);
    }
    x += some * x_row;
    y += some * y_row;
  }
}

void ISA_NAME(apus_normalize_rows)(struct apus_normalize *c) {
  const int plain_parameters = (!c->scale || c->scale_type == APUS_FLOAT32) &&
                               (!c->bias || c->bias_type == APUS_FLOAT32);
  const int plain = plain_parameters && c->x_type == APUS_FLOAT32;
  // With the types known, nothing is asked inside the loops.
  if (plain && c->y_type == APUS_FLOAT32) {
    normalize_elements(c, APUS_FLOAT32, APUS_FLOAT32, APUS_FLOAT32);
  } else if (plain && c->y_type == APUS_NORMALIZE_BYTES) {
    normalize_elements(c, APUS_FLOAT32, APUS_NORMALIZE_BYTES, APUS_FLOAT32);
  } else if (plain) {
    normalize_elements(c, APUS_FLOAT32, APUS_BFLOAT16, APUS_FLOAT32);
  } else if (plain_parameters && c->x_type == APUS_BFLOAT16 && c->y_type == APUS_BFLOAT16) {
    normalize_elements(c, APUS_BFLOAT16, APUS_BFLOAT16, APUS_FLOAT32);
  } else {
    normalize_elements(c, c->x_type, c->y_type, APUS_NORMALIZE_BYTES);
  }
}
