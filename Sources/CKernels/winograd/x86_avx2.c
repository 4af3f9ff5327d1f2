// The Winograd transforms, AVX2 and FMA.
#if defined(__x86_64__)
#include "winograd.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "../math/lanes_avx2.h"
#include "../math/fast_avx2.h"
#define MULTIPLY_ADD(a, b, c) ((V)_mm256_fmadd_ps(a, b, c))
#define SPLAT(x) _mm256_set1_ps(x)
#define APPLY(x, f) apus_fast_apply_avx2(x, f)
#define APPLY_ROUGH(x, f) apus_fast_rough_avx2(x, f)
#include "generic.h"
#pragma clang attribute pop
#endif
