// The functions of one float that kernels apply while they store, and alone.
#ifndef APUS_FUNCTIONS_H
#define APUS_FUNCTIONS_H

#include <stdint.h>

// The numbers are those of Swift's `Activation.Function`, where the formulas stand.
enum apus_function {
  APUS_IDENTITY = 0,
  APUS_RELU = 1,
  APUS_CLIP = 2,
  APUS_LEAKY_RELU = 3,
  APUS_SIGMOID = 4,
  APUS_HARD_SIGMOID = 5,
  APUS_HARD_SWISH = 6,
  APUS_SWISH = 7,
  APUS_TANH = 8,
  APUS_GELU = 9,
  APUS_GELU_TANH = 10,
  APUS_ELU = 11,
  APUS_SELU = 12,
  APUS_SOFTPLUS = 13,
  APUS_SOFTSIGN = 14,
  APUS_MISH = 15,
  APUS_EXP = 16,
  APUS_LOG = 17,
  APUS_SQRT = 18,
  APUS_RECIPROCAL = 19,
  APUS_NEGATE = 20,
  APUS_ABSOLUTE = 21,
  APUS_FLOOR = 22,
  APUS_CEIL = 23,
  APUS_ROUND = 24,
  APUS_ERF = 25,
  APUS_SIN = 26,
  APUS_COS = 27,
  APUS_TAN = 28,
  APUS_ASIN = 29,
  APUS_ACOS = 30,
  APUS_ATAN = 31,
  APUS_SINH = 32,
  APUS_COSH = 33,
  APUS_ASINH = 34,
  APUS_ACOSH = 35,
  APUS_ATANH = 36,
  APUS_SIGN = 37,
  APUS_THRESHOLDED_RELU = 38,
  APUS_SHRINK = 39,
  APUS_SQUARE = 40,
  APUS_AFFINE = 41,
  APUS_CELU = 42,
};

// A function and its parameters.
struct apus_activation {
  uint32_t function;
  float alpha;
  float beta;
};

// Says whether the vector math (and so every kernel's store) knows the function. It does not know
// the trigonometric and hyperbolic ones other than tanh: APUS_SIN ... APUS_ATANH.
static inline int apus_function_is_vector(uint32_t function) {
  return function <= APUS_CELU && !(function >= APUS_SIN && function <= APUS_ATANH);
}

#endif
