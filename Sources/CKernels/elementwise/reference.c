// The elementwise kernels in plain C.
#include "elementwise.h"

#include "../math/lanes_reference.h"
#include "generic.h"
