// The softmax kernels: one text for every ISA. Included by x86_<isa>.c after the lanes.
#include "../math/wide.h"

#include BYTES

// The exponentials of a line wait here for their sum, where the line is short enough. Short lines
// are taken GROUP at a time, so that the end of one is not waited for alone.
enum { WAITING = 1024, GROUP = LANES == 16 ? 4 : 2, SHORT = 512 };

// a + b, where the adders have more to do than the multipliers.
#ifndef OTHER_SUM
#define OTHER_SUM(a, b) ((a) + (b))
#endif

// 2^f for f in [-1/2, 1/2]: a minimax polynomial of relative error 2.4e-7, or 8e-5 where `coarse`,
// which is as good where a byte or a bfloat16 is made of it.
#define POLYNOMIAL(SUM)                                       \
  if (coarse) {                                               \
    p = SUM(f, M(splat)(0.0551716685f), M(splat)(0.242611125f)); \
    p = SUM(p, f, M(splat)(0.693260968f));                    \
    p = SUM(p, f, M(splat)(0.999928057f));                    \
  } else {                                                    \
    p = SUM(f, M(splat)(0.00132764725f), M(splat)(0.00967554096f)); \
    p = SUM(p, f, M(splat)(0.0555071309f));                   \
    p = SUM(p, f, M(splat)(0.240221202f));                    \
    p = SUM(p, f, M(splat)(0.693146944f));                    \
    p = SUM(p, f, M(splat)(1.00000012f));                     \
  }
#define TWO_ROUNDINGS(a, b, c) ((a) * (b) + (c))

// exp(x - highest) for x <= highest, 0 where that is below 2^-126; a NaN stays. 2^t = 2^n 2^f.
// EXP2(t, coarse), if the ISA has better means where `fused`, may give subnormals.
INLINE V exp_below(V x, V highest, int coarse, int fused) {
  const float magic = 12582912.0f + 127.0f;  // 1.5 · 2^23: its low bits hold n + 127
  V p;
#ifdef EXP2
  if (fused) return EXP2((x - highest) * 1.44269502f, coarse);
#elif defined(MULTIPLY_ADD)
  if (fused) {
    const V e = M(splat)(1.44269504f);
    // The least gives n = -127.
    const V d = larger(M(splat)(-88.0296936f), x - highest);
    const V shifted = MULTIPLY_ADD(d, e, M(splat)(magic));
    const V f = MULTIPLY_ADD(d, e, -(shifted - magic));
    POLYNOMIAL(MULTIPLY_ADD)
    return p * (V)((M(u))shifted << 23);
  }
#endif
  (void)fused;
  const V t = larger(M(splat)(-127.0f), OTHER_SUM(x, -highest) * 1.44269504f);
  const V shifted = OTHER_SUM(t, M(splat)(magic));
  const V f = t - (shifted - magic);
  POLYNOMIAL(TWO_ROUNDINGS)
  return p * (V)((M(u))shifted << 23);
}
#undef POLYNOMIAL

INLINE float line_max(const void *x, uint32_t type, size_t count) {
  enum { BEST = 4 };
  const V lowest = M(splat)(-__builtin_inff());
  V best[BEST] = {lowest, lowest, lowest, lowest};
  size_t i = 0;
  for (; i + BEST * LANES <= count; i += BEST * LANES) {
    for (int j = 0; j < BEST; j++) {
      best[j] = larger(load(x, type, i + (size_t)j * LANES), best[j]);
    }
  }
  for (; i + LANES <= count; i += LANES) best[0] = larger(load(x, type, i), best[0]);
  if (i < count) {
    V last = load_part(x, type, i, count - i);
    best[1] = larger(first_lanes(last, best[1], count - i), best[1]);
  }
  return lanes_max(larger(larger(best[0], best[1]), larger(best[2], best[3])));
}

INLINE Wide exponentials(
    const void *x, uint32_t type, size_t i, size_t count, V highest, int coarse, int fused) {
  Wide e = wide_load(x, type, i, count);
  EACH_PART e.v[j] = exp_below(e.v[j], highest, coarse, fused);
  return e;
}

