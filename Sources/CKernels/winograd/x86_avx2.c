// The Winograd transforms, AVX2 and FMA.
#if defined(__x86_64__)
#include "winograd.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "../math/lanes_avx2.h"
#define MULTIPLY_ADD(a, b, c) ((V)_mm256_fmadd_ps(a, b, c))
#define SPLAT(x) _mm256_set1_ps(x)
#include "generic.h"
#pragma clang attribute pop
#endif
