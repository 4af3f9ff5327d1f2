// The reduction kernels: one text for every ISA. Included by x86_<isa>.c after the lanes.
#include "../math/wide.h"

INLINE float identity_of(uint32_t function) {
  if (function == APUS_REDUCE_MAXIMUM) return -__builtin_inff();
  if (function == APUS_REDUCE_MINIMUM) return __builtin_inff();
  return 0.0f;
}

// A maximum or minimum with a NaN is that NaN: the comparison is false, and then the new element
// stays out, so an unordered one is taken first.
INLINE V fold(uint32_t function, V acc, V x) {
  switch (function) {
    case APUS_REDUCE_MAXIMUM: return M(select)((acc > x) | (acc != acc), acc, x);
    case APUS_REDUCE_MINIMUM: return M(select)((acc < x) | (acc != acc), acc, x);
    case APUS_REDUCE_L1: return acc + M(abs)(x);
    case APUS_REDUCE_L2:
    case APUS_REDUCE_SUM_SQUARE: return acc + x * x;
    default: return acc + x;
  }
}

// Two partial results.
INLINE V merge(uint32_t function, V a, V b) {
  if (function == APUS_REDUCE_MAXIMUM || function == APUS_REDUCE_MINIMUM) {
    return fold(function, a, b);
  }
  return a + b;
}

INLINE V finish(uint32_t function, V x, size_t count) {
  if (function == APUS_REDUCE_MEAN) return x / (float)count;
  if (function == APUS_REDUCE_L2) return __builtin_elementwise_sqrt(x);
  return x;
}

INLINE Wide fold_wide(uint32_t function, Wide acc, Wide x) {
  EACH_PART acc.v[j] = fold(function, acc.v[j], x.v[j]);
  return acc;
}

INLINE Wide merge_wide(uint32_t function, Wide a, Wide b) {
  EACH_PART a.v[j] = merge(function, a.v[j], b.v[j]);
  return a;
}

INLINE float across(uint32_t function, Wide x) {
  if (function == APUS_REDUCE_MAXIMUM || function == APUS_REDUCE_MINIMUM) {
    float lanes[WIDE];
    wide_store(lanes, APUS_FLOAT32, 0, WIDE, x);
    float best = lanes[0];
    for (int i = 1; i < WIDE; i++) {
      float y = lanes[i];
      int better = function == APUS_REDUCE_MAXIMUM ? y > best : y < best;
      best = better || y != y ? y : best;
    }
    return best;
  }
  return wide_sum(x);
}

enum { BLOCK = 4, SPAN = 64 };

INLINE void reduce_rows(const struct apus_reduce *c, uint32_t function) {
  const ptrdiff_t size = c->x_type == APUS_FLOAT32 ? 4 : 2;
  const Wide start = wide_splat(identity_of(function));
  for (size_t r = 0; r < c->rows; r++) {
    const char *x = (const char *)c->x + (ptrdiff_t)r * c->row * size;
    Wide total = start;
    size_t i = 0;
    while (i + BLOCK * WIDE <= c->count) {
      Wide acc[BLOCK] = {start, start, start, start};
      for (int k = 0; k < SPAN && i + BLOCK * WIDE <= c->count; k++, i += BLOCK * WIDE) {
        for (int b = 0; b < BLOCK; b++) {
          const Wide some = wide_load(x, c->x_type, i + (size_t)b * WIDE, WIDE);
          acc[b] = fold_wide(function, acc[b], some);
        }
      }
      Wide low = merge_wide(function, acc[0], acc[1]), high = merge_wide(function, acc[2], acc[3]);
      total = merge_wide(function, total, merge_wide(function, low, high));
    }
    for (; i + WIDE <= c->count; i += WIDE) {
      total = fold_wide(function, total, wide_load(x, c->x_type, i, WIDE));
    }
    if (i < c->count) {
      const size_t rest = c->count - i;
      const Wide last = wide_load(x, c->x_type, i, rest);
      total = fold_wide(function, total, wide_first(last, start, rest));
    }
    V result = finish(function, M(splat)(across(function, total)), c->count);
    store_part(c->y, c->y_type, r, 1, result);
  }
}

