// Depthwise convolution on vectors of channels.
//
// A block is up to BLOCK neighbouring output pixels. For the usual windows (3 or 5 wide, stride 1
// or 2) each input column of a block is loaded once per kernel row and used by every pixel that
// sees it; columns outside the image are loaded under an empty mask. Pixels are outer and channels
// inner, so that all memory is read in order.
//
// Included by x86_<isa>.c, which defines DEPTHWISE(name), MATH(name), UNROLL and
//   MULTIPLY_ADD(a, b, c)            a b + c, fused or not
//   LOAD(x, at, type)                a vector of x (float32 or bfloat16) as float32
//   LOAD_IF(x, at, type, condition)  the same, or zeros without reading
//   STORE(y, at, type, x, count)     the first `count` lanes

#define VECTOR MATH(v)
#define INLINE static inline __attribute__((always_inline))

enum { DEPTHWISE(lanes) = sizeof(VECTOR) / sizeof(float), DEPTHWISE(block) = 8 };
#define LANES DEPTHWISE(lanes)
#define BLOCK DEPTHWISE(block)

// Where a block lies, and what of the window lies inside the image.
struct DEPTHWISE(block_place) {
  ptrdiff_t oy, ox;
  ptrdiff_t count;          // output pixels, at most BLOCK
  ptrdiff_t ky_low, ky_high;  // kernel rows inside the image
  int inside;               // all columns are
};

// Residual, function and store of sums [count][LANES] from channel c on.
static __attribute__((noinline)) void DEPTHWISE(finish)(
    const struct apus_depthwise *d, const struct DEPTHWISE(block_place) * at, ptrdiff_t c,
    const float *sums) {
  const struct apus_activation activation = d->activation;
  ptrdiff_t row = at->oy * d->y_width + at->ox;
  for (ptrdiff_t u = 0; u < at->count; u++, row++) {
    VECTOR x, other = MATH(splat)(0.0f);
    __builtin_memcpy(&x, sums + u * LANES, sizeof x);
    if (d->residual) {
      // Reads behind the last channel stay inside the slack of the operand.
      other = LOAD(d->residual, row * d->residual_pixel + c, d->residual_type);
      if (!d->residual_last) x = x + other;
    }
    x = MATH(apply)(x, &activation);
    if (d->residual && d->residual_last) x = x + other;
    STORE(d->y, row * d->y_pixel + c, d->y_type, x, d->channels - c);
  }
}

INLINE VECTOR DEPTHWISE(vector)(const float *x) {
  VECTOR v;
  __builtin_memcpy(&v, x, sizeof v);
  return v;
}

// All channels of one block; kw, stride and the two flags are constants where this is inlined.
INLINE void DEPTHWISE(block_of)(
    const struct apus_depthwise *d, const struct DEPTHWISE(block_place) * at, float low,
    float high, int simple, const int kw, const int stride, const int inside,
    const uint32_t type) {
  const int columns = (BLOCK - 1) * stride + kw;
  const ptrdiff_t ix = at->ox * stride - d->pad_left;
  const ptrdiff_t last = (at->count - 1) * stride + kw;  // columns that the block needs
  for (ptrdiff_t c = 0; c < d->channels; c += LANES) {
    VECTOR acc[BLOCK];
    UNROLL for (int u = 0; u < BLOCK; u++) acc[u] = MATH(splat)(0.0f);
    for (ptrdiff_t ky = at->ky_low; ky < at->ky_high; ky++) {
      const float *weights = d->weights + ky * kw * d->weight_step + c;
      VECTOR w[5];
      UNROLL for (int kx = 0; kx < kw; kx++) {
        w[kx] = DEPTHWISE(vector)(weights + kx * d->weight_step);
      }
      const ptrdiff_t iy = at->oy * d->stride_y + ky * d->dilation_y - d->pad_top;
      const ptrdiff_t from = (iy * d->width + ix) * d->x_pixel + c;
      UNROLL for (int j = 0; j < columns; j++) {
        const ptrdiff_t here = from + j * d->x_pixel;
        VECTOR x = inside ? LOAD(d->x, here, type)
                          : LOAD_IF(d->x, here, type,
                                    j < last && ix + j >= 0 && ix + j < d->width);
        UNROLL for (int u = 0; u < BLOCK; u++) {
          if (j >= u * stride && j < u * stride + kw) {
            acc[u] = MULTIPLY_ADD(x, w[j - u * stride], acc[u]);
          }
        }
      }
    }
    // Last, not first: a bias larger than the sum would cost bits in every step.
    if (d->bias) {
      const VECTOR bias = DEPTHWISE(vector)(d->bias + c);
      UNROLL for (int u = 0; u < BLOCK; u++) acc[u] = acc[u] + bias;
    }
    if (simple) {
      const VECTOR floor = MATH(splat)(low), ceiling = MATH(splat)(high);
      ptrdiff_t to = (at->oy * d->y_width + at->ox) * d->y_pixel + c;
      UNROLL for (int u = 0; u < BLOCK; u++, to += d->y_pixel) {
        VECTOR x = MATH(min)(ceiling, MATH(max)(floor, acc[u]));
        if (u < at->count) STORE(d->y, to, d->y_type, x, d->channels - c);
      }
    } else {
      _Alignas(64) float sums[BLOCK * LANES];
      UNROLL for (int u = 0; u < BLOCK; u++) {
        __builtin_memcpy(sums + u * LANES, &acc[u], sizeof acc[u]);
      }
      DEPTHWISE(finish)(d, at, c, sums);
    }
  }
}