INLINE void store_shares(
    const struct apus_softmax *c, uint32_t type, void *y, size_t i, size_t count, Wide x) {
  if (type != APUS_SOFTMAX_BYTES) {
    wide_store(y, type, i, count, x);
    return;
  }
  uint8_t *p = (uint8_t *)y + i;
  if (count >= WIDE) {
    wide_bytes(p, x, c->y_zero);
  } else {
    uint8_t part[WIDE];
    wide_bytes(part, x, c->y_zero);
    for (size_t k = 0; k < count; k++) p[k] = part[k];
  }
}

INLINE size_t up_to_wide(size_t count) { return count < WIDE ? count : WIDE; }

INLINE ptrdiff_t softmax_size(uint32_t type) {
  return type == APUS_FLOAT32 ? 4 : type == APUS_SOFTMAX_BYTES ? 1 : 2;
}

INLINE Wide wide_larger(Wide a, Wide b) {
  EACH_PART a.v[j] = larger(a.v[j], b.v[j]);
  return a;
}

INLINE float wide_max(Wide x) {
  V best = x.v[0];
  for (int j = 1; j < PARTS; j++) best = larger(best, x.v[j]);
  return lanes_max(best);
}

#define EACH_ROW _Pragma("clang loop unroll(full)") for (int r = 0; r < GROUP; r++)

INLINE int is_coarse(uint32_t y_type) { return y_type != APUS_FLOAT32; }

INLINE float share_factor(const struct apus_softmax *c, uint32_t y_type, float total) {
  return y_type == APUS_SOFTMAX_BYTES ? c->y_inverse / total : 1.0f / total;
}

// Shares of one; `keep`: the line is short enough for its exponentials to wait.
INLINE void softmax_row(
    const struct apus_softmax *c, uint32_t x_type, uint32_t y_type, const void *x, void *y,
    int keep, int fused) {
  float waiting[WAITING];
  const int coarse = is_coarse(y_type);
  const size_t n = c->count;
  const V highest = M(splat)(line_max(x, x_type, n));
  Wide sum = wide_splat(0.0f);
  size_t i = 0;
  for (; i + WIDE <= n; i += WIDE) {
    Wide e = exponentials(x, x_type, i, WIDE, highest, coarse, fused);
    if (keep) wide_store(waiting, APUS_FLOAT32, i, WIDE, e);
    sum = wide_add(sum, e);
  }
  if (i < n) {
    Wide e = exponentials(x, x_type, i, n - i, highest, coarse, fused);
    e = wide_first(e, wide_splat(0.0f), n - i);
    // There is room for all of it: WAITING is a multiple of WIDE.
    if (keep) wide_store(waiting, APUS_FLOAT32, i, WIDE, e);
    sum = wide_add(sum, e);
  }
  const V factor = M(splat)(share_factor(c, y_type, wide_sum(sum)));
  for (i = 0; i < n; i += WIDE) {
    const size_t some = up_to_wide(n - i);
    Wide e = keep ? wide_load(waiting, APUS_FLOAT32, i, WIDE)
                  : exponentials(x, x_type, i, some, highest, coarse, fused);
    EACH_PART e.v[j] = e.v[j] * factor;
    store_shares(c, y_type, y, i, some, e);
  }
}

// Calls on GROUP rows of at most SHORT elements.
struct group {
  const struct apus_softmax *c;
  const char *x;
  char *y;
  ptrdiff_t x_row, y_row;  // bytes
  V highest[GROUP];
};

INLINE void find_highest(struct group *g, uint32_t x_type) {
  const size_t n = g->c->count, whole = n / WIDE * WIDE;
  const Wide lowest = wide_splat(-__builtin_inff());
  Wide best[GROUP];
  EACH_ROW best[r] = lowest;
  for (size_t i = 0; i < whole; i += WIDE) {
    EACH_ROW best[r] = wide_larger(wide_load(g->x + r * g->x_row, x_type, i, WIDE), best[r]);
  }
  if (whole < n) EACH_ROW {
    const Wide last = wide_load(g->x + r * g->x_row, x_type, whole, n - whole);
    best[r] = wide_larger(wide_first(last, lowest, n - whole), best[r]);
  }
  EACH_ROW g->highest[r] = M(splat)(wide_max(best[r]));
}

