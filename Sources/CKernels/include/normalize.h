// Normalisation of rows by their mean and variance, float32 and bfloat16 (enum apus_float), also
// into bytes.
//
// Computed in float32 (the mean first, then the variance around it), rounded to nearest even when
// stored; all kernels give the same bits. No alignment needed; nothing is read or written outside
// the operands. y may be x, if it is of its type.
#ifndef APUS_NORMALIZE_H
#define APUS_NORMALIZE_H

#include <stddef.h>
#include <stdint.h>

// For each row of `count` dense elements:
// y[i] = (x[i] - mean) / √(variance + epsilon) · scale[i / run] + bias[i / run]. Bytes are
// clamp(round(y[i] · y_inverse) + y_zero, 0, 255), NaN 0.
enum apus_normalize_type { APUS_NORMALIZE_BYTES = 16 };  // a y_type beside those of enum apus_float

struct apus_normalize {
  const void *x;
  void *y;
  const void *scale, *bias;  // null: 1 and 0
  uint32_t x_type, y_type, scale_type, bias_type;
  size_t count;  // > 0
  size_t run;    // divides count; 1 where there are several rows
  size_t rows;   // they lie side by side
  float epsilon;
  uint32_t root_mean_square;  // take the mean as 0
  float y_inverse;  // bytes: 1 / scale
  int32_t y_zero;   // within 0 … 255
  // Results, of the last row.
  float mean, inverse_deviation;
};

struct apus_normalize_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*rows)(struct apus_normalize *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_normalize_kernel *apus_normalize_kernels(size_t *count);

#endif
