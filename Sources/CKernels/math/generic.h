// Element-wise functions of float vectors: one text for every ISA.
//
// Included by math_<isa>.h, which defines APUS_LANES (floats per vector) and APUS_MATH(name) (the
// name's suffix). Only +, -, *, /, sqrt, comparisons and bit operations are used, each correctly
// rounded and none fused, in one fixed order: a function gives the same bits for the same input on
// every ISA. (Vectors are the compiler's, so that each operation becomes one instruction.)
//
// Polynomials and rational functions are weighted minimax fits made for this file; the error of
// each, relative to the exact value unless it says absolute, stands beside it.

#define APUS_INLINE static inline __attribute__((always_inline, unused))
#define V APUS_MATH(v)
#define I APUS_MATH(i)
#define U APUS_MATH(u)

typedef float V __attribute__((vector_size(4 * APUS_LANES)));
typedef int32_t I __attribute__((vector_size(4 * APUS_LANES)));
typedef uint32_t U __attribute__((vector_size(4 * APUS_LANES)));

// The value in every lane.
APUS_INLINE V APUS_MATH(splat)(float x) { return x - (V){}; }

// Lane by lane: mask (0 or -1) ? a : b.
APUS_INLINE V APUS_MATH(select)(I mask, V a, V b) {
  return (V)((mask & (I)a) | (~mask & (I)b));
}

// a > b ? a : b and a < b ? a : b: with a NaN, the second operand.
APUS_INLINE V APUS_MATH(max)(V a, V b) { return APUS_MATH(select)(a > b, a, b); }
APUS_INLINE V APUS_MATH(min)(V a, V b) { return APUS_MATH(select)(a < b, a, b); }

// min(max(x, low), high); a NaN stays.
APUS_INLINE V APUS_MATH(clamp)(V x, float low, float high) {
  return APUS_MATH(min)(APUS_MATH(splat)(high), APUS_MATH(max)(APUS_MATH(splat)(low), x));
}

APUS_INLINE V APUS_MATH(abs)(V x) { return (V)((I)x & 0x7fffffff); }

// |magnitude| with the sign of `sign`.
APUS_INLINE V APUS_MATH(copysign)(V magnitude, V sign) {
  return (V)(((I)magnitude & 0x7fffffff) | ((I)sign & (int32_t)0x80000000));
}

// To the nearest integer, ties to even: adding 2^23 leaves no bits for a fraction.
APUS_INLINE V APUS_MATH(round)(V x) {
  V a = APUS_MATH(abs)(x);
  V r = (a + 8388608.0f) - 8388608.0f;
  return APUS_MATH(select)(a < 8388608.0f, APUS_MATH(copysign)(r, x), x);
}

APUS_INLINE V APUS_MATH(floor)(V x) {
  V r = APUS_MATH(round)(x);
  V down = r - 1.0f;
  return APUS_MATH(select)(r > x, down, r);
}

APUS_INLINE V APUS_MATH(ceil)(V x) {
  V r = APUS_MATH(round)(x);
  V up = APUS_MATH(copysign)(r + 1.0f, x);
  return APUS_MATH(select)(r < x, up, r);
}

// exp(x) = 2^n exp(r), r = x - n log 2 in [-0.35, 0.35]. Error 2e-7; underflows to 0 below -104,
// overflows to infinity above 88.72.
APUS_INLINE V APUS_MATH(exp)(V x) {
  const float magic = 12582912.0f;  // 1.5 * 2^23: its low bits hold n
  x = APUS_MATH(clamp)(x, -105.0f, 89.5f);
  V shifted = x * 1.44269504f + magic;
  V n = shifted - magic;
  V r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
  V p = r * 0.00138144637f + 0.00836878084f;
  p = p * r + 0.0416683927f;
  p = p * r + 0.166665196f;
  p = p * r + 0.49999994f;
  V y = (r * r) * p + (r + 1.0f);
  // 2^n in two factors, so that subnormal results and overflow come out right.
  U exponent = (U)shifted - 0x4b400000u;
  U half = (U)((I)exponent >> 1);
  V first = (V)((half + 127u) << 23);
  V second = (V)((exponent - half + 127u) << 23);
  return (y * first) * second;
}

