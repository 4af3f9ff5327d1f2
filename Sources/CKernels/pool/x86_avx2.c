// The pool kernels, AVX2.
#if defined(__x86_64__)
#include "pool.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "../math/lanes_avx2.h"
#include "generic.h"
#include "bytes.h"
#pragma clang attribute pop
#endif
