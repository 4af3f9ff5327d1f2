// Matrix product of 8-bit factors with gathered rows: the kernel behind quantised convolutions and
// matrix multiplications.
//
//   s[m][n] = offset[n] + row_offset[m] + Σk a[m][k] b[k][n]        int32, modulo 2^32
//   y[m][n] = store(s[m][n])                                        see quantized.h
//
// A is uint8, B int8. Rows form a grid of `width` rows per line as in gemm.h, and a row of A is
// `run_count` runs of `run_length` consecutive elements; run r starts runs[r] elements after the
// row's first.
//
// B is packed: panels of 16 columns, [N/16][K/4][16][4], K = run_count · run_length; columns past
// N are zeros. run_length is a multiple of 4; where the true run is shorter, B holds zeros for the
// last elements and A any bytes there.
//
// Alignment: none needed; 64 bytes for panels and rows is fastest. Reads past the operands: up to 3
// bytes behind a true run; of `store.offset` whole panels (up to 15 behind the last column); of the
// other arrays of columns what quantized.h says. Y is written exactly. The bits of Y are the same
// on every ISA.
#ifndef APUS_GEMM8_H
#define APUS_GEMM8_H

#include <stddef.h>
#include <stdint.h>

#include "quantized.h"

struct apus_gemm8 {
  // The grid: rows first ..< first + count are computed.
  size_t width;
  size_t first;
  size_t count;

  const uint8_t *a;
  ptrdiff_t a_pixel;  // elements from one row of a line to the next
  ptrdiff_t a_line;   // elements from one line to the next
  const ptrdiff_t *runs;
  size_t run_count;
  size_t run_length;

  const int8_t *b;    // the panel of the first column
  size_t panel_step;  // elements from one panel to the next; at least 16 K
  size_t columns;     // N
  const int32_t *row_offset;  // by rows of the grid; null: zeros

  // y and residual point to row 0, first column; the arrays to the first column.
  struct apus_quantized_store store;
  ptrdiff_t y_pixel;  // elements
  ptrdiff_t y_line;
  ptrdiff_t residual_pixel;
  ptrdiff_t residual_line;
};

struct apus_gemm8_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*run)(const struct apus_gemm8 *);
};

// The kernels of this build, best first; `count` is set to their number.
const struct apus_gemm8_kernel *apus_gemm8_kernels(size_t *count);

// One panel of a factor that is only known at run time: uint8 elements q become q − 128.
struct apus_gemm8_pack {
  const uint8_t *source;  // element (0, first column)
  ptrdiff_t depth_step;   // elements from k to k + 1
  ptrdiff_t column_step;  // elements from n to n + 1
  size_t depth;    // K
  size_t columns;  // 0 ... 16
  int8_t *target;  // 16 K elements, K rounded up to a multiple of 4
  int32_t *sums;   // 16 column sums Σk b[k][n]
};

// Packs one panel; what is past the last column or element becomes zero.
void apus_gemm8_pack_panel(const struct apus_gemm8_pack *);

// The sum of `count` elements.
uint32_t apus_gemm8_row_sum(const uint8_t *a, size_t count);

#endif
