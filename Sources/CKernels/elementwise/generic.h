// The element-wise kernels: one text for every ISA. Included by x86_<isa>.c after the lanes.

INLINE ptrdiff_t size_of(uint32_t type) { return type == APUS_FLOAT32 ? 4 : 2; }

// Applies any function; out of line, because every caller would carry all of them.
static __attribute__((noinline)) V apply_any(V x, const struct apus_activation *f) {
  return M(apply)(x, f);
}

INLINE V apply(V x, const struct apus_activation *f) {
  if (f->function == APUS_IDENTITY) return x;
  if (f->function == APUS_RELU) return M(max)(M(splat)(0.0f), x);
  if (f->function == APUS_CLIP) return M(clamp)(x, f->alpha, f->beta);
  return apply_any(x, f);
}

// --- one operand ---

#ifndef FAST_APPLY
#define FAST_APPLY(x, f) M(apply)(x, f)
#endif

INLINE V unary(V x, const struct apus_activation *f, int fused) {
  return fused ? FAST_APPLY(x, f) : M(apply)(x, f);
}

INLINE void unary_rows(
    const struct apus_unary *c, const struct apus_activation *f, int fused) {
  for (size_t r = 0; r < c->rows; r++) {
    const char *x = (const char *)c->x + (ptrdiff_t)r * c->x_row * size_of(c->x_type);
    char *y = (char *)c->y + (ptrdiff_t)r * c->y_row * size_of(c->y_type);
    size_t i = 0;
    for (; i + LANES <= c->count; i += LANES) {
      store(y, c->y_type, i, unary(load(x, c->x_type, i), f, fused));
    }
    if (i < c->count) {
      size_t rest = c->count - i;
      store_part(y, c->y_type, i, rest, unary(load_part(x, c->x_type, i, rest), f, fused));
    }
  }
}

// With the function known, the switch of `apply` is gone from the loop.
#define UNARY(f)                                                                         \
  case f: {                                                                              \
    struct apus_activation known = {f, c->activation.alpha, c->activation.beta};         \
    unary_rows(c, &known, 0);                                                            \
    break;                                                                               \
  }
#define FUSED(f)                                                                         \
  case f: {                                                                              \
    struct apus_activation known = {f, c->activation.alpha, c->activation.beta};         \
    unary_rows(c, &known, 1);                                                            \
    return;                                                                              \
  }

void ISA_NAME(apus_unary)(const struct apus_unary *c) {
  if (c->fused) {
    switch (c->activation.function) {
      FUSED(APUS_SIGMOID)
      FUSED(APUS_SWISH)
      FUSED(APUS_TANH)
      FUSED(APUS_GELU)
      FUSED(APUS_GELU_TANH)
      FUSED(APUS_ERF)
      default: break;
    }
  }
  switch (c->activation.function) {
    UNARY(APUS_IDENTITY)
    UNARY(APUS_RELU)
    UNARY(APUS_CLIP)
    UNARY(APUS_LEAKY_RELU)
    UNARY(APUS_SIGMOID)
    UNARY(APUS_HARD_SIGMOID)
    UNARY(APUS_HARD_SWISH)
    UNARY(APUS_SWISH)
    UNARY(APUS_TANH)
    UNARY(APUS_GELU)
    UNARY(APUS_GELU_TANH)
    UNARY(APUS_EXP)
    UNARY(APUS_SQRT)
    UNARY(APUS_SQUARE)
    UNARY(APUS_AFFINE)
    default: unary_rows(c, &c->activation, 0);
  }
}

// --- two operands ---

INLINE V combine(uint32_t function, V a, V b) {
  switch (function) {
    case APUS_ADD: return a + b;
    case APUS_SUBTRACT: return a - b;
    case APUS_MULTIPLY: return a * b;
    case APUS_DIVIDE: return a / b;
    // A NaN in either operand is the result: min and max give their second operand then.
    case APUS_MINIMUM: return M(select)(a != a, a, M(min)(a, b));
    case APUS_MAXIMUM: return M(select)(a != a, a, M(max)(a, b));
    default: return M(select)(a < 0.0f, a * b, a);
  }
}

