// The stores of 8-bit depthwise convolution; part of generic.h.

// 32-bit elements [n] in the order of the sums: vector q. Reads up to 12 bytes too many.
INLINE BYTES NAME(ordered)(const void *p, int q, ptrdiff_t n) {
  __m128i part[4];
  UNROLL for (int l = 0; l < 4; l++) {
    const ptrdiff_t at = 16 * l + 4 * q;
    part[l] = at < n ? _mm_loadu_si128((const __m128i *)((const char *)p + 4 * at))
                     : _mm_setzero_si128();
  }
  return COMBINE(part[0], part[1], part[2], part[3]);
}

// 16-bit elements of all channels from p on in the order of packed sums: vector h of 2.
INLINE BYTES NAME(ordered_words)(const void *p, int h) {
  __m128i part[4];
  UNROLL for (int l = 0; l < 4; l++) {
    part[l] = l < LANES ? _mm_loadu_si128((const __m128i *)p + 2 * l + h)
                        : _mm_setzero_si128();
  }
  return COMBINE(part[0], part[1], part[2], part[3]);
}

INLINE void NAME(read_columns)(
    struct NAME(columns) * to, const struct apus_depthwise8 *d, ptrdiff_t c, ptrdiff_t n) {
  const struct apus_quantized_store *s = &d->store;
  BYTES zero[4];
  UNROLL for (int q = 0; q < 4; q++) {
    to->multiplier[q] = (FLOATS)NAME(ordered)(s->multiplier + c, q, n);
    to->offset[q] = NAME(ordered)(s->offset + c, q, n);
    zero[q] = NAME(ordered)(s->zero + c, q, n);
    if (s->kind != APUS_STORE_GENERAL) continue;
    to->inverse[q] = (FLOATS)NAME(ordered)(s->inverse + c, q, n);
    if (!s->residual) continue;
    to->residual_scale[q] = (FLOATS)NAME(ordered)(s->residual_scale + c, q, n);
    to->residual_zero[q] = NAME(ordered)(s->residual_zero + c, q, n);
  }
  to->zero[0] = OP(packs_epi32)(zero[0], zero[1]);
  to->zero[1] = OP(packs_epi32)(zero[2], zero[3]);
  if (s->kind == APUS_STORE_DIRECT) {
    to->low = LOAD(s->low + c);
    to->high = LOAD(s->high + c);
  }
  if (s->kind >= APUS_STORE_CURVE) {
    UNROLL for (int h = 0; h < 2; h++) {
      to->curve[h].level = NAME(ordered_words)(s->level + c, h);
      to->curve[h].ratio = NAME(ordered_words)(s->ratio + c, h);
      to->residual_ratio[h] = NAME(ordered_words)(s->residual_ratio + c, h);
      if (s->kind != APUS_STORE_RAMP) continue;
      to->curve[h].reach = NAME(ordered_words)(s->reach + c, h);
      to->curve[h].lift = NAME(ordered_words)(s->lift + c, h);
      to->curve[h].near = NAME(ordered_words)(s->near + c, h);
    }
  }
}

// Rounds, adds the zero point, saturates to bytes in the order of channels.
INLINE BYTES NAME(bytes)(const FLOATS *v, const BYTES *zero) {
  BYTES a = OP(packs_epi32)(OP(cvtps_epi32)(v[0]), OP(cvtps_epi32)(v[1]));
  BYTES b = OP(packs_epi32)(OP(cvtps_epi32)(v[2]), OP(cvtps_epi32)(v[3]));
  return OP(packus_epi16)(OP(adds_epi16)(a, zero[0]), OP(adds_epi16)(b, zero[1]));
}

// Whether the general store's shortcut, SCALED, will do: nothing is added, a bound is the only
// function, and no v · inverse comes near the limits of int32. Rounding keeps the order of numbers,
// so that the bounds can be applied to the bytes; they are written into `columns`.
static __attribute__((noinline)) int NAME(scales)(
    struct NAME(columns) * columns, const struct apus_depthwise8 *d) {
  const struct apus_quantized_store *s = &d->store;
  const uint32_t function = s->activation.function;
  if (s->kind != APUS_STORE_GENERAL || s->residual || s->y_type == APUS_REAL) return 0;
  float low = -__builtin_inff(), high = __builtin_inff();
  if (function == APUS_CLIP) low = s->activation.alpha, high = s->activation.beta;
  else if (function == APUS_RELU) low = 0.0f;
  else if (function != APUS_IDENTITY) return 0;
  if (low != low || high != high) return 0;
  // The largest sum of products.
  const FLOATS sum = OP(set1_ps)((float)(d->kernel_height * d->kernel_width) * (255.0f * 128.0f));
  const FLOATS limit = OP(set1_ps)(1048576.0f), least = OP(set1_ps)(-1048576.0f);
  const FLOATS none = OP(set1_ps)(0.0f);
  FLOATS worst = none, lows[4], highs[4];
  UNROLL for (int q = 0; q < 4; q++) {
    const FLOATS inverse = columns->inverse[q];
    FLOATS v = OP(cvtepi32_ps)(OP(abs_epi32)(columns->offset[q]));
    v = OP(mul_ps)(OP(mul_ps)(OP(add_ps)(v, sum), columns->multiplier[q]), inverse);
    worst = OP(max_ps)(worst, OP(max_ps)(v, OP(sub_ps)(none, v)));
    const FLOATS a = OP(mul_ps)(OP(set1_ps)(low), inverse);
    const FLOATS b = OP(mul_ps)(OP(set1_ps)(high), inverse);
    lows[q] = OP(min_ps)(OP(max_ps)(a, least), limit);
    highs[q] = OP(min_ps)(OP(max_ps)(b, least), limit);
  }
  float each[4 * LANES];
  __builtin_memcpy(each, &worst, sizeof each);
  for (int i = 0; i < 4 * LANES; i++) {
    if (!(each[i] < 1073741824.0f)) return 0;
  }
  columns->low = NAME(bytes)(lows, columns->zero);
  columns->high = NAME(bytes)(highs, columns->zero);
  return 1;
}

