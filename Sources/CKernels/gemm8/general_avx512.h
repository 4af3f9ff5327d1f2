// The general store of the 8-bit matrix product, AVX-512; part of x86_avx512vnni.c. A tile passes
// thrice, each time with as many independent vectors under way as possible: sums become real
// numbers, the function is applied, they are stored.

#define EACH UNROLL for (int q = 0; q < vectors; q++)
#define TIMES(v, c) _mm512_mul_ps(v, _mm512_set1_ps(c))
#define PLUS(v, c) _mm512_add_ps(v, _mm512_set1_ps(c))

// A swish has the bits of math/generic.h: the operations are the same, but that what is exact there
// takes one instruction: rounding, scaling by a power of two, and the first product with n.
enum { SWISH_VECTORS = 6 };

// x / (1 + e): e is 2^n exp(r), where r lacks the product of n with the low part of log 2.
static inline __attribute__((always_inline)) void end_swish(
    __m512 *x, const __m512 *n, __m512 *r, const int vectors) {
  __m512 p[SWISH_VECTORS];
  EACH r[q] = _mm512_sub_ps(r[q], TIMES(n[q], 1.42860677e-6f));
  EACH p[q] = PLUS(TIMES(r[q], 0.00138144637f), 0.00836878084f);
  EACH p[q] = PLUS(_mm512_mul_ps(p[q], r[q]), 0.0416683927f);
  EACH p[q] = PLUS(_mm512_mul_ps(p[q], r[q]), 0.166665196f);
  EACH p[q] = PLUS(_mm512_mul_ps(p[q], r[q]), 0.49999994f);
  EACH p[q] = _mm512_mul_ps(_mm512_mul_ps(r[q], r[q]), p[q]);
  EACH p[q] = _mm512_scalef_ps(_mm512_add_ps(p[q], PLUS(r[q], 1.0f)), n[q]);
  EACH p[q] = _mm512_div_ps(_mm512_set1_ps(1.0f), PLUS(p[q], 1.0f));
  EACH x[q] = _mm512_mul_ps(x[q], p[q]);
}

// x sigmoid(alpha x).
static inline __attribute__((always_inline)) void swish(
    __m512 *x, const int vectors, const float alpha) {
  __m512 n[SWISH_VECTORS], r[SWISH_VECTORS];
  // The operands' order keeps a NaN.
  EACH r[q] = _mm512_max_ps(_mm512_set1_ps(-105.0f), TIMES(x[q], -alpha));
  EACH r[q] = _mm512_min_ps(_mm512_set1_ps(89.5f), r[q]);
  EACH n[q] = _mm512_roundscale_ps(TIMES(r[q], 1.44269504f), _MM_FROUND_TO_NEAREST_INT);
  EACH r[q] = _mm512_fnmadd_ps(n[q], _mm512_set1_ps(0.693145752f), r[q]);
  end_swish(x, n, r, vectors);
}

// The same with alpha = 1 for |x| < 2^16, where nothing needs bounds: e is 0 or infinite where it
// is so with them, or both are lost in 1 + e.
static inline __attribute__((always_inline)) void near_swish(__m512 *x, const int vectors) {
  __m512 n[SWISH_VECTORS], r[SWISH_VECTORS];
  EACH n[q] = _mm512_roundscale_ps(TIMES(x[q], -1.44269504f), _MM_FROUND_TO_NEAREST_INT);
  EACH r[q] = _mm512_fnmsub_ps(n[q], _mm512_set1_ps(0.693145752f), x[q]);
  end_swish(x, n, r, vectors);
}

// x min(max(alpha x + beta, 0), 1), as math/generic.h does it.
static inline __attribute__((always_inline)) void hard_swish(
    __m512 *x, const int vectors, float alpha, float beta) {
  EACH {
    const __m512 high = _mm512_max_ps(_mm512_setzero_ps(), PLUS(TIMES(x[q], alpha), beta));
    x[q] = _mm512_mul_ps(x[q], _mm512_min_ps(_mm512_set1_ps(1.0f), high));
  }
}

static __attribute__((noinline)) void apply_swish(float *at, size_t vectors, float alpha) {
  enum { MOST = SWISH_VECTORS };
  __m512 x[MOST];
  for (; vectors >= MOST; vectors -= MOST, at += 16 * MOST) {
    UNROLL for (int i = 0; i < MOST; i++) x[i] = _mm512_loadu_ps(at + 16 * i);
    swish(x, MOST, alpha);
    UNROLL for (int i = 0; i < MOST; i++) _mm512_storeu_ps(at + 16 * i, x[i]);
  }
  for (; vectors > 0; vectors--, at += 16) {
    x[0] = _mm512_loadu_ps(at);
    swish(x, 1, alpha);
    _mm512_storeu_ps(at, x[0]);
  }
}