INLINE float element(const void *p, uint32_t type) {
  if (type == APUS_FLOAT32) return *(const float *)p;
  uint32_t bits = (uint32_t)*(const uint16_t *)p << 16;
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// The arguments after `c` are constants where this is inlined, but for the types and the function
// of the general loop.
INLINE void binary_rows(
    const struct apus_binary *c, uint32_t function, uint32_t a_step, uint32_t b_step,
    uint32_t a_type, uint32_t b_type, uint32_t y_type, struct apus_activation f) {
  for (size_t r = 0; r < c->rows; r++) {
    const char *a = (const char *)c->a + (ptrdiff_t)r * c->a_row * size_of(a_type);
    const char *b = (const char *)c->b + (ptrdiff_t)r * c->b_row * size_of(b_type);
    char *y = (char *)c->y + (ptrdiff_t)r * c->y_row * size_of(y_type);
    V fixed_a = M(splat)(a_step ? 0.0f : element(a, a_type));
    V fixed_b = M(splat)(b_step ? 0.0f : element(b, b_type));
    size_t i = 0;
    for (; i + LANES <= c->count; i += LANES) {
      V p = a_step ? load(a, a_type, i) : fixed_a;
      V q = b_step ? load(b, b_type, i) : fixed_b;
      store(y, y_type, i, apply(combine(function, p, q), &f));
    }
    if (i < c->count) {
      size_t rest = c->count - i;
      V p = a_step ? load_part(a, a_type, i, rest) : fixed_a;
      V q = b_step ? load_part(b, b_type, i, rest) : fixed_b;
      store_part(y, y_type, i, rest, apply(combine(function, p, q), &f));
    }
  }
}

INLINE void binary_steps(
    const struct apus_binary *c, uint32_t function, uint32_t a_type, uint32_t b_type,
    uint32_t y_type, struct apus_activation f) {
  if (c->a_step && c->b_step) {
    binary_rows(c, function, 1, 1, a_type, b_type, y_type, f);
  } else if (c->a_step) {
    binary_rows(c, function, 1, 0, a_type, b_type, y_type, f);
  } else {
    binary_rows(c, function, 0, c->b_step, a_type, b_type, y_type, f);
  }
}

// What networks have most of has loops of its own: sums and products of one type, and gates, which
// are float32, for bfloat16.
INLINE int binary_common(const struct apus_binary *c, uint32_t function) {
  const struct apus_activation none = {APUS_IDENTITY, 0.0f, 0.0f};
  if (c->activation.function != APUS_IDENTITY || c->b_type != c->y_type) return 0;
  if (c->a_type == APUS_FLOAT32 && c->y_type == APUS_FLOAT32) {
    binary_steps(c, function, APUS_FLOAT32, APUS_FLOAT32, APUS_FLOAT32, none);
  } else if (c->a_type == APUS_FLOAT32) {
    binary_steps(c, function, APUS_FLOAT32, APUS_BFLOAT16, APUS_BFLOAT16, none);
  } else if (c->y_type == APUS_BFLOAT16) {
    binary_steps(c, function, APUS_BFLOAT16, APUS_BFLOAT16, APUS_BFLOAT16, none);
  } else {
    return 0;
  }
  return 1;
}

#define BINARY(f) \
  case f: binary_steps(c, f, c->a_type, c->b_type, c->y_type, c->activation); break;

void ISA_NAME(apus_binary)(const struct apus_binary *c) {
  if (c->function == APUS_ADD && binary_common(c, APUS_ADD)) return;
  if (c->function == APUS_MULTIPLY && binary_common(c, APUS_MULTIPLY)) return;
  switch (c->function) {
    BINARY(APUS_ADD)
    BINARY(APUS_SUBTRACT)
    BINARY(APUS_MULTIPLY)
    BINARY(APUS_DIVIDE)
    BINARY(APUS_MINIMUM)
    BINARY(APUS_MAXIMUM)
    BINARY(APUS_PRELU)
  }
}

// --- channels ---

void ISA_NAME(apus_scale_shift)(const struct apus_scale_shift *c) {
  const struct apus_activation f = c->activation;
  for (size_t r = 0; r < c->rows; r++) {
    const char *x = (const char *)c->x + (ptrdiff_t)r * c->x_row * size_of(c->x_type);
    char *y = (char *)c->y + (ptrdiff_t)r * c->y_row * size_of(c->y_type);
    size_t i = 0;
    for (; i + LANES <= c->count; i += LANES) {
      V scaled = load(x, c->x_type, i) * load(c->scale, c->scale_type, i);
      store(y, c->y_type, i, apply(scaled + load(c->bias, c->bias_type, i), &f));
    }
    if (i < c->count) {
      size_t rest = c->count - i;
      V scaled = load_part(x, c->x_type, i, rest) * load_part(c->scale, c->scale_type, i, rest);
      V shifted = scaled + load_part(c->bias, c->bias_type, i, rest);
      store_part(y, c->y_type, i, rest, apply(shifted, &f));
    }
  }
}
