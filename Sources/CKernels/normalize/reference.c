// The normalize kernels in plain C.
#include "normalize.h"

#include "../math/lanes_reference.h"
#define BYTES "../math/bytes_reference.h"
#include "generic.h"
