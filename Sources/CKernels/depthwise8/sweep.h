// The sweep of the usual windows for stores that end in bytes; part of generic.h.
//
// A step reads a few columns of four image rows. Their bytes serve every output pixel that sees
// them: two lines of pixels for 3×3 and stride 1, where shifted weights pick the rows. The fifth
// row of 5×5 is interleaved across the columns of a step, which fills whole products. Each step
// starts `each` pixels and finishes as many that began `ages` - 1 steps ago; those that lie behind
// a strip land in the margin of `kept`. For stride 1 the halves of the sums are swept one after the
// other, so that the weights stay in registers; the second sweep packs both.

// Columns of a step.
#define STEP(k, stride) ((k) == 5 ? 4 : (stride))
// Whether all quarters are swept together: fewer weights are shared, more is loaded. Then the
// weights of 5×5 stay in memory.
#define WHOLE(k, stride) ((stride) == 2 && (LANES == 4 || (k) == 3))
#define HOLDS(k, stride) ((k) == 3 || !WHOLE(k, stride))

// The quarters of the sums [low, high) (0 … 4, even) of three or four rows of bytes, interleaved.
INLINE void NAME(quarters)(
    const uint8_t *const *from, const int count, const int low, const int high, BYTES *x) {
  const BYTES a = LOAD(from[0]), b = LOAD(from[1]), c = LOAD(from[2]);
  const BYTES d = count > 3 ? LOAD(from[3]) : OP(set1_epi8)(0);
  if (low == 0) {
    const BYTES ab = OP(unpacklo_epi8)(a, b), cd = OP(unpacklo_epi8)(c, d);
    x[0] = OP(unpacklo_epi16)(ab, cd);
    x[1] = OP(unpackhi_epi16)(ab, cd);
  }
  if (high == 4) {
    const BYTES ab = OP(unpackhi_epi8)(a, b), cd = OP(unpackhi_epi8)(c, d);
    x[2] = OP(unpacklo_epi16)(ab, cd);
    x[3] = OP(unpackhi_epi16)(ab, cd);
  }
}

// The scaled sums of quarters q and q + 1 as 16 bits.
INLINE BYTES NAME(scaled)(
    const struct NAME(columns) * columns, const BYTES *sums, const int q, const int kind) {
  BYTES v[2];
  UNROLL for (int i = 0; i < 2; i++) {
    FLOATS f = OP(mul_ps)(OP(cvtepi32_ps)(sums[q + i]), columns->multiplier[q + i]);
    if (kind == SCALED) f = OP(mul_ps)(f, columns->inverse[q + i]);
    v[i] = OP(cvtps_epi32)(f);
  }
  return OP(packs_epi32)(v[0], v[1]);
}

// What a sweep carries from step to step.
struct NAME(walk) {
  // Where the rows stand, and how far it is to their next column. In checked steps places are
  // counted from the padding; rows outside the image stand still on it.
  uintptr_t at[5], pace[5], x_pixel;
  ptrdiff_t ix;
  ptrdiff_t count;  // pixels that are not yet stored
  BYTES *kept;
  uint8_t *y;
  ptrdiff_t y_line, y_pixel;
  // Copies, which no store to y can change.
  const uint8_t *padding;
  const struct NAME(columns) * columns;
  const BYTES (*across)[4][4];
  ptrdiff_t width, n;
  BYTES sums[3][4][2][4];
  BYTES weights[2][5][4];
  const int8_t *packed;
};

// Scales the sums of the pixels that a step finished. The last quarters are joined by the first
// ones and stored, but for a curve; only what belongs to the strip where `some`.
INLINE void NAME(finish_step)(
    struct NAME(walk) * walk, BYTES (*sums)[2][4], const int some, const int low, const int high,
    const int kind, const int lines, const int each) {
  const struct NAME(columns) *columns = walk->columns;
  NOT_HELD(columns);
  UNROLL for (int i = 0; i < each; i++) {
    UNROLL for (int u = 0; u < lines; u++) {
      BYTES *kept = walk->kept + u * LINE_KEPT + 2 * i;
      const BYTES *done = sums[i][u];
      BYTES v[2];
      UNROLL for (int q = low; q < high; q += 2) v[q / 2] = NAME(scaled)(columns, done, q, kind);
      if (kind == APUS_STORE_CURVE || high < 4) {
        UNROLL for (int q = low; q < high; q += 2) kept[q / 2] = v[q / 2];
      } else if (!some || i < walk->count) {
        if (low > 0) v[0] = kept[0];
        BYTES y = OP(packus_epi16)(
            OP(adds_epi16)(v[0], columns->zero[0]), OP(adds_epi16)(v[1], columns->zero[1]));
        y = OP(min_epu8)(OP(max_epu8)(y, columns->low), columns->high);
        STORE(walk->y + u * walk->y_line + i * walk->y_pixel, y, walk->n);
      }
    }
  }
  walk->kept += 2 * each;
  walk->y += each * walk->y_pixel;
  walk->count -= each;
}

