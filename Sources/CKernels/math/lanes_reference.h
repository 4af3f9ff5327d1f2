// Loading and storing vectors of float32 or bfloat16 elements, plain C. Parts of a vector touch
// exactly `count` elements (fewer than the lanes); lanes past them are zero when loaded.
#ifndef APUS_LANES_REFERENCE_H
#define APUS_LANES_REFERENCE_H

#include <stddef.h>

#include "gemm.h"
#include "math_reference.h"

#define M(name) apus_##name##_reference
#define ISA_NAME(name) name##_reference
#define INLINE static inline __attribute__((always_inline, unused))
typedef apus_v_reference V;
enum { LANES = sizeof(V) / sizeof(float) };

INLINE V load_part(const void *p, uint32_t type, size_t i, size_t count) {
  V x = {0};
  for (size_t k = 0; k < count; k++) {
    if (type == APUS_FLOAT32) {
      x[k] = ((const float *)p)[i + k];
    } else {
      uint32_t bits = (uint32_t)((const uint16_t *)p)[i + k] << 16;
      float element;
      __builtin_memcpy(&element, &bits, sizeof element);
      x[k] = element;
    }
  }
  return x;
}

INLINE V load(const void *p, uint32_t type, size_t i) { return load_part(p, type, i, LANES); }

INLINE void store_part(void *p, uint32_t type, size_t i, size_t count, V x) {
  if (type == APUS_FLOAT32) {
    for (size_t k = 0; k < count; k++) ((float *)p)[i + k] = x[k];
  } else {
    apus_u_reference bits = apus_bfloat16_reference(x);
    for (size_t k = 0; k < count; k++) ((uint16_t *)p)[i + k] = (uint16_t)bits[k];
  }
}

INLINE void store(void *p, uint32_t type, size_t i, V x) { store_part(p, type, i, LANES, x); }

// x in the first `count` lanes, `other` in the rest.
INLINE V first_lanes(V x, V other, size_t count) {
  for (size_t k = count; k < LANES; k++) x[k] = other[k];
  return x;
}

// a > b ? a : b: with a NaN, the second operand.
INLINE V larger(V a, V b) { return M(max)(a, b); }

// A bit for every lane where a = b.
INLINE uint32_t lanes_equal(V a, V b) {
  uint32_t bits = 0;
  for (int k = 0; k < LANES; k++) bits |= (uint32_t)(a[k] == b[k]) << k;
  return bits;
}

// Halves are added until one lane is left.
INLINE float lanes_sum(V x) {
  for (int half = LANES / 2; half > 0; half /= 2) {
    for (int k = 0; k < half; k++) x[k] += x[k + half];
  }
  return x[0];
}

INLINE float lanes_max(V x) {
  float best = x[0];
  for (int k = 1; k < LANES; k++) best = x[k] > best ? x[k] : best;
  return best;
}

#endif