// What `softmax_row` does to one row, in its order of sums, and then the maxima of `next`: without
// them there would be nothing to do until the sums are known.
INLINE void softmax_group(
    const struct group *g, struct group *next, uint32_t x_type, uint32_t y_type, int fused) {
  float waiting[GROUP][SHORT] __attribute__((aligned(64)));
  const struct apus_softmax *c = g->c;
  const int coarse = is_coarse(y_type);
  const size_t n = c->count, whole = n / WIDE * WIDE;
  const Wide zero = wide_splat(0.0f);
  Wide sum[GROUP];
  EACH_ROW sum[r] = zero;
  for (size_t i = 0; i < whole; i += WIDE) EACH_ROW {
    const char *from = g->x + r * g->x_row;
    const Wide e = exponentials(from, x_type, i, WIDE, g->highest[r], coarse, fused);
    wide_store(waiting[r], APUS_FLOAT32, i, WIDE, e);
    sum[r] = wide_add(sum[r], e);
  }
  if (whole < n) EACH_ROW {
    const char *from = g->x + r * g->x_row;
    Wide e = exponentials(from, x_type, whole, n - whole, g->highest[r], coarse, fused);
    e = wide_first(e, zero, n - whole);
    wide_store(waiting[r], APUS_FLOAT32, whole, WIDE, e);
    sum[r] = wide_add(sum[r], e);
  }
  float factor[GROUP];
  EACH_ROW factor[r] = share_factor(c, y_type, wide_sum(sum[r]));
  if (next) find_highest(next, x_type);
  for (int r = 0; r < GROUP; r++) {
    const V f = M(splat)(factor[r]);
    char *y = g->y + r * g->y_row;
    size_t i = 0;
#ifdef SHARES_64
    // Any finite share of a byte fits 32 bits.
    if (factor[r] < 1073741824.0f) {
      for (; i + 64 <= n; i += 64) SHARES_64(y, y_type, i, waiting[r] + i, f, c->y_zero);
    }
#endif
    for (; i < n; i += WIDE) {
      Wide e = wide_load(waiting[r], APUS_FLOAT32, i, WIDE);
      EACH_PART e.v[j] = e.v[j] * f;
      store_shares(c, y_type, y, i, up_to_wide(n - i), e);
    }
  }
}

// Logarithms of shares.
INLINE void logarithmic_row(const struct apus_softmax *c, const void *x, void *y) {
  const size_t n = c->count;
  const V highest = M(splat)(line_max(x, c->x_type, n));
  Wide sum = wide_splat(0.0f);
  for (size_t i = 0; i < n; i += WIDE) {
    const size_t some = up_to_wide(n - i);
    Wide e = exponentials(x, c->x_type, i, some, highest, 0, 0);
    sum = wide_add(sum, wide_first(e, wide_splat(0.0f), some));
  }
  const V shift = highest + M(log)(M(splat)(wide_sum(sum)));
  for (size_t i = 0; i < n; i += WIDE) {
    const size_t some = up_to_wide(n - i);
    Wide v = wide_load(x, c->x_type, i, some);
    EACH_PART v.v[j] = v.v[j] - shift;
    wide_store(y, c->y_type, i, some, v);
  }
}

INLINE void softmax_lines(
    const struct apus_softmax *c, uint32_t x_type, uint32_t y_type, int fused) {
  size_t r = 0;
  if (c->count <= SHORT && c->rows >= GROUP) {
    const ptrdiff_t x_row = c->row * softmax_size(x_type), y_row = c->row * softmax_size(y_type);
    struct group g = {c, (const char *)c->x, (char *)c->y, x_row, y_row, {{0}}};
    find_highest(&g, x_type);
    for (; r + GROUP <= c->rows; r += GROUP) {
      struct group next = g;
      next.x += GROUP * x_row;
      next.y += GROUP * y_row;
      softmax_group(&g, r + 2 * GROUP <= c->rows ? &next : NULL, x_type, y_type, fused);
      g = next;
    }
  }
  for (; r < c->rows; r++) {
    const ptrdiff_t start = (ptrdiff_t)r * c->row;
    const char *x = (const char *)c->x + start * softmax_size(x_type);
    char *y = (char *)c->y + start * softmax_size(y_type);
    if (c->count <= WAITING) softmax_row(c, x_type, y_type, x, y, 1, fused);
    else softmax_row(c, x_type, y_type, x, y, 0, fused);
  }
}