// One step for the pixels that began `young` to `old` steps ago; where a row or column may lie
// outside the image, `checked`. All arguments but the pointers are constants.
INLINE void NAME(step)(
    struct NAME(walk) * walk, const int young, const int old, const int checked, const int low,
    const int high, const int kind, const int lines, const int k, const int stride) {
  const int step = STEP(k, stride), each = step / stride, rows = k + (lines - 1) * stride;
  const int ages = (step - stride + k + step - 1) / step;
  const struct NAME(columns) *columns = walk->columns;
  NOT_HELD(columns);
  BYTES(*sums)[4][2][4] = walk->sums;
  UNROLL for (int i = 0; i < each * lines; i++) {
    UNROLL for (int q = low; q < high; q++) {
      UNROLL for (int g = old; g > 0; g--) {
        sums[g][i / lines][i % lines][q] = sums[g - 1][i / lines][i % lines][q];
      }
      if (young == 0) sums[0][i / lines][i % lines][q] = columns->offset[q];
    }
  }
  const uint8_t *const padding = walk->padding;
  const uint8_t *fifth[4];
  const int8_t *packed = walk->packed;
  NOT_HELD(packed);
  BYTES x[4];
  UNROLL for (int c = 0; c < step; c++) {
    uintptr_t inside = -(uintptr_t)((size_t)(walk->ix + c) < (size_t)walk->width);
    if (checked) NOT_HELD(inside);
    const uint8_t *from[5];
    UNROLL for (int r = 0; r < rows; r++) {
      from[r] = checked ? padding + (walk->at[r] & inside) : (const uint8_t *)walk->at[r];
      walk->at[r] += checked ? walk->pace[r] : walk->x_pixel;
      // Or every row and column of a step gets a register of its own, which there is not.
      NOT_HELD(walk->at[r]);
    }
    if (k == 5) fifth[c] = from[4];
    NAME(quarters)(from, rows < 4 ? rows : 4, low, high, x);
    UNROLL for (int n = young * each; n < (old + 1) * each; n++) {
      const int g = n / each, i = n % each, kx = c + g * step - i * stride;
      if (kx < 0 || kx >= k) continue;
      UNROLL for (int u = 0; u < lines; u++) {
        UNROLL for (int q = low; q < high; q++) {
          const BYTES w = HOLDS(k, stride) ? walk->weights[u][kx][q]
                                           : LOAD(packed + 256 * kx + 64 * q);
          sums[g][i][u][q] = DOT(sums[g][i][u][q], x[q], w);
        }
      }
    }
  }
  if (k == 5) {
    NAME(quarters)(fifth, 4, low, high, x);
    const BYTES(*weights)[4][4] = walk->across;
    NOT_HELD(weights);
    UNROLL for (int n = young * each; n < (old + 1) * each; n++) {
      BYTES *some = sums[n / each][n % each][0];
      const BYTES *across = weights[n / each][n % each];
      UNROLL for (int q = low; q < high; q++) some[q] = DOT(some[q], x[q], across[q]);
    }
  }
  walk->ix += step;
  if (old < ages - 1) return;
  NAME(finish_step)(walk, sums[ages - 1], young > 0, low, high, kind, lines, each);
}

// Sweeps the quarters [low, high) of `count` pixels from `first` on, of one or two lines; all but
// the first three arguments are constants.
INLINE void NAME(sweep_part)(
    const struct NAME(line) * line, ptrdiff_t first, ptrdiff_t count, const int low,
    const int high, const int kind, const int lines, const int k, const int stride) {
  const struct apus_depthwise8 *d = line->d;
  const int step = STEP(k, stride), each = step / stride;
  const int ages = (step - stride + k + step - 1) / step, rows = k + (lines - 1) * stride;
  struct NAME(walk) walk;
  walk.packed = line->weights;
  UNROLL for (int u = 0; u < lines; u++) {
    UNROLL for (int kx = 0; kx < k; kx++) {
      UNROLL for (int q = low; q < high; q++) {
        walk.weights[u][kx][q] = OP(slli_epi32)(LOAD(line->weights + 256 * kx + 64 * q), 8 * u);
      }
    }
  }
  const ptrdiff_t width = d->width, left = first * stride - d->pad_left;
  const ptrdiff_t top = line->oy * stride - d->pad_top;
  walk.ix = left;
  walk.x_pixel = (uintptr_t)d->x_pixel;
  UNROLL for (int r = 0; r < rows; r++) {
    const uintptr_t there = -(uintptr_t)((size_t)(top + r) < (size_t)d->height);
    const uintptr_t place = (uintptr_t)(((top + r) * width + left) * d->x_pixel + line->c);
    walk.at[r] = ((uintptr_t)d->x + place - (uintptr_t)line->padding) & there;
    walk.pace[r] = (uintptr_t)d->x_pixel & there;
  }
  walk.count = count;
  walk.kept = line->kept;
  walk.y = line->y + first * line->y_pixel;
  walk.y_pixel = line->y_pixel;
  walk.y_line = line->y_width * line->y_pixel;
  walk.padding = line->padding;
  walk.columns = line->columns;
  walk.across = line->across;
  walk.width = width;
  walk.n = line->n;
  UNROLL for (int g = 0; g < ages - 1; g++) {
    NAME(step)(&walk, 0, g, 1, low, high, kind, lines, k, stride);
  }
  // The steps that start pixels and finish others.
  ptrdiff_t steps = (count + each - 1) / each - (ages - 1);
  const ptrdiff_t end = walk.ix + steps * step;
  if (walk.ix >= 0 && end <= width && top >= 0 && top + rows <= d->height) {
    UNROLL for (int r = 0; r < rows; r++) walk.at[r] += (uintptr_t)line->padding;
    for (; steps > 0; steps--) {
      NAME(step)(&walk, 0, ages - 1, 0, low, high, kind, lines, k, stride);
    }
    UNROLL for (int r = 0; r < rows; r++) walk.at[r] -= (uintptr_t)line->padding;
  }
  for (; steps > 0; steps--) {
    NAME(step)(&walk, 0, ages - 1, 1, low, high, kind, lines, k, stride);
  }
  UNROLL for (int g = 1; g < ages; g++) {
    NAME(step)(&walk, g, ages - 1, 1, low, high, kind, lines, k, stride);
  }
}