INLINE void NAME(residuals)(
    const struct NAME(line) * line, ptrdiff_t pixel, FLOATS *other) {
  const struct apus_quantized_store *s = &line->d->store;
  const ptrdiff_t from = pixel * line->d->residual_pixel + line->c;
  if (s->residual_type == APUS_REAL) {
    UNROLL for (int q = 0; q < 4; q++) {
      other[q] = (FLOATS)NAME(ordered)((const float *)s->residual + from, q, line->n);
    }
    return;
  }
  const BYTES none = OP(set1_epi8)(0);
  const BYTES bytes = LOAD((const uint8_t *)s->residual + from);
  const BYTES low = OP(unpacklo_epi8)(bytes, none), high = OP(unpackhi_epi8)(bytes, none);
  BYTES x[4] = {OP(unpacklo_epi16)(low, none), OP(unpackhi_epi16)(low, none),
                OP(unpacklo_epi16)(high, none), OP(unpackhi_epi16)(high, none)};
  UNROLL for (int q = 0; q < 4; q++) {
    x[q] = OP(sub_epi32)(x[q], line->columns->residual_zero[q]);
    other[q] = OP(mul_ps)(OP(cvtepi32_ps)(x[q]), line->columns->residual_scale[q]);
  }
}

// The general store of a pixel's sums.
static __attribute__((noinline)) void NAME(finish)(
    const struct NAME(line) * line, ptrdiff_t pixel, const BYTES *sums) {
  const struct apus_quantized_store *s = &line->d->store;
  const struct apus_activation activation = s->activation;
  const ptrdiff_t to = pixel * line->d->y_pixel + line->c;
  FLOATS v[4], other[4];
  if (s->residual) NAME(residuals)(line, pixel, other);
  UNROLL for (int q = 0; q < 4; q++) {
    v[q] = OP(mul_ps)(OP(cvtepi32_ps)(sums[q]), line->columns->multiplier[q]);
    if (s->residual && !s->residual_last) v[q] = OP(add_ps)(v[q], other[q]);
    v[q] = (FLOATS)MATH(apply)((MATH(v))v[q], &activation);
    if (s->residual && s->residual_last) v[q] = OP(add_ps)(v[q], other[q]);
  }
  if (s->y_type == APUS_REAL) {
    float *y = (float *)s->y + to;
    UNROLL for (int q = 0; q < 4; q++) {
      float some[LANES][4];
      __builtin_memcpy(some, &v[q], sizeof some);
      for (int l = 0; l < LANES; l++) {
        const ptrdiff_t at = 16 * l + 4 * q, left = line->n - at;
        if (left >= 4) __builtin_memcpy(y + at, some[l], sizeof some[l]);
        else for (ptrdiff_t i = 0; i < left; i++) y[at + i] = some[l][i];
      }
    }
    return;
  }
  const FLOATS limit = OP(set1_ps)(1048576.0f), least = OP(set1_ps)(-1048576.0f);
  UNROLL for (int q = 0; q < 4; q++) {
    // The second operand where the first is a NaN.
    v[q] = OP(max_ps)(OP(mul_ps)(v[q], line->columns->inverse[q]), least);
    v[q] = OP(min_ps)(v[q], limit);
  }
  STORE((uint8_t *)s->y + to, NAME(bytes)(v, line->columns->zero), line->n);
}

#include "curve.h"

// Stores the sums of output pixel ox; `kind` is a constant, SCALED or an apus_store_kind, that of
// the curve for the ramp, too.
INLINE void NAME(put)(
    const struct NAME(line) * line, const int kind, ptrdiff_t ox, const BYTES *sums) {
  if (kind != APUS_STORE_GENERAL) {
    const struct NAME(columns) *columns = line->columns;
    NOT_HELD(columns);
    FLOATS v[4];
    UNROLL for (int q = 0; q < 4; q++) {
      v[q] = OP(mul_ps)(OP(cvtepi32_ps)(sums[q]), columns->multiplier[q]);
      if (kind == SCALED) v[q] = OP(mul_ps)(v[q], columns->inverse[q]);
    }
    if (kind == APUS_STORE_CURVE) {
      const ptrdiff_t place = ox % KEPT;
      UNROLL for (int h = 0; h < 2; h++) {
        line->kept[2 * place + h] =
            OP(packs_epi32)(OP(cvtps_epi32)(v[2 * h]), OP(cvtps_epi32)(v[2 * h + 1]));
      }
      if (place == KEPT - 1 || ox + 1 == line->y_width) {
        NAME(store_kept)(line->whole, 0, ox - place, ox + 1);
      }
      return;
    }
    BYTES y = NAME(bytes)(v, columns->zero);
    y = OP(min_epu8)(OP(max_epu8)(y, columns->low), columns->high);
    STORE(line->y + ox * line->y_pixel, y, line->n);
  } else {
    BYTES some[4];
    UNROLL for (int q = 0; q < 4; q++) some[q] = sums[q];
    NAME(finish)(line->whole, line->oy * line->y_width + ox, some);
  }
}
