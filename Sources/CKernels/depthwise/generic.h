// Depthwise convolution on vectors of channels.
//
// A block is DEPTHWISE_ROWS by DEPTHWISE_COLUMNS neighbouring output pixels, whose sums stay in
// registers. For the usual windows (3×3 and 5×5, stride 1 or 2) each input pixel of a block is
// loaded once and used by every output pixel that sees it; pixels outside the image are loaded
// under an empty mask. Pixels are outer and channels inner, so that all memory is read in order.
//
// Included by x86_<isa>.c, which defines DEPTHWISE(name), MATH(name), UNROLL and
//   DEPTHWISE_ROWS, DEPTHWISE_COLUMNS
//   MULTIPLY_ADD(a, b, c)       a b + c, fused or not
//   LOAD(x, at, type)           a vector of x (float32 or bfloat16) as float32
//   LOAD_IF(x, at, type, seen)  the same, or zeros without reading; seen is 0 or 0xffff
//   STORE(y, at, type, x, count)  the first `count` lanes
//   LESSER, GREATER             min and max: the second operand where one is a NaN
//   APPLY(x, f), APPLY_ROUGH(x, f)  functions of results that stay float32, that become bfloat16

#define VECTOR MATH(v)
#define INLINE static inline __attribute__((always_inline))

enum {
  DEPTHWISE(lanes) = sizeof(VECTOR) / sizeof(float),
  DEPTHWISE(rows) = DEPTHWISE_ROWS,
  DEPTHWISE(columns) = DEPTHWISE_COLUMNS,
};
#define LANES DEPTHWISE(lanes)
#define ROWS DEPTHWISE(rows)
#define COLUMNS DEPTHWISE(columns)

// How sums become results.
struct DEPTHWISE(finish) {
  int simple;  // no residual, and no function but a bound
  float low, high;
  // Applies the function to sums that lie together; null: not alone.
  void (*function)(float *sums, size_t count, const struct apus_depthwise *);
};

// Where a block lies, and what of the window lies inside the image.
struct DEPTHWISE(place) {
  ptrdiff_t oy, ox;
  ptrdiff_t rows, columns;  // output pixels
  int inside;               // the whole block's windows are
  // Otherwise 0xffff for every input pixel that is and that an output needs, 0 for the others.
  uint16_t seen[(ROWS - 1) * 2 + 5][(COLUMNS - 1) * 2 + 5];
  struct DEPTHWISE(finish) finish;
};

INLINE VECTOR DEPTHWISE(vector)(const float *x) {
  VECTOR v;
  __builtin_memcpy(&v, x, sizeof v);
  return v;
}

// Residual, function and store of one pixel's sums from channel c on.
static __attribute__((noinline)) void DEPTHWISE(finish_pixel)(
    const struct apus_depthwise *d, ptrdiff_t oy, ptrdiff_t ox, ptrdiff_t c, const float *sums) {
  const struct apus_activation activation = d->activation;
  const ptrdiff_t row = oy * d->y_width + ox;
  VECTOR x = DEPTHWISE(vector)(sums), other = MATH(splat)(0.0f);
  if (d->residual) {
    // Reads behind the last channel stay inside the slack of the operand.
    other = LOAD(d->residual, row * d->residual_pixel + c, d->residual_type);
    if (!d->residual_last) x = x + other;
  }
  x = APPLY(x, &activation);
  if (d->residual && d->residual_last) x = x + other;
  STORE(d->y, row * d->y_pixel + c, d->y_type, x, d->channels - c);
}

#define FUNCTION(name, constant)                                                             \
  static __attribute__((noinline)) void DEPTHWISE(name)(                                     \
      float *sums, size_t count, const struct apus_depthwise *d) {                           \
    const struct apus_activation f = {constant, d->activation.alpha, d->activation.beta};    \
    const int rough = d->y_type == APUS_BFLOAT16;                                            \
    for (size_t i = 0; i < count; i += LANES) {                                              \
      const VECTOR x = DEPTHWISE(vector)(sums + i);                                          \
      const VECTOR y = rough ? APPLY_ROUGH(x, &f) : APPLY(x, &f);                            \
      __builtin_memcpy(sums + i, &y, sizeof y);                                              \
    }                                                                                        \
  }
