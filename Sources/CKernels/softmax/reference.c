// The softmax kernels in plain C.
#include "softmax.h"

#include "../math/lanes_reference.h"
#include "generic.h"
