// The pool kernels in plain C.
#include "pool.h"

#include "../math/lanes_reference.h"
#include "generic.h"
#include "bytes.h"
