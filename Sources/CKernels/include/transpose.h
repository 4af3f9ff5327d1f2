// Matrices turned over: dst[j * dst_stride + i] = src[i * src_stride + j], i < rows, j < columns.
#ifndef APUS_TRANSPOSE_H
#define APUS_TRANSPOSE_H

#include <stddef.h>
#include <stdint.h>

// Strides count elements and may be negative. No alignment is needed; nothing but the named
// elements is read or written. src and dst do not overlap.
struct apus_transpose {
  const void *src;
  ptrdiff_t src_stride;
  void *dst;
  ptrdiff_t dst_stride;
  size_t rows;
  size_t columns;
};

struct apus_transpose_kernel {
  const char *name;
  uint32_t isa;   // enum apus_isa
  uint32_t size;  // bytes of an element: 1, 2, 4 or 8
  void (*run)(const struct apus_transpose *);
};

// The kernels of this build, best first within a size; `count` is set to their number.
const struct apus_transpose_kernel *apus_transpose_kernels(size_t *count);

#endif
