// Element-wise functions of 8 floats at a time, AVX2: `apus_<name>_avx2`, see generic.h.
// Include it inside the file's `#pragma clang attribute push` of that target.
#ifndef APUS_MATH_AVX2_H
#define APUS_MATH_AVX2_H

#include "functions.h"

#define APUS_LANES 8
#define APUS_MATH(name) apus_##name##_avx2
#include "generic.h"
#undef APUS_LANES
#undef APUS_MATH

#endif
