// Element-wise functions of 4 floats at a time, portable: `apus_<name>_reference`, see generic.h.
// Every target compiles it. The bits are those of the other ISAs' functions.
#ifndef APUS_MATH_REFERENCE_H
#define APUS_MATH_REFERENCE_H

#include "functions.h"

#define APUS_LANES 4
#define APUS_MATH(name) apus_##name##_reference
#include "generic.h"
#undef APUS_LANES
#undef APUS_MATH

#endif
