// Functions of float vectors for float programs, where bits may differ between ISAs: fused
// multiply-adds, and reciprocals by a Newton step, instead of what generic.h must do. What is not
// here is the exact function (`apply`).
//
// Included by fast_<isa>.h, which defines APUS_MATH(name), FAST(name) (the names of generic.h and
// of this file) and, on its vectors,
//   MULTIPLY_ADD(a, b, c)   a b + c with one rounding
//   LESSER(a, b), GREATER(a, b)   the second operand where one is a NaN
//   WHOLE(x)                the nearest integer
//   SCALED(x, n)            x 2^n for a whole n in [-126, 127]
//   INVERSE(x)              1 / x for 2^-126 <= |x| <= 2^126, relative error below 2e-7
//   ROUGH_INVERSE(x)        the same, error below 2^-11
//   ROUGH_EXP2(x)           2^x, error below 2^-13, for any x but a NaN
// and, if the ISA has better means for them, GELU(x), GELU_TANH(x), ROUGH_GELU(x) and
// ROUGH_GELU_TANH(x).
//
// Errors, relative: 4e-7, and 7e-7 for results below 1e-7; the functions in `rough`, for results
// that are rounded to bfloat16, 2^-11. GELU's are relative to |x| for negative x. An infinity is a
// number like any other; a NaN stays.

#define APUS_INLINE static inline __attribute__((always_inline, unused))
#define V APUS_MATH(v)

// 2^r for r in [-0.5, 0.5].
APUS_INLINE V FAST(exp2)(V r) {
  V p = MULTIPLY_ADD(r, APUS_MATH(splat)(0.00132764725f), APUS_MATH(splat)(0.00967554189f));
  p = MULTIPLY_ADD(p, r, APUS_MATH(splat)(0.0555071309f));
  p = MULTIPLY_ADD(p, r, APUS_MATH(splat)(0.240221202f));
  p = MULTIPLY_ADD(p, r, APUS_MATH(splat)(0.693146944f));
  return MULTIPLY_ADD(p, r, APUS_MATH(splat)(1.0f));
}

// exp(x) for x in [-87, 87].
APUS_INLINE V FAST(exp)(V x) {
  const V e = APUS_MATH(splat)(1.44269502f);
  const V n = WHOLE(x * e);
  const V r = MULTIPLY_ADD(x, e, -n);
  return SCALED(FAST(exp2)(MULTIPLY_ADD(x, APUS_MATH(splat)(1.92596299e-8f), r)), n);
}

// 1 / (1 + exp(-x)). Outside [-87, 87] it is 0 or 1 in all but the last of float32's range.
APUS_INLINE V FAST(sigmoid)(V x) {
  const V e = APUS_MATH(splat)(-1.44269502f);
  x = LESSER(APUS_MATH(splat)(87.0f), GREATER(APUS_MATH(splat)(-87.0f), x));
  const V n = WHOLE(x * e);
  return INVERSE(SCALED(FAST(exp2)(MULTIPLY_ADD(x, e, -n)), n) + 1.0f);
}

// x P(x²) / Q(x²) as in generic.h, cut where it is ±1.
APUS_INLINE V FAST(tanh)(V x) {
  const V c = LESSER(APUS_MATH(splat)(9.0f), GREATER(APUS_MATH(splat)(-9.0f), x));
  const V z = c * c;
  V p = MULTIPLY_ADD(z, APUS_MATH(splat)(1.33191929e-08f), APUS_MATH(splat)(2.05835786e-05f));
  p = MULTIPLY_ADD(p, z, APUS_MATH(splat)(0.00349404081f));
  p = MULTIPLY_ADD(p, z, APUS_MATH(splat)(0.133797228f));
  p = MULTIPLY_ADD(p, z, APUS_MATH(splat)(1.0f));
  V q = MULTIPLY_ADD(z, APUS_MATH(splat)(7.76207173e-07f), APUS_MATH(splat)(0.0003283103f));
  q = MULTIPLY_ADD(q, z, APUS_MATH(splat)(0.025871098f));
  q = MULTIPLY_ADD(q, z, APUS_MATH(splat)(0.467130393f));
  q = MULTIPLY_ADD(q, z, APUS_MATH(splat)(1.0f));
  const V y = (c * p) * INVERSE(q);
  return LESSER(APUS_MATH(splat)(1.0f), GREATER(APUS_MATH(splat)(-1.0f), y));
}

APUS_INLINE V FAST(erf)(V x) {
  const V c = LESSER(APUS_MATH(splat)(4.0f), GREATER(APUS_MATH(splat)(-4.0f), x));
  const V z = c * c;
  V p = MULTIPLY_ADD(z, APUS_MATH(splat)(1.98678822e-06f), APUS_MATH(splat)(0.000284565671f));
  p = MULTIPLY_ADD(p, z, APUS_MATH(splat)(0.00388332573f));
  p = MULTIPLY_ADD(p, z, APUS_MATH(splat)(0.0531016886f));
  p = MULTIPLY_ADD(p, z, APUS_MATH(splat)(0.193544611f));
  p = MULTIPLY_ADD(p, z, APUS_MATH(splat)(1.12837911f));
  V q = MULTIPLY_ADD(z, APUS_MATH(splat)(3.74202245e-05f), APUS_MATH(splat)(0.00118556712f));
  q = MULTIPLY_ADD(q, z, APUS_MATH(splat)(0.0152072143f));
  q = MULTIPLY_ADD(q, z, APUS_MATH(splat)(0.115349814f));
  q = MULTIPLY_ADD(q, z, APUS_MATH(splat)(0.504857004f));
  q = MULTIPLY_ADD(q, z, APUS_MATH(splat)(1.0f));
  const V y = (c * p) * INVERSE(q);
  return LESSER(APUS_MATH(splat)(1.0f), GREATER(APUS_MATH(splat)(-1.0f), y));
}