// The fifth row's weights for pixel i of a step, in the step that starts it and in the next.
static void NAME(cross)(BYTES (*across)[4][4], const int8_t *weights, ptrdiff_t stride) {
  for (ptrdiff_t g = 0; g < 2; g++) {
    for (ptrdiff_t i = 0; i < 4 / stride; i++) {
      UNROLL for (int q = 0; q < 4; q++) {
        BYTES w = OP(set1_epi8)(0);
        UNROLL for (int c = 0; c < 4; c++) {
          const ptrdiff_t kx = c + 4 * g - i * stride;
          if (kx < 0 || kx > 4) continue;
          // Shifted as 32 bits: the other bytes are zeros.
          w = OP(add_epi8)(w, OP(slli_epi32)(LOAD(weights + (5 + kx) * 256 + 64 * q), 8 * c));
        }
        across[g][i][q] = w;
      }
    }
  }
}

#define SWEEP_OF(name, kind, lines, k, stride)                                         \
  static __attribute__((noinline)) void NAME(name)(                                    \
      const struct NAME(line) * line, ptrdiff_t first, ptrdiff_t count) {              \
    if (!WHOLE(k, stride)) {                                                           \
      NAME(sweep_part)(line, first, count, 0, 2, kind, lines, k, stride);              \
      NAME(sweep_part)(line, first, count, 2, 4, kind, lines, k, stride);              \
    } else {                                                                           \
      NAME(sweep_part)(line, first, count, 0, 4, kind, lines, k, stride);              \
    }                                                                                  \
  }
#define SWEEP(name, lines, k, stride)                                                  \
  SWEEP_OF(name##_direct, APUS_STORE_DIRECT, lines, k, stride)                         \
  SWEEP_OF(name##_scaled, SCALED, lines, k, stride)                                    \
  SWEEP_OF(name##_curve, APUS_STORE_CURVE, lines, k, stride)                           \
  static void (*NAME(name)(uint32_t kind))(                                            \
      const struct NAME(line) *, ptrdiff_t, ptrdiff_t) {                               \
    if (kind == APUS_STORE_DIRECT) return NAME(name##_direct);                         \
    return kind == SCALED ? NAME(name##_scaled) : NAME(name##_curve);                  \
  }
SWEEP(sweep_3_1, 1, 3, 1)
SWEEP(sweep_3_1_both, 2, 3, 1)
SWEEP(sweep_3_2, 1, 3, 2)
SWEEP(sweep_5_1, 1, 5, 1)
SWEEP(sweep_5_2, 1, 5, 2)
#undef SWEEP
#undef SWEEP_OF

// Sweeps one or two lines, a strip at a time.
static void NAME(strips)(const struct NAME(line) * line, uint32_t kind, int lines) {
  const struct apus_depthwise8 *d = line->d;
  void (*run)(const struct NAME(line) *, ptrdiff_t, ptrdiff_t);
  if (d->kernel_width == 3 && d->stride_x == 1) {
    run = lines == 2 ? NAME(sweep_3_1_both)(kind) : NAME(sweep_3_1)(kind);
  } else if (d->kernel_width == 3) {
    run = NAME(sweep_3_2)(kind);
  } else {
    run = d->stride_x == 1 ? NAME(sweep_5_1)(kind) : NAME(sweep_5_2)(kind);
  }
  ptrdiff_t left = (line->y_width + KEPT - 1) / KEPT;
  for (ptrdiff_t first = 0; left > 0; left--) {
    const ptrdiff_t count = (line->y_width - first + left - 1) / left;
    run(line, first, count);
    first += count;
    if (kind != APUS_STORE_CURVE) continue;
    for (int u = 0; u < lines; u++) NAME(store_kept)(line, u, first - count, first);
  }
}

#undef STEP
#undef WHOLE
#undef HOLDS