#define BLOCK_OF(name, kw, stride)                                                             \
  static __attribute__((noinline)) void DEPTHWISE(name)(                                       \
      const struct apus_depthwise *d, const struct DEPTHWISE(block_place) *at, float low,      \
      float high, int simple) {                                                                \
    if (d->x_type == APUS_FLOAT32) {                                                           \
      if (at->inside) DEPTHWISE(block_of)(d, at, low, high, simple, kw, stride, 1, 0);         \
      else DEPTHWISE(block_of)(d, at, low, high, simple, kw, stride, 0, 0);                    \
    } else {                                                                                   \
      if (at->inside) DEPTHWISE(block_of)(d, at, low, high, simple, kw, stride, 1, 1);         \
      else DEPTHWISE(block_of)(d, at, low, high, simple, kw, stride, 0, 1);                    \
    }                                                                                          \
  }
BLOCK_OF(block_3_1, 3, 1)
BLOCK_OF(block_3_2, 3, 2)
BLOCK_OF(block_5_1, 5, 1)
BLOCK_OF(block_5_2, 5, 2)
#undef BLOCK_OF

// Any other window: a pixel at a time.
static void DEPTHWISE(block_any)(
    const struct apus_depthwise *d, const struct DEPTHWISE(block_place) * block, float low,
    float high, int simple) {
  (void)low, (void)high, (void)simple;
  for (ptrdiff_t u = 0; u < block->count; u++) {
    struct DEPTHWISE(block_place) at = *block;
    at.ox += u;
    at.count = 1;
    const ptrdiff_t ix = at.ox * d->stride_x - d->pad_left;
    for (ptrdiff_t c = 0; c < d->channels; c += LANES) {
      VECTOR acc = MATH(splat)(0.0f);
      for (ptrdiff_t ky = at.ky_low; ky < at.ky_high; ky++) {
        const ptrdiff_t iy = at.oy * d->stride_y + ky * d->dilation_y - d->pad_top;
        for (ptrdiff_t kx = 0; kx < d->kernel_width; kx++) {
          const ptrdiff_t x = ix + kx * d->dilation_x;
          if (x < 0 || x >= d->width) continue;
          acc = MULTIPLY_ADD(
              LOAD(d->x, (iy * d->width + x) * d->x_pixel + c, d->x_type),
              DEPTHWISE(vector)(d->weights + (ky * d->kernel_width + kx) * d->weight_step + c),
              acc);
        }
      }
      if (d->bias) acc = acc + DEPTHWISE(vector)(d->bias + c);
      _Alignas(64) float sums[LANES];
      __builtin_memcpy(sums, &acc, sizeof acc);
      DEPTHWISE(finish)(d, &at, c, sums);
    }
  }
}

void DEPTHWISE(apus_depthwise)(const struct apus_depthwise *d) {
  void (*run)(const struct apus_depthwise *, const struct DEPTHWISE(block_place) *, float, float,
              int) = DEPTHWISE(block_any);
  if (d->dilation_x == 1 && d->kernel_width == 3 && d->stride_x == 1) run = DEPTHWISE(block_3_1);
  if (d->dilation_x == 1 && d->kernel_width == 3 && d->stride_x == 2) run = DEPTHWISE(block_3_2);
  if (d->dilation_x == 1 && d->kernel_width == 5 && d->stride_x == 1) run = DEPTHWISE(block_5_1);
  if (d->dilation_x == 1 && d->kernel_width == 5 && d->stride_x == 2) run = DEPTHWISE(block_5_2);

  float low = -__builtin_inff(), high = __builtin_inff();
  int simple = d->residual == NULL;
  switch (d->activation.function) {
    case APUS_IDENTITY: break;
    case APUS_RELU: low = 0.0f; break;
    case APUS_CLIP: low = d->activation.alpha, high = d->activation.beta; break;
    default: simple = 0; break;
  }

  for (ptrdiff_t oy = d->first_line; oy < d->first_line + d->line_count; oy++) {
    struct DEPTHWISE(block_place) at = {.oy = oy};
    const ptrdiff_t top = oy * d->stride_y - d->pad_top;
    while (at.ky_low < d->kernel_height && top + at.ky_low * d->dilation_y < 0) at.ky_low++;
    at.ky_high = at.ky_low;
    while (at.ky_high < d->kernel_height && top + at.ky_high * d->dilation_y < d->height) {
      at.ky_high++;
    }
    ptrdiff_t blocks = (d->y_width + BLOCK - 1) / BLOCK;
    for (; blocks > 0; blocks--, at.ox += at.count) {
      at.count = (d->y_width - at.ox + blocks - 1) / blocks;
      const ptrdiff_t left = at.ox * d->stride_x - d->pad_left;
      // A whole block is computed even where fewer pixels are stored.
      const ptrdiff_t right = left + (BLOCK - 1) * d->stride_x + d->kernel_width;
      at.inside = left >= 0 && right <= d->width;
      run(d, &at, low, high, simple);
    }
  }
}

#undef VECTOR
#undef INLINE
#undef LANES
#undef BLOCK