// log(x) = e log 2 + log(1 + f), 1 + f in [sqrt(1/2), sqrt(2)). Error 1e-7.
APUS_INLINE V APUS_MATH(log)(V x) {
  I tiny = x < 1.17549435e-38f;
  V scaled = APUS_MATH(select)(tiny, x * 8388608.0f, x);
  // Subtracting the bits of sqrt(1/2) makes the exponent field count from there.
  U bits = (U)scaled - 0x3f3504f3u;
  I exponent = (I)bits >> 23;
  V m = (V)((bits & 0x007fffffu) + 0x3f3504f3u);
  V e = __builtin_convertvector(exponent, V);
  e = APUS_MATH(select)(tiny, e - 23.0f, e);
  V f = m - 1.0f;
  V p = f * -0.0763430446f + 0.127653942f;
  p = p * f + -0.131620198f;
  p = p * f + 0.142013744f;
  p = p * f + -0.166231439f;
  p = p * f + 0.200012356f;
  p = p * f + -0.250008255f;
  p = p * f + 0.333333313f;
  V square = f * f;
  V y = (square * f) * p + e * -2.12194440e-4f;
  y = y - square * 0.5f;
  y = (f + y) + e * 0.693359375f;
  V infinity = APUS_MATH(splat)(__builtin_inff());
  y = APUS_MATH(select)(x == infinity, infinity, y);
  y = APUS_MATH(select)(x == 0.0f, -infinity, y);
  V none = APUS_MATH(splat)(__builtin_nanf(""));
  return APUS_MATH(select)(~(x >= 0.0f), none, y);
}

// log(1 + x) for x >= 0: log w of the rounded w = 1 + x, corrected for the rounding.
APUS_INLINE V APUS_MATH(log1p)(V x) {
  V w = x + 1.0f;
  return APUS_MATH(log)(w) - ((w - 1.0f) - x) / w;
}

// y cut to [-1, 1], and exactly ±1 where |x| >= limit.
APUS_INLINE V APUS_MATH(saturate)(V y, V x, float limit) {
  V one = APUS_MATH(copysign)(APUS_MATH(splat)(1.0f), x);
  y = APUS_MATH(clamp)(y, -1.0f, 1.0f);
  return APUS_MATH(select)(APUS_MATH(abs)(x) >= limit, one, y);
}

// tanh(x) = x P(x²) / Q(x²) on (-9, 9), beyond which it is ±1 in float32. Error 4e-7.
APUS_INLINE V APUS_MATH(tanh)(V x) {
  V c = APUS_MATH(clamp)(x, -9.0f, 9.0f);
  V z = c * c;
  V p = z * 1.33191929e-08f + 2.05835786e-05f;
  p = p * z + 0.00349404081f;
  p = p * z + 0.133797228f;
  p = p * z + 1.0f;
  V q = z * 7.76207173e-07f + 0.0003283103f;
  q = q * z + 0.025871098f;
  q = q * z + 0.467130393f;
  q = q * z + 1.0f;
  return APUS_MATH(saturate)((c * p) / q, x, 9.0f);
}

// erf(x) = x P(x²) / Q(x²) on (-4, 4), beyond which it is ±1 in float32. Error 4e-7.
APUS_INLINE V APUS_MATH(erf)(V x) {
  V c = APUS_MATH(clamp)(x, -4.0f, 4.0f);
  V z = c * c;
  V p = z * 1.98678822e-06f + 0.000284565671f;
  p = p * z + 0.00388332573f;
  p = p * z + 0.0531016886f;
  p = p * z + 0.193544611f;
  p = p * z + 1.12837911f;
  V q = z * 3.74202245e-05f + 0.00118556712f;
  q = q * z + 0.0152072143f;
  q = q * z + 0.115349814f;
  q = q * z + 0.504857004f;
  q = q * z + 1.0f;
  return APUS_MATH(saturate)((c * p) / q, x, 4.0f);
}

APUS_INLINE V APUS_MATH(sigmoid)(V x) { return 1.0f / (APUS_MATH(exp)(-x) + 1.0f); }

APUS_INLINE V APUS_MATH(gelu)(V x) {
  return (x * 0.5f) * (APUS_MATH(erf)(x * 0.707106781f) + 1.0f);
}

// 0.5 x (1 + tanh(u)) = x sigmoid(2u)
APUS_INLINE V APUS_MATH(gelu_tanh)(V x) {
  V u = x * ((x * x) * 0.0713548163f + 1.59576912f);
  return x * APUS_MATH(sigmoid)(u);
}

