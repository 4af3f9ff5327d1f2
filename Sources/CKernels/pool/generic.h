// The pooling kernel: one text for every ISA. Included by x86_<isa>.c after the lanes.

enum { BLOCK = 4 };

// The part of a window that lies inside the image along one axis.
struct reach {
  size_t first;    // the first position inside
  size_t count;    // how many positions
  size_t counted;  // how many lie inside the image and its padding
};

INLINE struct reach reach_of(
    size_t place, size_t stride, size_t pad, size_t pad_end, size_t kernel, size_t dilation,
    size_t extent) {
  ptrdiff_t start = (ptrdiff_t)(place * stride) - (ptrdiff_t)pad;
  ptrdiff_t step = (ptrdiff_t)dilation;
  ptrdiff_t low = start >= 0 ? 0 : (-start + step - 1) / step;
  ptrdiff_t inside = (ptrdiff_t)extent - start;
  ptrdiff_t high = inside <= 0 ? 0 : (inside + step - 1) / step;
  ptrdiff_t padded = inside + (ptrdiff_t)pad_end;
  ptrdiff_t counted = padded <= 0 ? 0 : (padded + step - 1) / step;
  ptrdiff_t k = (ptrdiff_t)kernel;
  if (high > k) high = k;
  if (counted > k) counted = k;
  struct reach result = {
      (size_t)(start + low * step), high > low ? (size_t)(high - low) : 0,
      counted > 1 ? (size_t)counted : 1};
  return result;
}

INLINE void pool_channels(
    const struct apus_pool *c, int maximum, const char *x, char *y, struct reach h, struct reach w,
    float factor, size_t i, int vectors, size_t part) {
  const ptrdiff_t size = c->x_type == APUS_FLOAT32 ? 4 : 2;
  const ptrdiff_t right = (ptrdiff_t)c->dilation_w * c->x_pixel * size;
  const ptrdiff_t down = (ptrdiff_t)(c->dilation_h * c->width) * c->x_pixel * size;
  const V start = M(splat)(maximum ? -__builtin_inff() : 0.0f);
  V acc[BLOCK] = {start, start, start, start};
  for (size_t a = 0; a < h.count; a++) {
    const char *p = x + (ptrdiff_t)a * down;
    for (size_t b = 0; b < w.count; b++, p += right) {
      for (int j = 0; j < vectors; j++) {
        size_t at = i + (size_t)j * LANES;
        V v = part ? load_part(p, c->x_type, at, part) : load(p, c->x_type, at);
        acc[j] = maximum ? larger(v, acc[j]) : acc[j] + v;
      }
    }
  }
  for (int j = 0; j < vectors; j++) {
    V result = maximum ? acc[j] : acc[j] * factor;
    size_t at = i + (size_t)j * LANES;
    if (part) store_part(y, c->y_type, at, part, result);
    else store(y, c->y_type, at, result);
  }
}

INLINE void pool_row(const struct apus_pool *c, int maximum) {
  const ptrdiff_t x_size = c->x_type == APUS_FLOAT32 ? 4 : 2;
  const ptrdiff_t y_size = c->y_type == APUS_FLOAT32 ? 4 : 2;
  const struct reach h = reach_of(
      c->row, c->stride_h, c->pad_top, c->pad_bottom, c->kernel_h, c->dilation_h, c->height);
  for (size_t o = 0; o < c->output_width; o++) {
    const struct reach w = reach_of(
        o, c->stride_w, c->pad_left, c->pad_right, c->kernel_w, c->dilation_w, c->width);
    const size_t inside = h.count * w.count;
    const size_t divisor = c->counts_padding ? h.counted * w.counted : inside;
    const float factor = inside ? 1.0f / (float)divisor : 0.0f;
    const char *x = (const char *)c->x;
    if (inside) x += (ptrdiff_t)(h.first * c->width + w.first) * c->x_pixel * x_size;
    char *y = (char *)c->y + (ptrdiff_t)o * c->y_pixel * y_size;
    size_t i = 0;
    for (; i + BLOCK * LANES <= c->channels; i += BLOCK * LANES) {
      pool_channels(c, maximum, x, y, h, w, factor, i, BLOCK, 0);
    }
    for (; i + LANES <= c->channels; i += LANES) {
      pool_channels(c, maximum, x, y, h, w, factor, i, 1, 0);
    }
    if (i < c->channels) {
      pool_channels(c, maximum, x, y, h, w, factor, i, 1, c->channels - i);
    }
  }
}

void ISA_NAME(apus_pool_row)(const struct apus_pool *c) {
  if (c->function == APUS_POOL_MAXIMUM) pool_row(c, 1);
  else pool_row(c, 0);
}
