// The element-wise kernels of 8-bit tensors: one text for every ISA, in groups of 16 elements.
//
// Included by <isa>.c after the lanes, which defines B16 (16 bytes), I (integers like V) and
//   load_bytes(p, count), store_bytes(p, x, count)   exactly `count` bytes, all 16 from 16 on
//   widen_bytes(x, parts)                            16 bytes as integers
//   narrow_reals(x, zero)                            clamp(round(x) + zero, 0, 255)
// and, where it has one, GATE_ROWS(c), a faster way to multiply all rows by the same numbers

#include "../math/wide.h"

// 16 numbers.
typedef Wide Reals;
typedef struct {
  I v[PARTS];
} Integers;

// --- scales ---

// Scale and zero point of 16 columns.
typedef struct {
  Reals scale;
  Integers zero;
} Scale;

INLINE Scale scale_of(const struct apus_quantized_scale *c, size_t i) {
  Scale s;
  if (c->channels) {
    EACH_PART {
      s.scale.v[j] = load(c->scale + i, APUS_FLOAT32, (size_t)j * LANES);
      __builtin_memcpy(&s.zero.v[j], c->zero + i + j * LANES, sizeof(I));
    }
  } else {
    EACH_PART {
      s.scale.v[j] = M(splat)(c->scale[0]);
      s.zero.v[j] = (I){0} + c->zero[0];
    }
  }
  return s;
}

INLINE Reals dequantized(B16 q, const Scale *s) {
  Integers whole;
  widen_bytes(q, whole.v);
  Reals x;
  EACH_PART x.v[j] = __builtin_convertvector(whole.v[j] - s->zero.v[j], V) * s->scale.v[j];
  return x;
}

INLINE B16 quantized(Reals x, const Scale *s) {
  EACH_PART x.v[j] = x.v[j] / s->scale.v[j];
  return narrow_reals(x.v, s->zero.v);
}

// --- rows ---

INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

void ISA_NAME(apus_quantize_rows)(const struct apus_quantize *c) {
  Scale s = {0};
  if (c->count > 0) s = scale_of(&c->scale, 0);
  for (size_t r = 0; r < c->rows; r++) {
    const float *x = (const float *)c->x + (ptrdiff_t)r * c->x_row;
    uint8_t *y = (uint8_t *)c->y + (ptrdiff_t)r * c->y_row;
    for (size_t i = 0; i < c->count; i += WIDE) {
      size_t some = least(c->count - i, WIDE);
      if (c->scale.channels) s = scale_of(&c->scale, i);
      store_bytes(y + i, quantized(wide_load(x, APUS_FLOAT32, i, some), &s), some);
    }
  }
}

void ISA_NAME(apus_dequantize_rows)(const struct apus_quantize *c) {
  Scale s = {0};
  if (c->count > 0) s = scale_of(&c->scale, 0);
  for (size_t r = 0; r < c->rows; r++) {
    const uint8_t *x = (const uint8_t *)c->x + (ptrdiff_t)r * c->x_row;
    float *y = (float *)c->y + (ptrdiff_t)r * c->y_row;
    for (size_t i = 0; i < c->count; i += WIDE) {
      size_t some = least(c->count - i, WIDE);
      if (c->scale.channels) s = scale_of(&c->scale, i);
      wide_store(y, APUS_FLOAT32, i, some, dequantized(load_bytes(x + i, some), &s));
    }
  }
}

// --- planes and pixels ---

typedef uint8_t B32 __attribute__((vector_size(32)));
#define SHUFFLE __builtin_shufflevector
#define BOTH(a, b)                                                                               \
  SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, \
          23, 24, 25, 26, 27, 28, 29, 30, 31)

