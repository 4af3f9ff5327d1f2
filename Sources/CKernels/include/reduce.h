// Sums, extrema and norms of many numbers, float32 and bfloat16 (enum apus_float).
//
// Computed in float32, in blocks whose sums are added, rounded to nearest even when stored; the
// order of sums is one, and so are the bits that all kernels give. No alignment needed; nothing is
// read or written outside the operands.
#ifndef APUS_REDUCE_H
#define APUS_REDUCE_H

#include <stddef.h>
#include <stdint.h>

// The numbers are those of Swift's `Reduce.Function`.
enum apus_reduce_function {
  APUS_REDUCE_SUM = 0,
  APUS_REDUCE_MEAN = 1,
  APUS_REDUCE_MAXIMUM = 2,
  APUS_REDUCE_MINIMUM = 3,
  APUS_REDUCE_L1 = 5,
  APUS_REDUCE_L2 = 6,
  APUS_REDUCE_SUM_SQUARE = 9,
};

// rows: y[r] = f over i of x[r · row + i]         (`count` > 0 elements, `rows` results)
// columns: y[i] = f over r of x[r · row + i]      (`rows` > 0 elements, `count` results)
struct apus_reduce {
  const void *x;
  void *y;
  ptrdiff_t row;
  uint32_t x_type, y_type;
  size_t rows, count;
  uint32_t function;
};

// Where in every row of `count` > 0 elements the greatest (or least) stands, the first such (or the
// last). NaNs are passed over unless one comes first, which then wins.
struct apus_arg_reduce {
  const void *x;
  int64_t *y;
  ptrdiff_t row;
  uint32_t x_type;
  uint32_t least, last;
  size_t rows, count;
};

struct apus_reduce_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*rows)(const struct apus_reduce *);
  void (*columns)(const struct apus_reduce *);
  void (*arg_rows)(const struct apus_arg_reduce *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_reduce_kernel *apus_reduce_kernels(size_t *count);

#endif
