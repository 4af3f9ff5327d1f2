// The softmax kernels in plain C.
#include "softmax.h"

#include "../math/lanes_reference.h"
#define BYTES "../math/bytes_reference.h"
#include "generic.h"
