// The reduce kernels in plain C.
#include "reduce.h"

#include "../math/lanes_reference.h"
#include "generic.h"
