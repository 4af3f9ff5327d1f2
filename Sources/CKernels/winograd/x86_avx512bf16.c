// The Winograd transforms, AVX-512 with its rounding to bfloat16.
#if defined(__x86_64__)
#include "winograd.h"

#pragma clang attribute push(                                                            \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma"))), \
    apply_to = function)
#include "../math/lanes_avx512bf16.h"
#include "../math/fast_avx512.h"
#define MULTIPLY_ADD(a, b, c) ((V)_mm512_fmadd_ps(a, b, c))
#define SPLAT(x) _mm512_set1_ps(x)
#define APPLY(x, f) apus_fast_apply_avx512(x, f)
#define APPLY_ROUGH(x, f) apus_fast_rough_avx512(x, f)
#include "generic.h"
#pragma clang attribute pop
#endif
