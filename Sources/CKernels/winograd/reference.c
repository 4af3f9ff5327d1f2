// The Winograd transforms in portable C.
#include "winograd.h"

#include "../math/lanes_reference.h"
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#define SPLAT(x) M(splat)(x)
#define APPLY(x, f) apus_apply_reference(x, f)
#define APPLY_ROUGH(x, f) apus_apply_reference(x, f)
#include "generic.h"
