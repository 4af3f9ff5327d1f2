// Softmax of rows and of columns, float32 and bfloat16 (enum apus_float), and of rows into bytes.
//
// Computed in float32, rounded to nearest even when stored; all kernels give the same bits, but
// where `fused` admits fused multiply-adds, and where a bfloat16 would be subnormal (AVX-512-BF16
// makes it 0). No alignment needed; nothing is read or written outside the operands. y may be x, if
// it is of its type.
#ifndef APUS_SOFTMAX_H
#define APUS_SOFTMAX_H

#include <stddef.h>
#include <stdint.h>

// rows: every row of `count` > 0 dense elements is a line; rows lie `row` elements apart.
// columns: every column is a line of `rows` > 0 elements that lie `row` elements apart.
// y = exp(x - max) / Σ exp(x - max), or its logarithm. Bytes (rows, no logarithm) are
// clamp(round(exp(x - max) · (y_inverse / Σ exp(x - max))) + y_zero, 0, 255), NaN 0.
enum apus_softmax_type { APUS_SOFTMAX_BYTES = 16 };  // a y_type beside those of enum apus_float

struct apus_softmax {
  const void *x;
  void *y;
  ptrdiff_t row;
  uint32_t x_type, y_type;
  size_t rows, count;
  uint32_t logarithmic;
  float y_inverse;  // bytes: 1 / scale
  int32_t y_zero;   // within 0 … 255
  uint32_t fused;
};

// The expectations of distributions: rows hold `groups` groups of `bins` numbers, and with p the
// softmax of a group, y[g][r] = Σ p[k] weights[k], float32. Row r of x starts r · x_row elements
// after the first, row g of y g · y_group elements.
enum { APUS_EXPECTATION_BINS = 64 };  // the most bins

struct apus_expectation {
  const float *x;
  float *y;
  const float *weights;  // `bins` of them
  ptrdiff_t x_row, y_group;
  size_t rows, groups, bins;
  uint32_t fused;
};

struct apus_softmax_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*rows)(const struct apus_softmax *);
  void (*columns)(const struct apus_softmax *);
  void (*expectation)(const struct apus_expectation *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_softmax_kernel *apus_softmax_kernels(size_t *count);

#endif