FUNCTION(apply_any, d->activation.function)
FUNCTION(apply_swish, APUS_SWISH)
FUNCTION(apply_hard_swish, APUS_HARD_SWISH)
#undef FUNCTION

// The sums of one block from channel c on. The arguments after `acc` are constants.
INLINE void DEPTHWISE(sum)(
    const struct apus_depthwise *d, const struct DEPTHWISE(place) * at, ptrdiff_t c,
    VECTOR acc[ROWS][COLUMNS], const int size, const int stride, const int inside,
    const uint32_t type) {
  const ptrdiff_t pixel = d->x_pixel, line = d->width * pixel;
  const ptrdiff_t first = ((at->oy * stride - d->pad_top) * d->width + at->ox * stride -
                           d->pad_left) * pixel + c;
  UNROLL for (int u = 0; u < ROWS; u++) {
    UNROLL for (int v = 0; v < COLUMNS; v++) acc[u][v] = MATH(splat)(0.0f);
  }
  UNROLL for (int i = 0; i < (ROWS - 1) * stride + size; i++) {
    VECTOR w[ROWS][5];
    UNROLL for (int u = 0; u < ROWS; u++) {
      const int ky = i - u * stride;
      if (ky < 0 || ky >= size) continue;
      UNROLL for (int kx = 0; kx < size; kx++) {
        w[u][kx] = DEPTHWISE(vector)(d->weights + (ky * size + kx) * d->weight_step + c);
      }
    }
    ptrdiff_t here = first + i * line;
    UNROLL for (int j = 0; j < (COLUMNS - 1) * stride + size; j++, here += pixel) {
      // Or the compiler multiplies and keeps a place for every row and column.
      __asm__("" : "+r"(here));
      const VECTOR x = inside ? LOAD(d->x, here, type) : LOAD_IF(d->x, here, type, at->seen[i][j]);
      UNROLL for (int u = 0; u < ROWS; u++) {
        const int ky = i - u * stride;
        if (ky < 0 || ky >= size) continue;
        UNROLL for (int v = 0; v < COLUMNS; v++) {
          const int kx = j - v * stride;
          if (kx >= 0 && kx < size) acc[u][v] = MULTIPLY_ADD(x, w[u][kx], acc[u][v]);
        }
      }
    }
  }
  // Last, not first: a bias larger than the sum would cost bits in every step.
  if (d->bias) {
    const VECTOR bias = DEPTHWISE(vector)(d->bias + c);
    UNROLL for (int u = 0; u < ROWS; u++) {
      UNROLL for (int v = 0; v < COLUMNS; v++) acc[u][v] = acc[u][v] + bias;
    }
  }
}

