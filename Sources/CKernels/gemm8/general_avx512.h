// The general store of the 8-bit matrix product, AVX-512; part of x86_avx512vnni.c. A tile passes
// thrice, each time with as many independent vectors under way as possible: sums become real
// numbers, the function is applied, they are stored.

// x sigmoid(alpha x) with the bits of math/generic.h: the same operations, but that what is exact
// there takes one instruction: rounding, scaling by a power of two, and the first product with n.
static inline __attribute__((always_inline)) void swish(
    float *x, const int vectors, const float alpha) {
  enum { MOST = 6 };
#define EACH UNROLL for (int i = 0; i < vectors; i++)
#define TIMES(v, c) _mm512_mul_ps(v, _mm512_set1_ps(c))
#define PLUS(v, c) _mm512_add_ps(v, _mm512_set1_ps(c))
  __m512 n[MOST], r[MOST], p[MOST];
  // The operands' order keeps a NaN.
  EACH r[i] = _mm512_max_ps(_mm512_set1_ps(-105.0f), TIMES(_mm512_loadu_ps(x + 16 * i), -alpha));
  EACH r[i] = _mm512_min_ps(_mm512_set1_ps(89.5f), r[i]);
  EACH n[i] = _mm512_roundscale_ps(TIMES(r[i], 1.44269504f), _MM_FROUND_TO_NEAREST_INT);
  EACH r[i] = _mm512_fnmadd_ps(n[i], _mm512_set1_ps(0.693145752f), r[i]);
  EACH r[i] = _mm512_sub_ps(r[i], TIMES(n[i], 1.42860677e-6f));
  EACH p[i] = PLUS(TIMES(r[i], 0.00138144637f), 0.00836878084f);
  EACH p[i] = PLUS(_mm512_mul_ps(p[i], r[i]), 0.0416683927f);
  EACH p[i] = PLUS(_mm512_mul_ps(p[i], r[i]), 0.166665196f);
  EACH p[i] = PLUS(_mm512_mul_ps(p[i], r[i]), 0.49999994f);
  EACH p[i] = _mm512_mul_ps(_mm512_mul_ps(r[i], r[i]), p[i]);
  EACH p[i] = _mm512_scalef_ps(_mm512_add_ps(p[i], PLUS(r[i], 1.0f)), n[i]);
  EACH p[i] = _mm512_div_ps(_mm512_set1_ps(1.0f), PLUS(p[i], 1.0f));
  EACH _mm512_storeu_ps(x + 16 * i, _mm512_mul_ps(_mm512_loadu_ps(x + 16 * i), p[i]));
#undef EACH
#undef TIMES
#undef PLUS
}

static __attribute__((noinline)) void apply_swish(float *x, size_t vectors, float alpha) {
  for (; vectors >= 6; vectors -= 6, x += 6 * 16) swish(x, 6, alpha);
  for (; vectors > 0; vectors--, x += 16) swish(x, 1, alpha);
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
