// Bytes times a factor of their channel: how an 8-bit picture takes the gates of a
// squeeze-and-excitation block.
//
// x and y are rows of channels; row r starts r · row elements after the first. A uint8 element q
// stands for scale · (q − zero). The gates are float32, one per channel. With
//
//   m[c] = gate[c] · (x_scale[c] · y_inverse[c])           each step one float32 operation
//   s    = the least of 0 … 7 with |m[c]| < 2^s for all c, 7 where there is none
//   f[c] = clamp(round(m[c] · 2^(15 − s)), −32767, 32767)  ties to even; NaN becomes 0
//
// an element becomes
//
//   y = clamp((((x − x_zero[c]) · 2^s · f[c] + 2^14) >> 15) + y_zero[c], 0, 255)
//
// in integers, so that all kernels give the same bits. Arrays by channel (`channels` is 1: entry i
// belongs to channel i; 0: the first entry to all) need no alignment. Nothing else is read or
// written outside the operands.
#ifndef APUS_GATE8_H
#define APUS_GATE8_H

#include <stddef.h>
#include <stdint.h>

// How the bytes of x or y stand for real numbers.
struct apus_gate8_scale {
  const float *scale;   // of y: 1 / scale
  const int32_t *zero;  // 0 … 255
  uint32_t channels;    // 0 or 1
};

// Without gaps between the rows of x and y (x_row = y_row = count), `repeat` rows may be done as
// one; else it is 1.
struct apus_gate8 {
  const uint8_t *x;
  uint8_t *y;           // may be x
  ptrdiff_t x_row, y_row;
  size_t rows, count;
  size_t repeat;        // at least 1
  const float *gate;    // `count` of them
  struct apus_gate8_scale x_scale, y_scale;
  int16_t *scratch;     // 3 · (count · repeat + 64) elements, 64-byte aligned
};

struct apus_gate8_kernel {
  const char *name;
  uint32_t isa;  // enum apus_isa
  void (*run)(const struct apus_gate8 *);
};

// The kernels of this build, best first, the portable one last; `count` is set to their number.
const struct apus_gate8_kernel *apus_gate8_kernels(size_t *count);

#endif
