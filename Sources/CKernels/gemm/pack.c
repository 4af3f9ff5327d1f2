// Packing of a factor that is only known at run time.
#include "../math/math_reference.h"
#include "gemm.h"

static uint16_t element(const struct apus_gemm_pack *p, ptrdiff_t at) {
  if (p->source_type == APUS_BFLOAT16) return ((const uint16_t *)p->source)[at];
  return (uint16_t)apus_bfloat16_reference(
      apus_splat_reference(((const float *)p->source)[at]))[0];
}

void apus_gemm_pack_panel(const struct apus_gemm_pack *p) {
  if (p->target_type == APUS_FLOAT32) {
    const float *source = p->source;
    float *target = p->target;
    for (size_t k = 0; k < p->depth; k++, target += 16) {
      const float *row = source + (ptrdiff_t)k * p->depth_step;
      for (size_t n = 0; n < p->columns; n++) target[n] = row[(ptrdiff_t)n * p->column_step];
      for (size_t n = p->columns; n < 16; n++) target[n] = 0.0f;
    }
    return;
  }
  uint16_t *target = p->target;
  for (size_t k = 0; k < p->depth; k += 2, target += 32) {
    for (size_t n = 0; n < 16; n++) {
      const int inside = n < p->columns;
      ptrdiff_t at = (ptrdiff_t)k * p->depth_step + (ptrdiff_t)n * p->column_step;
      target[2 * n] = inside ? element(p, at) : 0;
      target[2 * n + 1] = inside && k + 1 < p->depth ? element(p, at + p->depth_step) : 0;
    }
  }
}
