// The Winograd transforms, AVX-512 with its rounding to bfloat16.
#if defined(__x86_64__)
#include "winograd.h"

#pragma clang attribute push(                                                            \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma"))), \
    apply_to = function)
#include "../math/lanes_avx512.h"
#include "../math/fast_avx512.h"
#undef ISA_NAME
#define ISA_NAME(name) name##_avx512bf16
#define MULTIPLY_ADD(a, b, c) ((V)_mm512_fmadd_ps(a, b, c))
#define SPLAT(x) _mm512_set1_ps(x)

INLINE void store_fast(void *p, uint32_t type, size_t i, V x) {
  if (type == APUS_FLOAT32) {
    _mm512_storeu_ps((float *)p + i, x);
  } else {
    _mm256_storeu_si256((void *)((uint16_t *)p + i), (__m256i)_mm512_cvtneps_pbh(x));
  }
}
#define STORE(p, type, i, x) store_fast(p, type, i, x)
#define APPLY(x, f) apus_fast_apply_avx512(x, f)
#define APPLY_ROUGH(x, f) apus_fast_rough_avx512(x, f)
#include "generic.h"
#pragma clang attribute pop
#endif