// Rows become columns: in each of four rounds the eight bits of an element's place (row, column)
// rotate by one.
INLINE void transpose(B16 *rows) {
  for (int round = 0; round < 4; round++) {
    B16 next[16];
    for (int i = 0; i < 8; i++) {
      B16 a = rows[i], b = rows[i + 8];
      next[2 * i] = SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      next[2 * i + 1] = SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    for (int i = 0; i < 16; i++) rows[i] = next[i];
  }
}

// 16 pixels of three channels.
INLINE void store_3(uint8_t *y, B16 a, B16 b, B16 c) {
  B32 ab = BOTH(a, b), cc = BOTH(c, c);
  B16 x = SHUFFLE(ab, cc, 0, 16, 32, 1, 17, 33, 2, 18, 34, 3, 19, 35, 4, 20, 36, 5);
  B16 z = SHUFFLE(ab, cc, 21, 37, 6, 22, 38, 7, 23, 39, 8, 24, 40, 9, 25, 41, 10, 26);
  B16 w = SHUFFLE(ab, cc, 42, 11, 27, 43, 12, 28, 44, 13, 29, 45, 14, 30, 46, 15, 31, 47);
  store_bytes(y, x, 16), store_bytes(y + 16, z, 16), store_bytes(y + 32, w, 16);
}

INLINE void load_3(const uint8_t *x, B16 *rows) {
  B16 p = load_bytes(x, 16), q = load_bytes(x + 16, 16), r = load_bytes(x + 32, 16);
  B32 pq = BOTH(p, q), rr = BOTH(r, r);
  rows[0] = SHUFFLE(pq, rr, 0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45);
  rows[1] = SHUFFLE(pq, rr, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40, 43, 46);
  rows[2] = SHUFFLE(pq, rr, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47);
}

// 16 pixels of four channels.
INLINE void store_4(uint8_t *y, B16 a, B16 b, B16 c, B16 d) {
  B32 ab = BOTH(a, b), cd = BOTH(c, d);
#define PIXELS(p)                                                                            \
  SHUFFLE(                                                                                   \
      ab, cd, p, p + 16, p + 32, p + 48, p + 1, p + 17, p + 33, p + 49, p + 2, p + 18, p + 34, \
      p + 50, p + 3, p + 19, p + 35, p + 51)
  store_bytes(y, PIXELS(0), 16), store_bytes(y + 16, PIXELS(4), 16);
  store_bytes(y + 32, PIXELS(8), 16), store_bytes(y + 48, PIXELS(12), 16);
#undef PIXELS
}

INLINE void load_4(const uint8_t *x, B16 *rows) {
  B32 pq = BOTH(load_bytes(x, 16), load_bytes(x + 16, 16));
  B32 rs = BOTH(load_bytes(x + 32, 16), load_bytes(x + 48, 16));
#define CHANNEL(c)                                                                           \
  SHUFFLE(                                                                                   \
      pq, rs, c, c + 4, c + 8, c + 12, c + 16, c + 20, c + 24, c + 28, c + 32, c + 36, c + 40, \
      c + 44, c + 48, c + 52, c + 56, c + 60)
  rows[0] = CHANNEL(0), rows[1] = CHANNEL(1), rows[2] = CHANNEL(2), rows[3] = CHANNEL(3);
#undef CHANNEL
}

INLINE B16 quantized_plane(
    const struct apus_quantize_planes *c, size_t channel, size_t p, size_t count) {
  const struct apus_quantized_scale own = {
      c->scale.scale + (c->scale.channels ? channel : 0),
      c->scale.zero + (c->scale.channels ? channel : 0), 0};
  const Scale s = scale_of(&own, 0);
  const float *plane = c->reals + (ptrdiff_t)channel * c->plane;
  return quantized(wide_load(plane, APUS_FLOAT32, p, count), &s);
}

INLINE void quantize_tile(const struct apus_quantize_planes *c, size_t p, size_t pixels) {
  for (size_t channel = 0; channel < c->channels; channel += WIDE) {
    const size_t some = least(c->channels - channel, WIDE);
    B16 rows[WIDE];
    for (size_t k = 0; k < WIDE; k++) {
      rows[k] = k < some ? quantized_plane(c, channel + k, p, pixels) : (B16){0};
    }
    transpose(rows);
    for (size_t k = 0; k < pixels; k++) {
      store_bytes(c->bytes + (ptrdiff_t)(p + k) * c->pixel + channel, rows[k], some);
    }
  }
}

void ISA_NAME(apus_quantize_planes)(const struct apus_quantize_planes *c) {
  const size_t dense = c->pixel == (ptrdiff_t)c->channels ? c->channels : 0;
  for (size_t p = 0; p < c->pixels; p += WIDE) {
    const size_t some = least(c->pixels - p, WIDE);
    if (some == WIDE && (dense == 3 || dense == 4)) {
      const B16 x = quantized_plane(c, 0, p, WIDE), y = quantized_plane(c, 1, p, WIDE);
      const B16 z = quantized_plane(c, 2, p, WIDE);
      if (dense == 3) store_3(c->bytes + 3 * p, x, y, z);
      else store_4(c->bytes + 4 * p, x, y, z, quantized_plane(c, 3, p, WIDE));
    } else {
      quantize_tile(c, p, some);
    }
  }
}

INLINE void dequantized_plane(
    const struct apus_quantize_planes *c, size_t channel, size_t p, size_t count, B16 q) {
  const struct apus_quantized_scale own = {
      c->scale.scale + (c->scale.channels ? channel : 0),
      c->scale.zero + (c->scale.channels ? channel : 0), 0};
  const Scale s = scale_of(&own, 0);
  float *plane = c->reals + (ptrdiff_t)channel * c->plane;
  wide_store(plane, APUS_FLOAT32, p, count, dequantized(q, &s));
}

void ISA_NAME(apus_dequantize_planes)(const struct apus_quantize_planes *c) {
  const size_t dense = c->pixel == (ptrdiff_t)c->channels ? c->channels : 0;
  for (size_t p = 0; p < c->pixels; p += WIDE) {
    const size_t pixels = least(c->pixels - p, WIDE);
    B16 rows[WIDE];
    for (size_t channel = 0; channel < c->channels; channel += WIDE) {
      const size_t some = least(c->channels - channel, WIDE);
      if (pixels == WIDE && dense == 3) {
        load_3(c->bytes + 3 * p, rows);
      } else if (pixels == WIDE && dense == 4) {
        load_4(c->bytes + 4 * p, rows);
      } else {
        for (size_t k = 0; k < WIDE; k++) {
          const uint8_t *from = c->bytes + (ptrdiff_t)(p + k) * c->pixel + channel;
          rows[k] = k < pixels ? load_bytes(from, some) : (B16){0};
        }
        transpose(rows);
      }
      for (size_t k = 0; k < some; k++) dequantized_plane(c, channel + k, p, pixels, rows[k]);
    }
  }
}

// --- two operands ---

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

// `bytes`: the operand is uint8 with one scale.
INLINE Reals operand(
    const struct apus_quantized_operand *c, const Scale *common, int bytes, size_t r, size_t i,
    size_t count) {
  if (bytes) {
    const uint8_t *p = (const uint8_t *)c->data + (ptrdiff_t)r * c->row;
    if (c->step) return dequantized(load_bytes(p + i, count), common);
    return dequantized((B16){0} + p[0], common);
  }
  if (c->type == APUS_REAL) {
    const float *p = (const float *)c->data + (ptrdiff_t)r * c->row;
    return c->step ? wide_load(p, APUS_FLOAT32, i, count) : wide_splat(p[0]);
  }
  const uint8_t *p = (const uint8_t *)c->data + (ptrdiff_t)r * c->row;
  const Scale own = scale_of(&c->scale, c->scale.channels ? i : 0);
  return dequantized(c->step ? load_bytes(p + i, count) : (B16){0} + p[0], &own);
}

INLINE void result(
    const struct apus_quantized_result *c, const Scale *common, int bytes, size_t r, size_t i,
    size_t count, Reals x) {
  if (!bytes && c->type == APUS_REAL) {
    wide_store((float *)c->data + (ptrdiff_t)r * c->row, APUS_FLOAT32, i, count, x);
    return;
  }
  const Scale own = bytes || !c->scale.channels ? *common : scale_of(&c->scale, i);
  EACH_PART x.v[j] = x.v[j] * own.scale.v[j];
  store_bytes(
      (uint8_t *)c->data + (ptrdiff_t)r * c->row + i, narrow_reals(x.v, own.zero.v), count);
}

// `plain`: the activation is the identity.
INLINE void binary_rows(
    const struct apus_quantized_binary *call, uint32_t function, int bytes, int plain) {
  // A copy of its own, which stored bytes cannot change.
  const struct apus_quantized_binary own = *call, *c = &own;
  const struct apus_activation f = c->activation;
  Scale a = {0}, b = {0}, y = {0};
  if (c->a.type == APUS_UINT8) a = scale_of(&c->a.scale, 0);
  if (c->b.type == APUS_UINT8) b = scale_of(&c->b.scale, 0);
  if (c->y.type == APUS_UINT8) y = scale_of(&c->y.scale, 0);
  for (size_t r = 0; r < c->rows; r++) {
    for (size_t i = 0; i < c->count; i += WIDE) {
      const size_t some = least(c->count - i, WIDE);
      Reals p = operand(&c->a, &a, bytes, r, i, some);
      const Reals q = operand(&c->b, &b, bytes, r, i, some);
      EACH_PART p.v[j] = combine(function, p.v[j], q.v[j]);
      if (!plain) EACH_PART p.v[j] = apply(p.v[j], &f);
      result(&c->y, &y, bytes, r, i, some, p);
    }
  }
}

// The bytes of 16 columns, less 128, as numbers.
INLINE Reals signed_bytes(
    const struct apus_quantized_operand *c, size_t r, size_t i, size_t count) {
  const uint8_t *p = (const uint8_t *)c->data + (ptrdiff_t)r * c->row;
  Integers whole;
  widen_bytes(c->step ? load_bytes(p + i, count) : (B16){0} + p[0], whole.v);
  Reals x;
  EACH_PART x.v[j] = __builtin_convertvector(whole.v[j] - 128, V);
  return x;
}

static void linear_rows(const struct apus_quantized_binary *call) {
  const struct apus_quantized_binary own = *call, *c = &own;
  const V ratio_a = M(splat)(c->ratio_a), ratio_b = M(splat)(c->ratio_b);
  const V base = M(splat)(c->base);
  Integers middle;
  EACH_PART middle.v[j] = (__typeof__(middle.v[0])){0} + 128;
  for (size_t r = 0; r < c->rows; r++) {
    for (size_t i = 0; i < c->count; i += WIDE) {
      const size_t some = least(c->count - i, WIDE);
      Reals p = signed_bytes(&c->a, r, i, some);
      const Reals q = signed_bytes(&c->b, r, i, some);
      EACH_PART p.v[j] = p.v[j] * ratio_a + (q.v[j] * ratio_b + base);
      uint8_t *y = (uint8_t *)c->y.data + (ptrdiff_t)r * c->y.row + i;
      store_bytes(y, narrow_reals(p.v, middle.v), some);
    }
  }
}

INLINE int is_bytes(uint32_t type, const struct apus_quantized_scale *s) {
  return type == APUS_UINT8 && !s->channels;
}

// Says whether bytes are multiplied by real numbers that are the same for every row.
static inline __attribute__((unused)) int is_gate(const struct apus_quantized_binary *c) {
  return c->function == APUS_MULTIPLY && c->activation.function == APUS_IDENTITY &&
         is_bytes(c->a.type, &c->a.scale) && c->a.step && c->b.type == APUS_REAL && c->b.step &&
         c->b.row == 0 && c->y.type == APUS_UINT8;
}

#define BINARY(f)                            \
  case f:                                    \
    if (!bytes) binary_rows(c, f, 0, 0);     \
    else if (plain) binary_rows(c, f, 1, 1); \
    else binary_rows(c, f, 1, 0);            \
    break;

void ISA_NAME(apus_quantized_binary)(const struct apus_quantized_binary *c) {
  if (c->count == 0) return;
  if (c->linear) {
    linear_rows(c);
    return;
  }
#ifdef GATE_ROWS
  if (is_gate(c) && c->rows > 1) {
    GATE_ROWS(c);
    return;
  }
#endif
  const int bytes = is_bytes(c->a.type, &c->a.scale) && is_bytes(c->b.type, &c->b.scale) &&
                    is_bytes(c->y.type, &c->y.scale);
  const int plain = c->activation.function == APUS_IDENTITY;
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
