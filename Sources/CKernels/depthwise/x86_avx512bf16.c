// Depthwise convolution, AVX-512 with the conversion to bfloat16 of AVX-512-BF16.
#if defined(__x86_64__)
#pragma clang attribute push(                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma"))), \
    apply_to = function)

#define NARROW(x) (__m256i)_mm512_cvtneps_pbh(x)
#include "x86_avx512.h"

#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define APPLY(x, f) apus_fast_apply_avx512(x, f)
#define APPLY_ROUGH(x, f) apus_fast_rough_avx512(x, f)
#define DEPTHWISE(name) name##_avx512bf16
#include "generic.h"

#pragma clang attribute pop
#endif
