// The curve and ramp stores of 8-bit depthwise convolution; part of generic.h.

// The curve or ramp store of pixels of line u whose scaled sums were kept. By itself, so that the
// registers serve the curve: the sums' own loops need them all.
INLINE void NAME(curve)(
    const struct NAME(line) * line, ptrdiff_t u, ptrdiff_t first, ptrdiff_t end, const int ramp,
    const int added) {
  const struct apus_quantized_store *s = &line->d->store;
  const struct CURVE_COLUMNS columns[2] = {line->columns->curve[0], line->columns->curve[1]};
  const BYTES residual_ratio[2] = {
      line->columns->residual_ratio[0], line->columns->residual_ratio[1]};
  const CURVE_HELD held = HOLD(s->curve);
  const __m128i fraction = _mm_cvtsi32_si128((int)s->fraction);
  const ptrdiff_t residual_pixel = line->d->residual_pixel, y_pixel = line->y_pixel, n = line->n;
  const uint8_t *from = (const uint8_t *)s->residual + line->c +
                        ((line->oy + u) * line->y_width + first) * residual_pixel;
  uint8_t *y = line->y + (u * line->y_width + first) * y_pixel;
  const BYTES *kept = line->kept + u * LINE_KEPT;
  for (ptrdiff_t ox = first; ox < end; ox++, kept += 2, y += y_pixel) {
    BYTES t[2] = {kept[0], kept[1]};
    CURVE(held, columns, t, ramp);
    if (added) {
      const BYTES none = OP(set1_epi8)(0), bytes = LOAD(from);
      // 256 q, then 128 q.
      const BYTES low = OP(srli_epi16)(OP(unpacklo_epi8)(none, bytes), 1);
      const BYTES high = OP(srli_epi16)(OP(unpackhi_epi8)(none, bytes), 1);
      t[0] = OP(adds_epi16)(t[0], OP(mulhrs_epi16)(low, residual_ratio[0]));
      t[1] = OP(adds_epi16)(t[1], OP(mulhrs_epi16)(high, residual_ratio[1]));
      from += residual_pixel;
    }
    STORE(y, OP(packus_epi16)(OP(sra_epi16)(t[0], fraction), OP(sra_epi16)(t[1], fraction)), n);
  }
}

static __attribute__((noinline)) void NAME(store_kept)(
    const struct NAME(line) * line, ptrdiff_t u, ptrdiff_t first, ptrdiff_t end) {
  const struct apus_quantized_store *s = &line->d->store;
  if (s->kind == APUS_STORE_RAMP) {
    if (s->residual) NAME(curve)(line, u, first, end, 1, 1);
    else NAME(curve)(line, u, first, end, 1, 0);
  } else {
    if (s->residual) NAME(curve)(line, u, first, end, 0, 1);
    else NAME(curve)(line, u, first, end, 0, 0);
  }
}