void ISA_NAME(apus_softmax_rows)(const struct apus_softmax *c) {
  if (c->logarithmic) {
    for (size_t r = 0; r < c->rows; r++) {
      const ptrdiff_t start = (ptrdiff_t)r * c->row;
      logarithmic_row(
          c, (const char *)c->x + start * softmax_size(c->x_type),
          (char *)c->y + start * softmax_size(c->y_type));
    }
    return;
  }
  // With the types known, nothing is asked inside the loops.
  const uint32_t x = c->x_type, y = c->y_type;
  if (x == APUS_FLOAT32 && y == APUS_FLOAT32) {
    if (c->fused) softmax_lines(c, APUS_FLOAT32, APUS_FLOAT32, 1);
    else softmax_lines(c, APUS_FLOAT32, APUS_FLOAT32, 0);
  } else if (x == APUS_FLOAT32 && y == APUS_SOFTMAX_BYTES) {
    softmax_lines(c, APUS_FLOAT32, APUS_SOFTMAX_BYTES, 0);
  } else if (x == APUS_BFLOAT16 && y == APUS_BFLOAT16 && c->fused) {
    softmax_lines(c, APUS_BFLOAT16, APUS_BFLOAT16, 1);
  } else {
    softmax_lines(c, x, y, 0);
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
    V e = exp_below(LOAD(r), highest, 0, 0);
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
    else result = exp_below(LOAD(r), highest, 0, 0) * factor;
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

// --- expectations ---

// Lanes of a and b in turn, from their first and from their second halves. (The reference has 4
// lanes, by an enumeration.)
#if LANES == 16
#define FIRSTS(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define SECONDS(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif LANES == 8
#define FIRSTS(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define SECONDS(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define FIRSTS(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define SECONDS(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

// Rows become columns: every round rotates the bits of an element's place by one.
INLINE void transpose(V *rows) {
  for (int round = 1; round < LANES; round *= 2) {
    V next[LANES];
    for (int i = 0; i < LANES / 2; i++) {
      next[2 * i] = FIRSTS(rows[i], rows[i + LANES / 2]);
      next[2 * i + 1] = SECONDS(rows[i], rows[i + LANES / 2]);
    }
    for (int i = 0; i < LANES; i++) rows[i] = next[i];
  }
}

// Expectations of one group of `some` <= LANES rows, a row per lane.
INLINE V expectation(
    const struct apus_expectation *c, size_t bins, const float *x, size_t some, int fused) {
  V p[APUS_EXPECTATION_BINS];
  const V lowest = M(splat)(-__builtin_inff());
  V highest = lowest;
  for (size_t first = 0; first < bins; first += LANES) {
    const size_t count = bins - first < LANES ? bins - first : LANES;
    V block[LANES];
    for (size_t k = 0; k < LANES; k++) {
      const float *row = x + (ptrdiff_t)(k < some ? k : some - 1) * c->x_row;
      // The same of the next group of rows, which may lie far from these.
      __builtin_prefetch((const char *)(row + first) + c->x_row * (LANES * (ptrdiff_t)sizeof *x));
      block[k] = count == LANES ? load(row, APUS_FLOAT32, first)
                                : load_part(row, APUS_FLOAT32, first, count);
    }
    transpose(block);
    for (size_t k = 0; k < count; k++) {
      p[first + k] = block[k];
      highest = larger(block[k], highest);
    }
  }
  V sum = M(splat)(0.0f), weighted = sum;
  for (size_t k = 0; k < bins; k++) {
    const V e = exp_below(p[k], highest, 0, fused);
    sum = sum + e;
    weighted = weighted + e * c->weights[k];
  }
  return weighted / sum;
}

INLINE void expect_rows(const struct apus_expectation *c, size_t bins, int fused) {
  for (size_t r = 0; r < c->rows; r += LANES) {
    const size_t some = c->rows - r < LANES ? c->rows - r : LANES;
    for (size_t g = 0; g < c->groups; g++) {
      const float *x = c->x + (ptrdiff_t)r * c->x_row + g * bins;
      const V y = expectation(c, bins, x, some, fused);
      float *to = c->y + (ptrdiff_t)g * c->y_group + r;
      if (some == LANES) store(to, APUS_FLOAT32, 0, y);
      else store_part(to, APUS_FLOAT32, 0, some, y);
    }
  }
}

void ISA_NAME(apus_expectation)(const struct apus_expectation *c) {
  if (c->bins == 16 && c->fused) expect_rows(c, 16, 1);
  else if (c->bins == 16) expect_rows(c, 16, 0);
  else expect_rows(c, c->bins, 0);
}