// Whether the real numbers that the block's columns can have allow `swish_rows`.
static int suits_swish_rows(const struct block *block) {
  const struct apus_gemm8 *g = block->g;
  const struct apus_quantized_store *s = &g->store;
  const int smooth = s->activation.function == APUS_SWISH && s->activation.alpha == 1.0f;
  const int hard = s->activation.function == APUS_HARD_SWISH;
  // For a few rows it would take longer to find out.
  if (!(smooth || hard) || s->residual || g->row_offset || g->count < 8) return 0;
  // What the products can add up to, and a little more.
  const __m512 products =
      _mm512_set1_ps(255 * 129 * (float)g->run_count * (float)g->run_length);
  const __m512 limit = _mm512_set1_ps(1073741824.0f);
  const uint64_t some = ~0ull >> (64 - block->columns);
  int suits = 1;
  for (size_t j = 0; 16 * j < block->columns; j++) {
    const size_t n = block->column + 16 * j;
    const __mmask16 own = (__mmask16)(some >> (16 * j));
    const __m512 offset = _mm512_cvtepi32_ps(_mm512_loadu_si512(s->offset + n));
    const __m512 sum = _mm512_add_ps(products, _mm512_abs_ps(offset));
    const __m512 x = _mm512_abs_ps(_mm512_mul_ps(sum, _mm512_loadu_ps(s->multiplier + n)));
    const __m512 y = _mm512_abs_ps(_mm512_mul_ps(x, _mm512_loadu_ps(s->inverse + n)));
    __mmask16 good = _mm512_mask_cmp_ps_mask(own, sum, limit, _CMP_LT_OQ);
    good = _mm512_mask_cmp_ps_mask(good, x, _mm512_set1_ps(65536.0f), _CMP_LT_OQ);
    suits &= _mm512_mask_cmp_ps_mask(good, y, limit, _CMP_LT_OQ) == own;
  }
  return suits;
}

// A swish to bytes without a residual, at one go; `hard` is a constant. No conversion saturates.
static inline __attribute__((always_inline)) void swish_rows(
    const struct block *block, const struct rows *at, const int32_t *sums, const int rows,
    const int panels, const int strided, const int hard) {
  const struct target target = make_target(block, at, panels, strided);
  const struct apus_activation activation = block->g->store.activation;
  const float *multiplier = block->g->store.multiplier + block->column;
  const float *inverse = block->g->store.inverse + block->column;
  const int vectors = panels == 3 ? 3 : 4;
  for (int i = 0; i < rows; i += panels > 2 ? 1 : 4 / panels) {
    __m512 x[4];
    __m512i v[4];
    EACH {
      const int panel = panel_of(q, panels), row = row_of(i, q, rows, panels);
      const __m512i sum = _mm512_load_si512(sums + 16 * (row * panels + panel));
      x[q] = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(multiplier + 16 * panel));
    }
    if (hard) {
      hard_swish(x, vectors, activation.alpha, activation.beta);
    } else {
      near_swish(x, vectors);
    }
    EACH v[q] = _mm512_cvtps_epi32(
        _mm512_mul_ps(x[q], _mm512_loadu_ps(inverse + 16 * panel_of(q, panels))));
    if (panels == 3) v[3] = v[0];
    put(&target, narrow(v, block->zero), i, rows, panels, strided);
  }
}
#undef EACH
#undef TIMES
#undef PLUS

static __attribute__((noinline)) void swish_tile(
    const struct block *block, const struct rows *at, const int32_t *sums, size_t rows,
    size_t panels, int strided) {
  const unsigned hard = block->g->store.activation.function == APUS_HARD_SWISH;
  switch (4 * panels + 2 * hard + (unsigned)strided) {
#define CASE(panels, hard, strided)                                  \
  case 4 * panels + 2 * hard + strided:                              \
    swish_rows(block, at, sums, (int)rows, panels, strided, hard);   \
    break;
#define CASES(panels) CASE(panels, 0, 0) CASE(panels, 0, 1) CASE(panels, 1, 0) CASE(panels, 1, 1)
    CASES(1) CASES(2) CASES(3) CASES(4)
#undef CASE
#undef CASES
    default: break;
  }
}

static __attribute__((noinline)) void apply_any(
    float *x, size_t vectors, const struct apus_activation *activation) {
  for (; vectors > 0; vectors--, x += 16) {
    _mm512_storeu_ps(x, (__m512)MATH(apply)((MATH(v))_mm512_loadu_ps(x), activation));
  }
}

// The residual of `some` columns from n on.
static inline __attribute__((always_inline)) __m512 general_residual(
    const struct apus_quantized_store *s, ptrdiff_t from, size_t n, __mmask16 some) {
  if (s->residual_type == APUS_REAL) {
    return _mm512_maskz_loadu_ps(some, (const float *)s->residual + from);
  }
  const __m128i bytes = _mm_maskz_loadu_epi8(some, (const uint8_t *)s->residual + from);
  const __m512i centred =
      _mm512_sub_epi32(_mm512_cvtepu8_epi32(bytes), _mm512_loadu_si512(s->residual_zero + n));
  return _mm512_mul_ps(_mm512_cvtepi32_ps(centred), _mm512_loadu_ps(s->residual_scale + n));
}

