// Interpolation, portable.
#include "resize.h"

#define FUNCTION(name) apus_resize_##name##_reference
#include "generic.h"