INLINE void reduce_columns(const struct apus_reduce *c, uint32_t function, size_t i, int vectors) {
  const ptrdiff_t size = c->x_type == APUS_FLOAT32 ? 4 : 2;
  const V start = M(splat)(identity_of(function));
  V total[BLOCK] = {start, start, start, start};
  for (size_t r = 0; r < c->rows;) {
    V acc[BLOCK] = {start, start, start, start};
    size_t end = c->rows - r > SPAN ? r + SPAN : c->rows;
    for (; r < end; r++) {
      const char *x = (const char *)c->x + (ptrdiff_t)r * c->row * size;
      for (int j = 0; j < vectors; j++) {
        acc[j] = fold(function, acc[j], load(x, c->x_type, i + (size_t)j * LANES));
      }
    }
    for (int j = 0; j < vectors; j++) total[j] = merge(function, total[j], acc[j]);
  }
  for (int j = 0; j < vectors; j++) {
    store(c->y, c->y_type, i + (size_t)j * LANES, finish(function, total[j], c->rows));
  }
}

INLINE void reduce_all_columns(const struct apus_reduce *c, uint32_t function) {
  const ptrdiff_t size = c->x_type == APUS_FLOAT32 ? 4 : 2;
  size_t i = 0;
  for (; i + BLOCK * LANES <= c->count; i += BLOCK * LANES) reduce_columns(c, function, i, BLOCK);
  for (; i + LANES <= c->count; i += LANES) reduce_columns(c, function, i, 1);
  if (i == c->count) return;
  size_t rest = c->count - i;
  V total = M(splat)(identity_of(function));
  for (size_t r = 0; r < c->rows;) {
    V acc = M(splat)(identity_of(function));
    size_t end = c->rows - r > SPAN ? r + SPAN : c->rows;
    for (; r < end; r++) {
      const char *x = (const char *)c->x + (ptrdiff_t)r * c->row * size;
      acc = fold(function, acc, load_part(x, c->x_type, i, rest));
    }
    total = merge(function, total, acc);
  }
  store_part(c->y, c->y_type, i, rest, finish(function, total, c->rows));
}

#define EACH(body)                                        \
  switch (c->function) {                                  \
    case APUS_REDUCE_SUM: body(c, APUS_REDUCE_SUM); break; \
    case APUS_REDUCE_MEAN: body(c, APUS_REDUCE_MEAN); break; \
    case APUS_REDUCE_MAXIMUM: body(c, APUS_REDUCE_MAXIMUM); break; \
    case APUS_REDUCE_MINIMUM: body(c, APUS_REDUCE_MINIMUM); break; \
    case APUS_REDUCE_L1: body(c, APUS_REDUCE_L1); break; \
    case APUS_REDUCE_L2: body(c, APUS_REDUCE_L2); break; \
    case APUS_REDUCE_SUM_SQUARE: body(c, APUS_REDUCE_SUM_SQUARE); break; \
  }

void ISA_NAME(apus_reduce_rows)(const struct apus_reduce *c) { EACH(reduce_rows) }
void ISA_NAME(apus_reduce_columns)(const struct apus_reduce *c) { EACH(reduce_all_columns) }

// --- where the extreme stands ---

// x, or -x where the least is sought.
INLINE V sought(const struct apus_arg_reduce *c, const char *x, size_t i, size_t part) {
  V v = part ? load_part(x, c->x_type, i, part) : load(x, c->x_type, i);
  return c->least ? -v : v;
}

INLINE int64_t place_in_row(const struct apus_arg_reduce *c, const char *x) {
  const V lowest = M(splat)(-__builtin_inff());
  const size_t n = c->count, whole = n / LANES * LANES;
  V best = lowest;
  for (size_t i = 0; i < whole; i += LANES) best = larger(sought(c, x, i, 0), best);
  if (whole < n) {
    best = larger(first_lanes(sought(c, x, whole, n - whole), lowest, n - whole), best);
  }
  const V extreme = M(splat)(lanes_max(best));
  V first = load_part(x, c->x_type, 0, 1);
  if (first[0] != first[0]) return 0;
  int64_t place = 0;
  for (size_t i = 0; i < n; i += LANES) {
    size_t part = i < whole ? 0 : n - i;
    uint32_t equal = lanes_equal(sought(c, x, i, part), extreme);
    if (part) equal &= (1u << part) - 1u;
    if (!equal) continue;
    if (!c->last) return (int64_t)i + __builtin_ctz(equal);
    place = (int64_t)i + 31 - __builtin_clz(equal);
  }
  return place;
}

void ISA_NAME(apus_arg_reduce_rows)(const struct apus_arg_reduce *c) {
  const ptrdiff_t size = c->x_type == APUS_FLOAT32 ? 4 : 2;
  for (size_t r = 0; r < c->rows; r++) {
    c->y[r] = place_in_row(c, (const char *)c->x + (ptrdiff_t)r * c->row * size);
  }
}