// Where row i begins.
static inline __attribute__((always_inline)) ptrdiff_t row_start(
    const struct block *block, const ptrdiff_t *start, ptrdiff_t step, int i, int strided) {
  return (ptrdiff_t)block->column + (strided ? start[0] + i * step : start[i]);
}

static inline __attribute__((always_inline)) void add_general(
    const struct block *block, const struct rows *at, __m512 *v, const int i, const int panels,
    int strided) {
  const ptrdiff_t from =
      row_start(block, at->residual, block->g->residual_pixel, i, strided);
  const uint64_t some = ~0ull >> (64 - block->columns);
  UNROLL for (int j = 0; j < panels; j++) {
    const __m512 other = general_residual(
        &block->g->store, from + 16 * j, block->column + 16 * (size_t)j,
        (__mmask16)(some >> (16 * j)));
    v[j] = _mm512_add_ps(v[j], other);
  }
}

// Sums to what the function takes.
static inline __attribute__((always_inline)) void begin_rows(
    const struct block *block, const struct rows *at, const int32_t *sums, float *x,
    const int rows, const int panels, int strided) {
  const struct apus_quantized_store *s = &block->g->store;
  const int added = s->residual != NULL && !s->residual_last;
  for (int i = 0; i < rows; i++, sums += 16 * panels, x += 16 * panels) {
    __m512 v[4];
    UNROLL for (int j = 0; j < panels; j++) {
      v[j] = _mm512_mul_ps(
          _mm512_cvtepi32_ps(_mm512_load_si512(sums + 16 * j)),
          _mm512_loadu_ps(s->multiplier + block->column + 16 * j));
    }
    if (added) add_general(block, at, v, i, panels, strided);
    UNROLL for (int j = 0; j < panels; j++) _mm512_store_ps(x + 16 * j, v[j]);
  }
}

// What the function gave to y.
static inline __attribute__((always_inline)) void end_rows(
    const struct block *block, const struct rows *at, const float *x, const int rows,
    const int panels, int strided) {
  const struct apus_quantized_store s = block->g->store;
  const uint64_t some = ~0ull >> (64 - block->columns);
  const int added = s.residual != NULL && s.residual_last;
  for (int i = 0; i < rows; i++, x += 16 * panels) {
    const ptrdiff_t to = row_start(block, at->y, block->g->y_pixel, i, strided);
    __m512 v[4];
    __m512i whole[4];
    UNROLL for (int j = 0; j < panels; j++) v[j] = _mm512_load_ps(x + 16 * j);
    if (added) add_general(block, at, v, i, panels, strided);
    if (s.y_type == APUS_REAL) {
      UNROLL for (int j = 0; j < panels; j++) {
        _mm512_mask_storeu_ps(
            (float *)s.y + to + 16 * j, (__mmask16)(some >> (16 * j)), v[j]);
      }
      continue;
    }
    UNROLL for (int j = 0; j < panels; j++) {
      v[j] = _mm512_mul_ps(v[j], _mm512_loadu_ps(s.inverse + block->column + 16 * j));
      // What is too small, and a NaN, becomes the least integer and so saturates downwards.
      whole[j] = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(1048576.0f), v[j]));
    }
    UNROLL for (int j = panels; j < 4; j++) whole[j] = whole[panel_of(j, panels)];
    _mm512_mask_storeu_epi8((uint8_t *)s.y + to, some, narrow(whole, block->zero));
  }
}

static __attribute__((noinline)) void general_tile(
    const struct block *block, const struct rows *at, const int32_t *sums, size_t rows,
    size_t panels, int strided) {
  const struct apus_activation *activation = &block->g->store.activation;
  _Alignas(64) float x[GEMM8_ROW_LIMIT * 16 * GEMM8_MAX_PANELS];
#define EACH_WIDTH(CASE) CASE(1) CASE(2) CASE(3) CASE(4)
#define BEGIN(panels) \
  case panels: begin_rows(block, at, sums, x, (int)rows, panels, strided); break;
#define END(panels) \
  case panels: end_rows(block, at, x, (int)rows, panels, strided); break;
  switch (panels) {
    EACH_WIDTH(BEGIN)
    default: break;
  }
  if (activation->function == APUS_SWISH) {
    apply_swish(x, rows * panels, activation->alpha);
  } else if (activation->function != APUS_IDENTITY) {
    apply_any(x, rows * panels, activation);
  }
  switch (panels) {
    EACH_WIDTH(END)
    default: break;
  }
#undef BEGIN
#undef END
#undef EACH_WIDTH
}
