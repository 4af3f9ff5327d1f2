// The products of a recurrent layer, portable.
#include "recurrent.h"

#define BLOCK 16
#include "generic.h"

void apus_recurrent_reference(
    const float *x, const float *m, ptrdiff_t stride, float *y, size_t rows, size_t columns) {
  accumulate(x, m, stride, y, rows, columns);
}
