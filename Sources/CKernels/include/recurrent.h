// The products of one position of a recurrent layer.
#ifndef APUS_RECURRENT_H
#define APUS_RECURRENT_H

#include <stddef.h>
#include <stdint.h>

// y[j] += Σ x[k] · m[k * stride + j], k < rows, j < columns: a row times a matrix, float32. No
// alignment is needed; nothing but the named elements is read or written. y overlaps neither x nor
// m. Four products are summed before they are added, in the same order by every kernel.
typedef void apus_accumulate_rows(
    const float *x, const float *m, ptrdiff_t stride, float *y, size_t rows, size_t columns);

struct apus_recurrent_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  apus_accumulate_rows *run;
};

// The kernels of this build, best first; `count` is set to their number.
const struct apus_recurrent_kernel *apus_recurrent_kernels(size_t *count);

#endif
