// 8-bit depthwise convolution, AVX-VNNI.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)

#include <immintrin.h>

#include "../math/math_avx2.h"
#include "depthwise8.h"

#define NAME(name) name##_avxvnni
#define DOT(sum, x, w) _mm256_dpbusd_avx_epi32(sum, x, w)
#include "ymm_avx2.h"
#include "generic.h"

void apus_depthwise8_avxvnni(const struct apus_depthwise8 *d) {
  for (ptrdiff_t c = 0; c < d->channels; c += 32) {
    block_avxvnni(d, c, d->channels - c < 32 ? d->channels - c : 32);
  }
}

#pragma clang attribute pop
#endif
