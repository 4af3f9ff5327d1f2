// Bytes times gates in plain C.
#include "gate8.h"

#define INLINE static inline __attribute__((always_inline, unused))
#define FUNCTION apus_gate8_reference
enum { STEP = 1 };
struct gate_arrays;
INLINE void gate_step(
    const uint8_t *x, const struct gate_arrays *a, int shift, uint8_t *y, size_t count);

#include "generic.h"

INLINE void gate_step(
    const uint8_t *x, const struct gate_arrays *a, int shift, uint8_t *y, size_t count) {
  (void)count;
  const int32_t wide = ((int32_t)*x - *a->zero) * (1 << shift);
  const int32_t q = ((wide * *a->factor + (1 << 14)) >> 15) + *a->offset;
  *y = (uint8_t)(q < 0 ? 0 : q > 255 ? 255 : q);
}