// All channels of one block; the arguments after `at` are constants where this is inlined.
INLINE void DEPTHWISE(block_of)(
    const struct apus_depthwise *d, const struct DEPTHWISE(place) * at, const int size,
    const int stride, const int inside, const uint32_t type) {
  const struct DEPTHWISE(finish) *finish = &at->finish;
  const VECTOR low = MATH(splat)(finish->low), high = MATH(splat)(finish->high);
  for (ptrdiff_t c = 0; c < d->channels; c += LANES) {
    VECTOR acc[ROWS][COLUMNS];
    DEPTHWISE(sum)(d, at, c, acc, size, stride, inside, type);
    if (!finish->simple) {
      _Alignas(64) float sums[ROWS * COLUMNS * LANES];
      UNROLL for (int u = 0; u < ROWS; u++) {
        UNROLL for (int v = 0; v < COLUMNS; v++) {
          __builtin_memcpy(sums + (u * COLUMNS + v) * LANES, &acc[u][v], sizeof acc[u][v]);
        }
      }
      if (!finish->function) {
        for (ptrdiff_t u = 0; u < at->rows; u++) {
          for (ptrdiff_t v = 0; v < at->columns; v++) {
            const float *from = sums + (u * COLUMNS + v) * LANES;
            DEPTHWISE(finish_pixel)(d, at->oy + u, at->ox + v, c, from);
          }
        }
        continue;
      }
      finish->function(sums, ROWS * COLUMNS * LANES, d);
      UNROLL for (int u = 0; u < ROWS; u++) {
        UNROLL for (int v = 0; v < COLUMNS; v++) {
          acc[u][v] = DEPTHWISE(vector)(sums + (u * COLUMNS + v) * LANES);
        }
      }
    }
    const ptrdiff_t count = d->channels - c;
    UNROLL for (int u = 0; u < ROWS; u++) {
      if (u >= at->rows) break;
      ptrdiff_t to = ((at->oy + u) * d->y_width + at->ox) * d->y_pixel + c;
      UNROLL for (int v = 0; v < COLUMNS; v++, to += d->y_pixel) {
        const VECTOR x = LESSER(high, GREATER(low, acc[u][v]));
        if (v < at->columns) STORE(d->y, to, d->y_type, x, count);
      }
    }
  }
}

#define BLOCK_OF(name, size, stride)                                              \
  static __attribute__((noinline)) void DEPTHWISE(name)(                          \
      const struct apus_depthwise *d, const struct DEPTHWISE(place) * at) {       \
    if (d->x_type == APUS_FLOAT32) {                                              \
      if (at->inside) DEPTHWISE(block_of)(d, at, size, stride, 1, APUS_FLOAT32);  \
      else DEPTHWISE(block_of)(d, at, size, stride, 0, APUS_FLOAT32);             \
    } else {                                                                      \
      if (at->inside) DEPTHWISE(block_of)(d, at, size, stride, 1, APUS_BFLOAT16); \
      else DEPTHWISE(block_of)(d, at, size, stride, 0, APUS_BFLOAT16);            \
    }                                                                             \
  }
BLOCK_OF(block_3_1, 3, 1)
BLOCK_OF(block_3_2, 3, 2)
BLOCK_OF(block_5_1, 5, 1)
BLOCK_OF(block_5_2, 5, 2)
#undef BLOCK_OF

// Any other window: a pixel at a time.
static void DEPTHWISE(block_any)(
    const struct apus_depthwise *d, const struct DEPTHWISE(place) * at) {
  for (ptrdiff_t n = 0; n < at->rows * at->columns; n++) {
    const ptrdiff_t oy = at->oy + n / at->columns, ox = at->ox + n % at->columns;
    const ptrdiff_t top = oy * d->stride_y - d->pad_top, left = ox * d->stride_x - d->pad_left;
    for (ptrdiff_t c = 0; c < d->channels; c += LANES) {
      VECTOR acc = MATH(splat)(0.0f);
      for (ptrdiff_t ky = 0; ky < d->kernel_height; ky++) {
        const ptrdiff_t iy = top + ky * d->dilation_y;
        if (iy < 0 || iy >= d->height) continue;
        for (ptrdiff_t kx = 0; kx < d->kernel_width; kx++) {
          const ptrdiff_t ix = left + kx * d->dilation_x;
          if (ix < 0 || ix >= d->width) continue;
          acc = MULTIPLY_ADD(
              LOAD(d->x, (iy * d->width + ix) * d->x_pixel + c, d->x_type),
              DEPTHWISE(vector)(d->weights + (ky * d->kernel_width + kx) * d->weight_step + c),
              acc);
        }
      }
      if (d->bias) acc = acc + DEPTHWISE(vector)(d->bias + c);
      _Alignas(64) float sums[LANES];
      __builtin_memcpy(sums, &acc, sizeof acc);
      DEPTHWISE(finish_pixel)(d, oy, ox, c, sums);
    }
  }
}

