// Packing of a factor that is only known at run time.
//
// The common shapes go by whole rows: columns that lie together are copied (float32) or interleaved
// in pairs (bfloat16); a K that lies together is transposed in squares of 4 × 4 words, a word being
// a float32 or a pair of bfloat16.
#include "../math/math_reference.h"
#include "gemm.h"

typedef uint32_t words __attribute__((vector_size(16)));
typedef uint16_t halves __attribute__((vector_size(16)));

static uint16_t element(const struct apus_gemm_pack *p, ptrdiff_t at) {
  if (p->source_type == APUS_BFLOAT16) return ((const uint16_t *)p->source)[at];
  return (uint16_t)apus_bfloat16_reference(
      apus_splat_reference(((const float *)p->source)[at]))[0];
}

// Sixteen columns of `count` words each, `step` bytes apart, to rows of sixteen words.
static void transpose(const char *source, ptrdiff_t step, char *target, size_t count) {
  size_t k = 0;
  for (; k + 4 <= count; k += 4) {
    for (size_t n = 0; n < 16; n += 4) {
      words a, b, c, d;
      const char *from = source + (ptrdiff_t)n * step + (ptrdiff_t)k * 4;
      __builtin_memcpy(&a, from, 16);
      __builtin_memcpy(&b, from + step, 16);
      __builtin_memcpy(&c, from + 2 * step, 16);
      __builtin_memcpy(&d, from + 3 * step, 16);
      words ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
      words cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
      words rows[4];
      rows[0] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
      rows[1] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
      ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
      rows[2] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
      rows[3] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
      for (size_t i = 0; i < 4; i++) {
        __builtin_memcpy(target + (k + i) * 64 + n * 4, &rows[i], 16);
      }
    }
  }
  for (; k < count; k++) {
    for (size_t n = 0; n < 16; n++) {
      __builtin_memcpy(
          target + k * 64 + n * 4, source + (ptrdiff_t)n * step + (ptrdiff_t)k * 4, 4);
    }
  }
}

// Rows of sixteen bfloat16, two at a time, to pairs.
static void interleave(const uint16_t *source, ptrdiff_t step, uint16_t *target, size_t depth) {
  for (size_t k = 0; k < depth; k += 2, target += 32) {
    for (size_t n = 0; n < 16; n += 8) {
      halves even, odd = {0};
      __builtin_memcpy(&even, source + (ptrdiff_t)k * step + n, 16);
      if (k + 1 < depth) __builtin_memcpy(&odd, source + (ptrdiff_t)(k + 1) * step + n, 16);
      halves low = __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
      halves high = __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
      __builtin_memcpy(target + 2 * n, &low, 16);
      __builtin_memcpy(target + 2 * n + 8, &high, 16);
    }
  }
}

static void pack_float32(const struct apus_gemm_pack *p) {
  float *target = p->target;
  if (p->columns == 16 && p->depth_step == 1) {
    transpose(p->source, p->column_step * 4, p->target, p->depth);
    return;
  }
  const int whole = p->columns == 16 && p->column_step == 1;
  for (size_t k = 0; k < p->depth; k++, target += 16) {
    const float *row = (const float *)p->source + (ptrdiff_t)k * p->depth_step;
    if (whole) {
      __builtin_memcpy(target, row, 64);
      continue;
    }
    for (size_t n = 0; n < p->columns; n++) target[n] = row[(ptrdiff_t)n * p->column_step];
    for (size_t n = p->columns; n < 16; n++) target[n] = 0.0f;
  }
}

static void pack_bfloat16(const struct apus_gemm_pack *p) {
  uint16_t *target = p->target;
  if (p->source_type == APUS_BFLOAT16 && p->columns == 16) {
    if (p->column_step == 1) {
      interleave(p->source, p->depth_step, target, p->depth);
      return;
    }
    if (p->depth_step == 1 && p->depth % 2 == 0) {
      transpose(p->source, p->column_step * 2, p->target, p->depth / 2);
      return;
    }
  }
  for (size_t k = 0; k < p->depth; k += 2, target += 32) {
    for (size_t n = 0; n < 16; n++) {
      const int inside = n < p->columns;
      ptrdiff_t at = (ptrdiff_t)k * p->depth_step + (ptrdiff_t)n * p->column_step;
      target[2 * n] = inside ? element(p, at) : 0;
      target[2 * n + 1] = inside && k + 1 < p->depth ? element(p, at + p->depth_step) : 0;
    }
  }
}

void apus_gemm_pack_panel(const struct apus_gemm_pack *p) {
  if (p->target_type == APUS_FLOAT32) {
    pack_float32(p);
  } else {
    pack_bfloat16(p);
  }
}