APUS_INLINE V FAST(rough_sigmoid)(V x, float scale) {
  return ROUGH_INVERSE(ROUGH_EXP2(x * (scale * -1.44269504f)) + 1.0f);
}

#ifndef GELU
#define GELU(x) FAST(gelu)(x)
#define GELU_TANH(x) FAST(gelu_tanh)(x)
#define ROUGH_GELU(x) FAST(rough_gelu)(x)
#define ROUGH_GELU_TANH(x) FAST(rough_gelu_tanh)(x)

APUS_INLINE V FAST(gelu)(V x) {
  const V half = x * 0.5f;
  return MULTIPLY_ADD(half, FAST(erf)(x * 0.707106781f), half);
}

// 0.5 x (1 + tanh(u)) = x sigmoid(2u)
APUS_INLINE V FAST(gelu_tanh)(V x) {
  const V cubic =
      MULTIPLY_ADD(x * x, APUS_MATH(splat)(0.0713548163f), APUS_MATH(splat)(1.59576912f));
  return x * FAST(sigmoid)(x * cubic);
}

// x times the sigmoid of an odd polynomial, fitted to log(Φ(x) / Φ(-x)) on [-5.5, 5.5].
APUS_INLINE V FAST(rough_gelu)(V x) {
  const V z = LESSER(APUS_MATH(splat)(30.25f), x * x);
  V p = MULTIPLY_ADD(z, APUS_MATH(splat)(-2.13770967e-06f), APUS_MATH(splat)(6.05747418e-05f));
  p = MULTIPLY_ADD(p, z, APUS_MATH(splat)(0.000578550569f));
  p = MULTIPLY_ADD(p, z, APUS_MATH(splat)(-0.105819483f));
  p = MULTIPLY_ADD(p, z, APUS_MATH(splat)(-2.3016459f));
  return x * ROUGH_INVERSE(ROUGH_EXP2(x * p) + 1.0f);
}

APUS_INLINE V FAST(rough_gelu_tanh)(V x) {
  const V cubic =
      MULTIPLY_ADD(x * x, APUS_MATH(splat)(0.0713548163f), APUS_MATH(splat)(1.59576912f));
  return x * FAST(rough_sigmoid)(x * cubic, 1.0f);
}
#endif

// min(max(alpha x + beta, 0), 1)
APUS_INLINE V FAST(hard_sigmoid)(V x, float alpha, float beta) {
  const V y = MULTIPLY_ADD(x, APUS_MATH(splat)(alpha), APUS_MATH(splat)(beta));
  return LESSER(APUS_MATH(splat)(1.0f), GREATER(APUS_MATH(splat)(0.0f), y));
}

APUS_INLINE V FAST(apply)(V x, const struct apus_activation *f) {
  switch (f->function) {
    case APUS_RELU: return GREATER(APUS_MATH(splat)(0.0f), x);
    case APUS_CLIP:
      return LESSER(APUS_MATH(splat)(f->beta), GREATER(APUS_MATH(splat)(f->alpha), x));
    case APUS_SIGMOID: return FAST(sigmoid)(x);
    case APUS_HARD_SIGMOID: return FAST(hard_sigmoid)(x, f->alpha, f->beta);
    case APUS_HARD_SWISH: return x * FAST(hard_sigmoid)(x, f->alpha, f->beta);
    case APUS_SWISH: return x * FAST(sigmoid)(f->alpha == 1.0f ? x : x * f->alpha);
    case APUS_TANH: return FAST(tanh)(x);
    case APUS_GELU: return GELU(x);
    case APUS_GELU_TANH: return GELU_TANH(x);
    case APUS_ERF: return FAST(erf)(x);
    default: return APUS_MATH(apply)(x, f);
  }
}

// The same for results that become bfloat16.
APUS_INLINE V FAST(rough)(V x, const struct apus_activation *f) {
  switch (f->function) {
    case APUS_SIGMOID: return FAST(rough_sigmoid)(x, 1.0f);
    case APUS_SWISH: return x * FAST(rough_sigmoid)(x, f->alpha);
    case APUS_GELU: return ROUGH_GELU(x);
    case APUS_GELU_TANH: return ROUGH_GELU_TANH(x);
    default: return FAST(apply)(x, f);
  }
}

#undef V
#undef APUS_INLINE
#undef APUS_MATH
#undef FAST
#undef MULTIPLY_ADD
#undef LESSER
#undef GREATER
#undef WHOLE
#undef SCALED
#undef INVERSE
#undef ROUGH_INVERSE
#undef ROUGH_EXP2
#undef GELU
#undef GELU_TANH
#undef ROUGH_GELU
#undef ROUGH_GELU_TANH
