// Packing what is only known at run time.
#include "gemm8.h"

enum { PANEL = 16 };

typedef uint8_t bytes __attribute__((vector_size(16)));
typedef int16_t halves __attribute__((vector_size(16)));
typedef uint16_t unsigned_halves __attribute__((vector_size(16)));
typedef int32_t words __attribute__((vector_size(16)));
typedef uint32_t unsigned_words __attribute__((vector_size(16)));

static bytes load(const uint8_t *p) {
  bytes x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

// Four rows of 16 consecutive columns, interleaved.
static void pack_rows(const uint8_t *source, ptrdiff_t step, int8_t *target) {
  const bytes r0 = load(source), r1 = load(source + step);
  const bytes r2 = load(source + 2 * step), r3 = load(source + 3 * step);
#define LOW(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW_PAIRS(a, b) \
  __builtin_shufflevector(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23)
#define HIGH_PAIRS(a, b) \
  __builtin_shufflevector(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31)
  const bytes low01 = LOW(r0, r1), high01 = HIGH(r0, r1);
  const bytes low23 = LOW(r2, r3), high23 = HIGH(r2, r3);
  const bytes out[4] = {
      LOW_PAIRS(low01, low23) ^ 0x80, HIGH_PAIRS(low01, low23) ^ 0x80,
      LOW_PAIRS(high01, high23) ^ 0x80, HIGH_PAIRS(high01, high23) ^ 0x80};
#undef LOW
#undef HIGH
#undef LOW_PAIRS
#undef HIGH_PAIRS
  __builtin_memcpy(target, out, sizeof out);
}

// Sixteen columns of four elements each that lie together, `step` apart.
static void pack_columns(const uint8_t *source, ptrdiff_t step, int8_t *target) {
  for (size_t n = 0; n < PANEL; n++) {
    uint32_t four;
    __builtin_memcpy(&four, source + (ptrdiff_t)n * step, sizeof four);
    four ^= 0x80808080u;
    __builtin_memcpy(target + 4 * n, &four, sizeof four);
  }
}

// Four rows of columns that lie anyhow; `depth` of the rows and `columns` exist.
static void pack_some(
    const struct apus_gemm8_pack *p, const uint8_t *source, size_t depth, int8_t *target) {
  for (size_t n = 0; n < PANEL; n++) {
    const uint8_t *from = source + (ptrdiff_t)n * p->column_step;
    uint8_t four[4] = {0, 0, 0, 0};
    if (n < p->columns) {
      for (size_t i = 0; i < depth; i++) four[i] = from[(ptrdiff_t)i * p->depth_step] ^ 0x80;
    }
    __builtin_memcpy(target + 4 * n, four, sizeof four);
  }
}

// The column sums of a packed panel of `steps` times four rows.
static void add_columns(const int8_t *panel, size_t steps, int32_t *sums) {
  // So many steps that 16 bits hold the sums of pairs.
  enum { CHUNK = 64 };
  for (size_t quarter = 0; quarter < 4; quarter++) {
    words total = {0};
    for (size_t first = 0; first < steps; first += CHUNK) {
      const size_t last = steps - first < CHUNK ? steps : first + CHUNK;
      halves pairs = {0};
      for (size_t step = first; step < last; step++) {
        halves x;
        __builtin_memcpy(&x, panel + 4 * PANEL * step + 16 * quarter, sizeof x);
        const halves even = (halves)((unsigned_halves)x << 8) >> 8;
        pairs += even + (x >> 8);
      }
      const words low = (words)((unsigned_words)pairs << 16) >> 16;
      total += low + ((words)pairs >> 16);
    }
    __builtin_memcpy(sums + 4 * quarter, &total, sizeof total);
  }
}

void apus_gemm8_pack_panel(const struct apus_gemm8_pack *p) {
  const int whole = p->columns == PANEL;
  for (size_t k = 0; k < p->depth; k += 4) {
    const size_t some = p->depth - k < 4 ? p->depth - k : 4;
    const uint8_t *source = p->source + (ptrdiff_t)k * p->depth_step;
    int8_t *target = p->target + k * PANEL;
    if (whole && some == 4 && p->column_step == 1) {
      pack_rows(source, p->depth_step, target);
    } else if (whole && some == 4 && p->depth_step == 1) {
      pack_columns(source, p->column_step, target);
    } else {
      pack_some(p, source, some, target);
    }
  }
  add_columns(p->target, (p->depth + 3) / 4, p->sums);
}

uint32_t apus_gemm8_row_sum(const uint8_t *a, size_t count) {
  // So many steps that 16 bits hold the sums of pairs.
  enum { CHUNK = 128 };
  unsigned_words total = {0};
  size_t i = 0;
  while (i + 16 <= count) {
    const size_t end = count - i < 16 * CHUNK ? count : i + 16 * CHUNK;
    unsigned_halves pairs = {0};
    for (; i + 16 <= end; i += 16) {
      const unsigned_halves x = (unsigned_halves)load(a + i);
      pairs += (x & 0xff) + (x >> 8);
    }
    total += ((unsigned_words)pairs & 0xffff) + ((unsigned_words)pairs >> 16);
  }
  uint32_t sum = total[0] + total[1] + total[2] + total[3];
  for (; i < count; i++) sum += a[i];
  return sum;
}
