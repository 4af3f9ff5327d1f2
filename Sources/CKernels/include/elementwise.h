// Element-wise functions of one and two tensors, float32 and bfloat16.
//
// All work on rows: row r of an operand starts r · <operand>_row elements after its first. Types
// are enum apus_float. Computed in float32, rounded to nearest even when stored. No alignment
// needed; nothing is read or written outside the rows. y may be the same memory as an operand whose
// elements lie at the same places.
#ifndef APUS_ELEMENTWISE_H
#define APUS_ELEMENTWISE_H

#include <stddef.h>
#include <stdint.h>

#include "functions.h"

// The numbers are those of Swift's `Binary.Function`.
enum apus_binary_function {
  APUS_ADD = 0,
  APUS_SUBTRACT = 1,
  APUS_MULTIPLY = 2,
  APUS_DIVIDE = 3,
  APUS_MINIMUM = 4,
  APUS_MAXIMUM = 5,
  APUS_PRELU = 9,
};

// y[r][i] = f(x[r][i])
struct apus_unary {
  const void *x;
  void *y;
  ptrdiff_t x_row, y_row;
  uint32_t x_type, y_type;
  size_t rows, count;
  struct apus_activation activation;  // one that apus_function_is_vector admits
  uint32_t fused;  // may use fused multiply-adds: then bits differ between kernels
};

// y[r][i] = f(a[r][i] function b[r][i]); a step of 0 repeats the row's first element.
struct apus_binary {
  const void *a, *b;
  void *y;
  ptrdiff_t a_row, b_row, y_row;
  uint32_t a_type, b_type, y_type;
  uint32_t a_step, b_step;  // 0 or 1
  size_t rows, count;
  uint32_t function;  // enum apus_binary_function
  struct apus_activation activation;
};

// y[r][c] = f(x[r][c] · scale[c] + bias[c])
struct apus_scale_shift {
  const void *x, *scale, *bias;
  void *y;
  ptrdiff_t x_row, y_row;
  uint32_t x_type, scale_type, bias_type, y_type;
  size_t rows, count;
  struct apus_activation activation;
};

struct apus_elementwise_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*unary)(const struct apus_unary *);
  void (*binary)(const struct apus_binary *);
  void (*scale_shift)(const struct apus_scale_shift *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_elementwise_kernel *apus_elementwise_kernels(size_t *count);

#endif
