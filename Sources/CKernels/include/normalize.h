// Normalisation of rows by their mean and variance, float32 and bfloat16 (enum apus_float).
//
// Computed in float32 (the mean first, then the variance around it), rounded to nearest even when
// stored; all kernels give the same bits. No alignment needed; nothing is read or written outside
// the operands. y may be x.
#ifndef APUS_NORMALIZE_H
#define APUS_NORMALIZE_H

#include <stddef.h>
#include <stdint.h>

// One row: y[i] = (x[i] - mean) / √(variance + epsilon) · scale[i / run] + bias[i / run].
struct apus_normalize {
  const void *x;
  void *y;
  const void *scale, *bias;  // null: 1 and 0
  uint32_t x_type, y_type, scale_type, bias_type;
  size_t count;  // > 0
  size_t run;    // divides count
  float epsilon;
  uint32_t root_mean_square;  // take the mean as 0
  // Results.
  float mean, inverse_deviation;
};

struct apus_normalize_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*row)(struct apus_normalize *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_normalize_kernel *apus_normalize_kernels(size_t *count);

#endif
