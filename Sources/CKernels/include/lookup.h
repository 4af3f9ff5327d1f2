// Looking bytes up in a table: what an element-wise function of an 8-bit tensor becomes.
//
//   y[r][i] = table[i · table_step + x[r][i]]
//
// A signed byte looks up by its bits. Nothing is read or written outside the operands; y may be x
// where both are bytes.
#ifndef APUS_LOOKUP_H
#define APUS_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

struct apus_look_up {
  const uint8_t *x;
  const void *table;     // 256 bytes or floats; as many for every i where table_step is 256
  void *y;               // elements like those of the table
  size_t rows;
  size_t count;          // elements of a row
  ptrdiff_t x_row;       // elements from one row to the next
  ptrdiff_t y_row;
  size_t table_step;     // 0 or 256
  uint32_t is_float;     // the table's elements: 0 bytes, 1 float32
};

struct apus_look_up_kernel {
  const char *name;
  uint32_t isa;      // enum apus_isa
  const char *flag;  // a processor flag that the kernel needs beyond the ISA; null: none
  void (*run)(const struct apus_look_up *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_look_up_kernel *apus_look_up_kernels(size_t *count);

#endif