static struct DEPTHWISE(finish) DEPTHWISE(make_finish)(const struct apus_depthwise *d) {
  struct DEPTHWISE(finish) finish = {
      d->residual == NULL, -__builtin_inff(), __builtin_inff(), NULL};
  switch (d->activation.function) {
    case APUS_IDENTITY: break;
    case APUS_RELU: finish.low = 0.0f; break;
    case APUS_CLIP:
      finish.low = d->activation.alpha;
      finish.high = d->activation.beta;
      break;
    default:
      if (finish.simple) {
        finish.function = d->activation.function == APUS_SWISH ? DEPTHWISE(apply_swish)
            : d->activation.function == APUS_HARD_SWISH       ? DEPTHWISE(apply_hard_swish)
                                                               : DEPTHWISE(apply_any);
      }
      finish.simple = 0;
      break;
  }
  return finish;
}

// What a block with the window's first pixel at (top, left) sees.
static void DEPTHWISE(look)(
    const struct apus_depthwise *d, struct DEPTHWISE(place) * at, ptrdiff_t top, ptrdiff_t left) {
  const ptrdiff_t stride = d->stride_x, size = d->kernel_width;
  const ptrdiff_t height = (ROWS - 1) * stride + size, width = (COLUMNS - 1) * stride + size;
  // A whole block is computed even where fewer pixels are stored.
  at->inside = top >= 0 && top + height <= d->height && left >= 0 && left + width <= d->width;
  if (at->inside) return;
  const ptrdiff_t rows = (at->rows - 1) * stride + size;
  const ptrdiff_t columns = (at->columns - 1) * stride + size;
  for (ptrdiff_t i = 0; i < height; i++) {
    const int row = i < rows && top + i >= 0 && top + i < d->height;
    for (ptrdiff_t j = 0; j < width; j++) {
      const int seen = row && j < columns && left + j >= 0 && left + j < d->width;
      at->seen[i][j] = seen ? 0xffff : 0;
    }
  }
}

void DEPTHWISE(apus_depthwise)(const struct apus_depthwise *d) {
  void (*run)(const struct apus_depthwise *, const struct DEPTHWISE(place) *) = NULL;
  if (d->dilation_x == 1 && d->dilation_y == 1 && d->kernel_width == d->kernel_height &&
      d->stride_x == d->stride_y) {
    if (d->kernel_width == 3 && d->stride_x == 1) run = DEPTHWISE(block_3_1);
    if (d->kernel_width == 3 && d->stride_x == 2) run = DEPTHWISE(block_3_2);
    if (d->kernel_width == 5 && d->stride_x == 1) run = DEPTHWISE(block_5_1);
    if (d->kernel_width == 5 && d->stride_x == 2) run = DEPTHWISE(block_5_2);
  }
  struct DEPTHWISE(place) at;
  at.finish = DEPTHWISE(make_finish)(d);
  const ptrdiff_t end = d->first_line + d->line_count;
  for (at.oy = d->first_line; at.oy < end; at.oy += at.rows) {
    at.rows = end - at.oy < ROWS ? end - at.oy : ROWS;
    at.ox = 0;
    ptrdiff_t blocks = (d->y_width + COLUMNS - 1) / COLUMNS;
    for (; blocks > 0; blocks--, at.ox += at.columns) {
      at.columns = (d->y_width - at.ox + blocks - 1) / blocks;
      if (!run) {
        DEPTHWISE(block_any)(d, &at);
        continue;
      }
      DEPTHWISE(look)(
          d, &at, at.oy * d->stride_y - d->pad_top, at.ox * d->stride_x - d->pad_left);
      run(d, &at);
    }
  }
}

#undef VECTOR
#undef INLINE
#undef LANES
#undef ROWS
#undef COLUMNS
