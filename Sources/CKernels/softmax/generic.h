// The softmax kernels: one text for every ISA. Included by x86_<isa>.c after the lanes.
#include "../math/wide.h"

// The exponentials of a line wait here for their sum, where the line is short enough.
enum { WAITING = 1024 };

INLINE float line_max(const void *x, uint32_t type, size_t count) {
  V best = M(splat)(-__builtin_inff());
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) best = larger(load(x, type, i), best);
  if (i < count) {
    V last = load_part(x, type, i, count - i);
    best = larger(first_lanes(last, best, count - i), best);
  }
  return lanes_max(best);
}

INLINE void softmax_row(const struct apus_softmax *c, const void *x, void *y) {
  float waiting[WAITING];
  const size_t n = c->count;
  const V highest = M(splat)(line_max(x, c->x_type, n));
  Wide sum = wide_splat(0.0f);
  const int keep = n <= WAITING && !c->logarithmic;
  size_t i = 0;
  for (; i + WIDE <= n; i += WIDE) {
    Wide e = wide_load(x, c->x_type, i, WIDE);
    EACH_PART e.v[j] = M(exp)(e.v[j] - highest);
    if (keep) wide_store(waiting, APUS_FLOAT32, i, WIDE, e);
    sum = wide_add(sum, e);
  }
  if (i < n) {
    Wide e = wide_load(x, c->x_type, i, n - i);
    EACH_PART e.v[j] = M(exp)(e.v[j] - highest);
    e = wide_first(e, wide_splat(0.0f), n - i);
    if (keep) wide_store(waiting, APUS_FLOAT32, i, n - i, e);
    sum = wide_add(sum, e);
  }
  V total = M(splat)(wide_sum(sum));
  V shift = highest, factor = total;
  if (c->logarithmic) shift = highest + M(log)(total);
  else factor = 1.0f / total;
  for (i = 0; i + LANES <= n; i += LANES) {
    V result;
    if (c->logarithmic) result = load(x, c->x_type, i) - shift;
    else if (keep) result = load(waiting, APUS_FLOAT32, i) * factor;
    else result = M(exp)(load(x, c->x_type, i) - highest) * factor;
    store(y, c->y_type, i, result);
  }
  if (i < n) {
    V v = load_part(x, c->x_type, i, n - i);
    V result = c->logarithmic ? v - shift : M(exp)(v - highest) * factor;
    store_part(y, c->y_type, i, n - i, result);
  }
}

void ISA_NAME(apus_softmax_rows)(const struct apus_softmax *c) {
  const ptrdiff_t x_size = c->x_type == APUS_FLOAT32 ? 4 : 2;
  const ptrdiff_t y_size = c->y_type == APUS_FLOAT32 ? 4 : 2;
  for (size_t r = 0; r < c->rows; r++) {
    ptrdiff_t start = (ptrdiff_t)r * c->row;
    softmax_row(c, (const char *)c->x + start * x_size, (char *)c->y + start * y_size);
  }
}

// One vector of columns, of which `part` lanes exist.
INLINE void softmax_columns(const struct apus_softmax *c, size_t i, size_t part, int keep) {
  V waiting[WAITING / LANES];
  const size_t row = (size_t)c->row;
#define LOAD(r)                                                 \
  (part == LANES ? load(c->x, c->x_type, i + (r) * row)         \
                 : load_part(c->x, c->x_type, i + (r) * row, part))
  V highest = M(splat)(-__builtin_inff());
  for (size_t r = 0; r < c->rows; r++) highest = larger(LOAD(r), highest);
  V sum = M(splat)(0.0f);
  for (size_t r = 0; r < c->rows; r++) {
    V e = M(exp)(LOAD(r) - highest);
    if (keep) waiting[r] = e;
    sum = sum + e;
  }
  V shift = highest, factor = sum;
  if (c->logarithmic) shift = highest + M(log)(sum);
  else factor = 1.0f / sum;
  for (size_t r = 0; r < c->rows; r++) {
    V result;
    if (c->logarithmic) result = LOAD(r) - shift;
    else if (keep) result = waiting[r] * factor;
    else result = M(exp)(LOAD(r) - highest) * factor;
    if (part == LANES) store(c->y, c->y_type, i + r * row, result);
    else store_part(c->y, c->y_type, i + r * row, part, result);
  }
#undef LOAD
}

void ISA_NAME(apus_softmax_columns)(const struct apus_softmax *c) {
  const int keep = c->rows <= WAITING / LANES && !c->logarithmic;
  size_t i = 0;
  for (; i + LANES <= c->count; i += LANES) {
    if (keep) softmax_columns(c, i, LANES, 1);
    else softmax_columns(c, i, LANES, 0);
  }
  if (i < c->count) softmax_columns(c, i, c->count - i, keep);
}
