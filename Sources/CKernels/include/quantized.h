// What the kernels of 8-bit tensors share: the store of integer sums.
//
// An 8-bit element q stands for scale · (q − zero). Activations are uint8, weights int8, sums
// int32. For a sum s of column (channel) n:
//
//   direct   y = clamp(round(s · multiplier[n]) + zero[n], low[n], high[n])
//   curve    t = round(s · multiplier[n])            saturated to int16
//            f = value[i] + r × (slope[i] + r × bend[i])
//            g = f × ratio[n] + level[n]             saturated to int16
//            g = g + 128 q × residual_ratio[n]       saturated; q: the residual's element
//            y = clamp(g >> fraction, 0, 255)
//   ramp     t as above
//            f = max(t, 0) + (value[i] + r × (slope[i] + r × bend[i])) × ratio[n]
//            g = f + level[n] and so on, as above; all sums saturate
//   general  v = s · multiplier[n]                   the real number
//            v = v + residual                        before the function, or after it
//            v = f(v)
//            y = v                                   float32, or
//            y = clamp(round(v · inverse[n]) + zero[n], 0, 255)
//
// `round` goes to nearest, ties to even. Every step is one float32 operation, never fused, so that
// all ISAs give the same bits. direct: y is uint8, no residual, and no function but what `low` and
// `high` say; |s · multiplier[n]| stays below 2^30 (who makes the call sees to it). general: before
// it is converted to an integer, v · inverse is clamped to −2^20 … 2^20; NaN becomes −2^20.
//
// curve and ramp: y is uint8, and so is the residual, if any, which is added after the function;
// |s · multiplier[n]| stays below 2^31. curve: the function is 64 parabolas over the range of t; i
// is t's upper 6 bits, and r says how far t lies from the middle of the parabola's piece, in −1 …
// 1 − 2^−9: r = (t << 6) ^ 0x8000 as int16. ramp: the function is max(x, 0) but for a part that
// depends on |x| only and vanishes far from 0. t is in units of g, and
//   u = (min(|t|, reach[n]) · lift[n] · near[n]) >> 16
// is |x| in units that all columns share, 0 … 2^15 − 1; i = u >> 9, r = (u << 7) ^ 0x8000.
// min(|t|, reach[n]) · lift[n] is below 2^16.
//
// a × b = (a · b + 2^14) >> 15, the rounded product of fractions.
// |value| + |slope| + |bend| of a piece is below 2^15, so that f needs no saturation.
//
// The arrays of columns are readable to a multiple of 64 entries behind the first of the call.
#ifndef APUS_QUANTIZED_H
#define APUS_QUANTIZED_H

#include <stddef.h>
#include <stdint.h>

#include "functions.h"

// The element types of 8-bit kernels.
enum apus_quantized_type { APUS_UINT8 = 0, APUS_REAL = 1 };  // APUS_REAL: float32

enum apus_store_kind {
  APUS_STORE_GENERAL = 0,
  APUS_STORE_DIRECT = 1,
  APUS_STORE_CURVE = 2,
  APUS_STORE_RAMP = 3,
};

// A function of int16.
struct apus_curve {
  int16_t value[64];
  int16_t slope[64];
  int16_t bend[64];
  // The lower and upper bytes of value, slope and bend, for ISAs that look up bytes.
  uint8_t bytes[6][64];
};

struct apus_quantized_store {
  uint32_t kind;             // enum apus_store_kind
  const int32_t *offset;     // the sums start with it: the bias and −zero(x) · Σ weights
  const float *multiplier;   // direct: scale(x) · scale(w) / scale(y); general: without scale(y)
  const float *inverse;      // general, uint8 y: 1 / scale(y)
  const int32_t *zero;       // zero point of y; within 0 … 255
  const uint8_t *low;        // direct: bounds of y
  const uint8_t *high;

  void *y;
  uint32_t y_type;           // enum apus_quantized_type

  // Null: none. uint8: r = residual_scale[n] · (q − residual_zero[n]); float32: as it is.
  const void *residual;
  uint32_t residual_type;
  uint32_t residual_last;    // added after the function
  const float *residual_scale;
  const int32_t *residual_zero;

  struct apus_activation activation;  // general only

  // curve and ramp.
  const struct apus_curve *curve;  // 64-byte aligned
  const int16_t *ratio;
  const int16_t *level;
  const int16_t *residual_ratio;
  uint32_t fraction;  // 0 … 7
  const uint16_t *reach;  // ramp only
  const uint16_t *lift;
  const uint16_t *near;
};

#endif