// max(x, 0) + log(1 + exp(-|x|)), which cannot overflow.
APUS_INLINE V APUS_MATH(softplus)(V x) {
  V tail = APUS_MATH(log1p)(APUS_MATH(exp)(-APUS_MATH(abs)(x)));
  return APUS_MATH(max)(APUS_MATH(splat)(0.0f), x) + tail;
}

// With e = exp(x): tanh(log(1 + e)) = (e² + 2e) / (e² + 2e + 2).
APUS_INLINE V APUS_MATH(mish)(V x) {
  V e = APUS_MATH(exp)(APUS_MATH(min)(APUS_MATH(splat)(20.0f), x));
  V n = e * (e + 2.0f);
  return x * (n / (n + 2.0f));
}

APUS_INLINE V APUS_MATH(elu)(V x, float alpha, float scale) {
  V low = (APUS_MATH(exp)(x * scale) - 1.0f) * alpha;
  return APUS_MATH(select)(x < 0.0f, low, x);
}

APUS_INLINE V APUS_MATH(sign)(V x) {
  V one = APUS_MATH(copysign)(APUS_MATH(splat)(1.0f), x);
  return APUS_MATH(select)((x > 0.0f) | (x < 0.0f), one, x);
}

// Applies a function that `apus_function_is_vector` admits; any other leaves x as it is.
APUS_INLINE V APUS_MATH(apply)(V x, const struct apus_activation *f) {
  const float alpha = f->alpha, beta = f->beta;
  const V zero = APUS_MATH(splat)(0.0f);
  switch (f->function) {
    case APUS_RELU: return APUS_MATH(max)(zero, x);
    case APUS_CLIP: return APUS_MATH(clamp)(x, alpha, beta);
    case APUS_LEAKY_RELU: return APUS_MATH(select)(x < 0.0f, x * alpha, x);
    case APUS_SIGMOID: return APUS_MATH(sigmoid)(x);
    case APUS_HARD_SIGMOID: return APUS_MATH(clamp)(x * alpha + beta, 0.0f, 1.0f);
    case APUS_HARD_SWISH: return x * APUS_MATH(clamp)(x * alpha + beta, 0.0f, 1.0f);
    case APUS_SWISH: return x * APUS_MATH(sigmoid)(x * alpha);
    case APUS_TANH: return APUS_MATH(tanh)(x);
    case APUS_GELU: return APUS_MATH(gelu)(x);
    case APUS_GELU_TANH: return APUS_MATH(gelu_tanh)(x);
    case APUS_ELU: return APUS_MATH(elu)(x, alpha, 1.0f);
    case APUS_SELU: return APUS_MATH(elu)(x, alpha, 1.0f) * beta;
    case APUS_CELU: return APUS_MATH(elu)(x, alpha, 1.0f / alpha);
    case APUS_SOFTPLUS: return APUS_MATH(softplus)(x);
    case APUS_SOFTSIGN: return x / (APUS_MATH(abs)(x) + 1.0f);
    case APUS_MISH: return APUS_MATH(mish)(x);
    case APUS_EXP: return APUS_MATH(exp)(x);
    case APUS_LOG: return APUS_MATH(log)(x);
    case APUS_SQRT: return __builtin_elementwise_sqrt(x);
    case APUS_RECIPROCAL: return 1.0f / x;
    case APUS_NEGATE: return -x;
    case APUS_ABSOLUTE: return APUS_MATH(abs)(x);
    case APUS_FLOOR: return APUS_MATH(floor)(x);
    case APUS_CEIL: return APUS_MATH(ceil)(x);
    case APUS_ROUND: return APUS_MATH(round)(x);
    case APUS_ERF: return APUS_MATH(erf)(x);
    case APUS_SIGN: return APUS_MATH(sign)(x);
    case APUS_THRESHOLDED_RELU: return APUS_MATH(select)(x <= alpha, zero, x);
    case APUS_SHRINK: {
      V small = APUS_MATH(select)(x <= alpha, zero, x - beta);
      return APUS_MATH(select)(x < -alpha, x + beta, small);
    }
    case APUS_SQUARE: return x * x;
    case APUS_AFFINE: return x * alpha + beta;
    default: return x;
  }
}

// Rounds to bfloat16 (ties to even, a NaN stays a quiet NaN), kept in the low half of each lane.
APUS_INLINE U APUS_MATH(bfloat16)(V x) {
  U bits = (U)x;
  U rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  U quiet = (bits >> 16) | 0x40u;
  U nan = (U)(x != x);
  return (nan & quiet) | (~nan & rounded);
}

#undef V
#undef I
#undef U
#undef APUS_INLINE
