// Depthwise convolution, AVX-512.
#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma"))), apply_to = function)

#define NARROW(x) _mm512_cvtepi32_epi16((__m512i)apus_bfloat16_avx512(x))
#include "x86_avx512.h"

#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define APPLY(x, f) apus_fast_apply_avx512(x, f)
#define APPLY_ROUGH(x, f) apus_fast_rough_avx512(x, f)
#define DEPTHWISE(name) name##_avx512
#include "generic.h"
#undef DEPTHWISE
#undef MULTIPLY_ADD
#undef APPLY
#undef APPLY_ROUGH

#define MULTIPLY_ADD(a, b, c) _mm512_add_ps(c, _mm512_mul_ps(a, b))
#define APPLY(x, f) apus_apply_avx512(x, f)
#define APPLY_ROUGH(x, f) apus_apply_avx512(x, f)
#define DEPTHWISE(name) name##_exact_avx512
#include "generic.h"

#pragma clang attribute pop
#endif
