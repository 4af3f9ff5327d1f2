// Packing what is only known at run time.
#include "gemm8.h"

enum { PANEL = 16 };

typedef uint8_t bytes __attribute__((vector_size(16)));

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

void apus_gemm8_pack_panel(const struct apus_gemm8_pack *p) {
  size_t k = 0;
  if (p->columns == PANEL && p->column_step == 1) {
    for (; k + 4 <= p->depth; k += 4) {
      pack_rows(p->source + (ptrdiff_t)k * p->depth_step, p->depth_step, p->target + k * PANEL);
    }
  }
  for (; k < p->depth; k += 4) {
    const size_t some = p->depth - k < 4 ? p->depth - k : 4;
    uint8_t *target = (uint8_t *)p->target + k * PANEL;
    for (size_t n = 0; n < PANEL; n++, target += 4) {
      const uint8_t *from =
          p->source + (ptrdiff_t)k * p->depth_step + (ptrdiff_t)n * p->column_step;
      uint8_t four[4] = {0, 0, 0, 0};
      if (n < p->columns) {
        for (size_t i = 0; i < some; i++) four[i] = from[(ptrdiff_t)i * p->depth_step] ^ 0x80;
      }
      __builtin_memcpy(target, four, sizeof four);
    }
  }
  int32_t sums[PANEL] = {0};
  for (size_t at = 0; at < (p->depth + 3) / 4 * 4 * PANEL; at += 4 * PANEL) {
    for (size_t n = 0; n < PANEL; n++) {
      const int8_t *four = p->target + at + 4 * n;
      sums[n] += four[0] + four[1] + four[2] + four[3];
    }
  }
  __builtin_memcpy(p->sums, sums, sizeof sums);
}

uint32_t apus_gemm8_row_sum(const uint8_t *a, size_t count) {
  uint32_t sum = 0;
  for (size_t i = 0; i < count; i++) sum += a[i];
  return sum;
}
