// The softmax kernels, AVX-512 with its rounding to bfloat16.
#if defined(__x86_64__)
#include "softmax.h"

#pragma clang attribute push(                                                            \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma"))), \
    apply_to = function)
#include "../math/lanes_avx512bf16.h"
#define NARROW_TWO(low, high) (__m512i)_mm512_cvtne2ps_pbh(high, low)
#include "x86_avx512.h"
#include "generic.h"
#pragma clang attribute pop
#endif
