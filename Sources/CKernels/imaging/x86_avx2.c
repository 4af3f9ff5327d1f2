// The image path, AVX2.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#include "imaging.h"
#include "lookup.h"

void apus_look_up_avx2(const struct apus_look_up *);

// The family of look-ups knows how to look bytes up by shuffles.
static inline void look_up_bytes(uint8_t *pixels, size_t count, const uint8_t *table) {
  const struct apus_look_up call = {
      .x = pixels, .table = table, .y = pixels, .rows = 1, .count = count};
  apus_look_up_avx2(&call);
}

#define LOOK_UP_BYTES look_up_bytes
#define FUNCTION(name) apus_imaging_##name##_avx2
#include "generic.h"

#pragma clang attribute pop
#endif
