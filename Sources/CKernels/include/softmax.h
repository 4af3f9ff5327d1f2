// Softmax of rows and of columns, float32 and bfloat16 (enum apus_float).
//
// Computed in float32, rounded to nearest even when stored; all kernels give the same bits. No
// alignment needed; nothing is read or written outside the operands. y may be x.
#ifndef APUS_SOFTMAX_H
#define APUS_SOFTMAX_H

#include <stddef.h>
#include <stdint.h>

// rows: every row of `count` > 0 dense elements is a line; rows lie `row` elements apart.
// columns: every column is a line of `rows` > 0 elements that lie `row` elements apart.
// y = exp(x - max) / Σ exp(x - max), or its logarithm.
struct apus_softmax {
  const void *x;
  void *y;
  ptrdiff_t row;
  uint32_t x_type, y_type;
  size_t rows, count;
  uint32_t logarithmic;
};

struct apus_softmax_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*rows)(const struct apus_softmax *);
  void (*columns)(const struct apus_softmax *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_softmax_kernel *apus_softmax_kernels(size_t *count);

#endif
