// Element-wise functions of 16 floats at a time, AVX-512: `apus_<name>_avx512`, see generic.h.
// Include it inside the file's `#pragma clang attribute push` of that target.
#ifndef APUS_MATH_AVX512_H
#define APUS_MATH_AVX512_H

#include "functions.h"

#define APUS_LANES 16
#define APUS_MATH(name) apus_##name##_avx512
#include "generic.h"
#undef APUS_LANES
#undef APUS_MATH

#endif
