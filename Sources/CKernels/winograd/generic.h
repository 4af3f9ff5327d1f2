// The Winograd transforms on vectors of channels: a two-dimensional transform is a one-dimensional
// one of every column, then of every row.
//
// Included by x86_<isa>.c after the lanes of its ISA, with MULTIPLY_ADD(a, b, c) = a b + c and
// SPLAT(x), and APPLY and APPLY_ROUGH(x, f), the functions of results that stay float32 and of
// those that become bfloat16.

#define UNROLL _Pragma("clang loop unroll(full)")

#include "lines.h"

// Tiles of a line that are transformed together: neighbours share columns.
#define GROUP(stride) ((stride) == 1 ? 4 : 2)

// MARK: Input

// Tiles next to each other in one line of tiles.
struct input_place {
  ptrdiff_t row, column;  // of the first tile
  ptrdiff_t count;        // at most GROUP(stride)
  ptrdiff_t at;           // tiles from the first of V
};

// The last arguments of these are constants where they are inlined; whole: no line lies outside x.

// o = Bᵀ d for column x of the samples that begin at line `top`.
INLINE void input_column(
    const struct apus_winograd_input *w, ptrdiff_t top, ptrdiff_t x, ptrdiff_t c, V *o,
    const int tile, const int stride, const int x_type, const int whole) {
  const int n = POSITIONS(tile, stride);
  V d[MOST];
  if (x < 0 || x >= w->width) {
    UNROLL for (int i = 0; i < n; i++) o[i] = M(splat)(0.0f);
    return;
  }
  const size_t count = (size_t)(w->channels - c < LANES ? w->channels - c : LANES);
  const size_t line = (size_t)(w->width * w->x_pixel);
  // Moves on, for an index of its own for every line would spill; outside x it is not used.
  size_t place = (size_t)((top * w->width + x) * w->x_pixel + c);
  UNROLL for (int i = 0; i < n; i++, place += line) {
    if (!whole && (top + i < 0 || top + i >= w->height)) {
      d[i] = M(splat)(0.0f);
    } else if (count == LANES) {
      d[i] = load(w->x, x_type, place);
    } else {
      d[i] = load_part(w->x, x_type, place, count);
    }
  }
  input_line(o, d, tile, stride);
}

INLINE void input_group(
    const struct apus_winograd_input *w, const struct input_place *at, const int tile,
    const int stride, const int x_type, const int v_type, const int whole) {
  const int n = POSITIONS(tile, stride), step = tile * stride;
  // With stride 2 the odd columns are positions already.
  const int mixed = stride == 2 ? tile + 1 : n;
  V lines[(2 * 8 + 2) * MOST];
  const ptrdiff_t top = at->row * step - w->pad_top, left = at->column * step - w->pad_left;
  const ptrdiff_t columns = at->count * step + n - step;
  void *const v = w->v;
  const size_t position = (size_t)w->v_position;
  for (ptrdiff_t c = 0; c < w->channels; c += LANES) {
    for (ptrdiff_t j = 0; j < columns; j++) {
      V *o = lines + j * n;
      input_column(w, top, left + j, c, o, tile, stride, x_type, whole);
      if (stride == 1 || j % 2 == 0) continue;
      const ptrdiff_t t = j / step, k = mixed + j % step / 2;
      size_t to = (size_t)((at->at + t) * w->v_tile + k * w->v_position + c);
      UNROLL for (int i = 0; i < n; i++, to += n * position) store(v, v_type, to, o[i]);
    }
    for (ptrdiff_t t = 0; t < at->count; t++) {
      size_t to = (size_t)((at->at + t) * w->v_tile + c);
      UNROLL for (int i = 0; i < n; i++) {
        V d[MOST], o[MOST];
        UNROLL for (int k = 0; k < n; k++) d[k] = lines[(t * step + k) * n + i];
        input_line(o, d, tile, stride);
        UNROLL for (int k = 0; k < mixed; k++, to += position) store(v, v_type, to, o[k]);
        to += (size_t)(n - mixed) * position;
      }
    }
  }
  // Where vectors are shorter than 16: the zeros behind the channels.
  const ptrdiff_t done = (w->channels + LANES - 1) / LANES * LANES;
  for (ptrdiff_t c = done; c < (w->channels + 15) / 16 * 16; c += LANES) {
    for (ptrdiff_t t = 0; t < at->count; t++) {
      for (int p = 0; p < n * n; p++) {
        const ptrdiff_t to = (at->at + t) * w->v_tile + p * w->v_position + c;
        store(w->v, v_type, (size_t)to, M(splat)(0.0f));
      }
    }
  }
}

#define INPUT_GROUP(name, tile, stride, x_type, v_type)                                   \
  static __attribute__((noinline)) void name(                                             \
      const struct apus_winograd_input *w, const struct input_place *at) {                \
    const ptrdiff_t top = at->row * (tile) * (stride) - w->pad_top;                       \
    if (top >= 0 && top + POSITIONS(tile, stride) <= w->height) {                         \
      input_group(w, at, tile, stride, x_type, v_type, 1);                                \
    } else {                                                                              \
      input_group(w, at, tile, stride, x_type, v_type, 0);                                \
    }                                                                                     \
  }
INPUT_GROUP(input_4_float32, 4, 1, APUS_FLOAT32, APUS_FLOAT32)
INPUT_GROUP(input_4_bfloat16, 4, 1, APUS_BFLOAT16, APUS_FLOAT32)
INPUT_GROUP(input_2_float32, 2, 1, APUS_FLOAT32, APUS_FLOAT32)
INPUT_GROUP(input_2_bfloat16, 2, 1, APUS_BFLOAT16, APUS_FLOAT32)
INPUT_GROUP(input_2_rounded, 2, 1, APUS_FLOAT32, APUS_BFLOAT16)
INPUT_GROUP(input_2_halves, 2, 1, APUS_BFLOAT16, APUS_BFLOAT16)
INPUT_GROUP(input_strided_float32, 4, 2, APUS_FLOAT32, APUS_FLOAT32)
INPUT_GROUP(input_strided_bfloat16, 4, 2, APUS_BFLOAT16, APUS_FLOAT32)
#undef INPUT_GROUP

void ISA_NAME(apus_winograd_input)(const struct apus_winograd_input *w) {
  void (*run)(const struct apus_winograd_input *, const struct input_place *);
  const int wide = w->x_type == APUS_FLOAT32;
  if (w->stride == 2) {
    run = wide ? input_strided_float32 : input_strided_bfloat16;
  } else if (w->tile == 4) {
    run = wide ? input_4_float32 : input_4_bfloat16;
  } else if (w->v_type == APUS_FLOAT32) {
    run = wide ? input_2_float32 : input_2_bfloat16;
  } else {
    run = wide ? input_2_rounded : input_2_halves;
  }
  const ptrdiff_t end = w->first + w->count, most = GROUP(w->stride);
  for (ptrdiff_t tile = w->first; tile < end;) {
    struct input_place at = {
        tile / w->tile_columns, tile % w->tile_columns, w->tile_columns, tile - w->first};
    at.count -= at.column;
    if (at.count > most) at.count = most;
    if (at.count > end - tile) at.count = end - tile;
    run(w, &at);
    tile += at.count;
  }
}

// MARK: Output

// How whole tiles are finished in registers: where that takes no more than a clamp or the function
// that they are made for, and a residual of y's type.
struct output_finish {
  int simple;
  V low, high;
};

// A tile, and how much of it lies inside y.
struct output_place {
  ptrdiff_t pixel;  // of the first in y
  ptrdiff_t lines, pixels;
};

// Applies a function to vectors; `function` is a constant where a loop of its own pays.
INLINE void apply_one(
    V *sums, const int count, const struct apus_winograd_output *w, const uint32_t function) {
  const struct apus_activation f = {function, w->activation.alpha, w->activation.beta};
  if (w->y_type == APUS_FLOAT32) {
    for (int i = 0; i < count; i++) sums[i] = APPLY(sums[i], &f);
  } else {
    for (int i = 0; i < count; i++) sums[i] = APPLY_ROUGH(sums[i], &f);
  }
}

INLINE void apply_function(V *sums, const int count, const struct apus_winograd_output *w) {
  switch (w->activation.function) {
    case APUS_IDENTITY: break;
    case APUS_SWISH: apply_one(sums, count, w, APUS_SWISH); break;
    default: apply_one(sums, count, w, w->activation.function); break;
  }
}

// Adds the residual, applies the function and stores what lies inside y.
static __attribute__((noinline)) void finish_tile(
    const struct apus_winograd_output *w, const struct output_place *at, ptrdiff_t c, V *sums,
    const int tile) {
  const size_t count = (size_t)(w->columns - c < LANES ? w->columns - c : LANES);
  V others[16];
  if (w->residual) {
    for (ptrdiff_t i = 0; i < at->lines; i++) {
      const ptrdiff_t from = (at->pixel + i * w->y_width) * w->residual_pixel + c;
      for (ptrdiff_t k = 0; k < at->pixels; k++) {
        const size_t place = (size_t)(from + k * w->residual_pixel);
        others[i * tile + k] = count == LANES
                                   ? load(w->residual, w->residual_type, place)
                                   : load_part(w->residual, w->residual_type, place, count);
        if (!w->residual_last) sums[i * tile + k] = sums[i * tile + k] + others[i * tile + k];
      }
    }
  }
  apply_function(sums, tile * tile, w);
  for (ptrdiff_t i = 0; i < at->lines; i++) {
    const ptrdiff_t to = (at->pixel + i * w->y_width) * w->y_pixel + c;
    for (ptrdiff_t k = 0; k < at->pixels; k++) {
      V x = sums[i * tile + k];
      if (w->residual && w->residual_last) x = x + others[i * tile + k];
      const size_t place = (size_t)(to + k * w->y_pixel);
      if (count == LANES) {
        store(w->y, w->y_type, place, x);
      } else {
        store_part(w->y, w->y_type, place, count, x);
      }
    }
  }
}

INLINE void output_tile(
    const struct apus_winograd_output *w, const struct output_finish *finish,
    const struct output_place *at, const float *m, const int tile, const int stride,
    const int y_type, const uint32_t function) {
  const int n = POSITIONS(tile, stride);
  const int whole = finish->simple && at->lines == tile && at->pixels == tile;
  const ptrdiff_t position = w->m_position, line = n * position;
  const struct apus_activation f = {function, w->activation.alpha, w->activation.beta};
  for (ptrdiff_t c = 0; c < w->columns; c += LANES) {
    V lines[4 * MOST];
    UNROLL for (int k = 0; k < n; k++) {
      V d[MOST], o[4];
      const float *from = m + k * position + c;
      UNROLL for (int i = 0; i < n; i++, from += line) d[i] = load(from, APUS_FLOAT32, 0);
      output_line(o, d, tile, stride);
      UNROLL for (int i = 0; i < tile; i++) lines[i * n + k] = o[i];
    }
    const V bias = w->bias ? load(w->bias, APUS_FLOAT32, (size_t)c) : M(splat)(0.0f);
    V sums[16];
    UNROLL for (int i = 0; i < tile; i++) {
      V o[4];
      output_line(o, lines + i * n, tile, stride);
      UNROLL for (int k = 0; k < tile; k++) sums[i * tile + k] = o[k] + bias;
    }
    if (!whole || w->columns - c < LANES) {
      finish_tile(w, at, c, sums, tile);
      continue;
    }
    UNROLL for (int i = 0; i < tile; i++) {
      const ptrdiff_t first = at->pixel + i * w->y_width;
      UNROLL for (int k = 0; k < tile; k++) {
        V x = sums[i * tile + k], other = M(splat)(0.0f);
        if (w->residual) {
          other = load(w->residual, y_type, (size_t)((first + k) * w->residual_pixel + c));
          if (!w->residual_last) x = x + other;
        }
        if (function == APUS_IDENTITY) {
          x = M(min)(finish->high, M(max)(finish->low, x));
        } else {
          x = y_type == APUS_FLOAT32 ? APPLY(x, &f) : APPLY_ROUGH(x, &f);
        }
        if (w->residual && w->residual_last) x = x + other;
        store(w->y, y_type, (size_t)((first + k) * w->y_pixel + c), x);
      }
    }
  }
}

typedef void (*output_function)(
    const struct apus_winograd_output *, const struct output_finish *,
    const struct output_place *, const float *);

#define OUTPUT_TILE(name, tile, stride, y_type, function)                              \
  static __attribute__((noinline)) void name(                                          \
      const struct apus_winograd_output *w, const struct output_finish *finish,        \
      const struct output_place *at, const float *m) {                                 \
    output_tile(w, finish, at, m, tile, stride, y_type, function);                     \
  }
#define OUTPUT_TILES(name, tile, stride)                                               \
  OUTPUT_TILE(name##_float32, tile, stride, APUS_FLOAT32, APUS_IDENTITY)               \
  OUTPUT_TILE(name##_bfloat16, tile, stride, APUS_BFLOAT16, APUS_IDENTITY)             \
  OUTPUT_TILE(name##_float32_swish, tile, stride, APUS_FLOAT32, APUS_SWISH)            \
  OUTPUT_TILE(name##_bfloat16_swish, tile, stride, APUS_BFLOAT16, APUS_SWISH)          \
  static const output_function name[2][2] = {                                          \
      {name##_float32, name##_float32_swish}, {name##_bfloat16, name##_bfloat16_swish}};
OUTPUT_TILES(output_4, 4, 1)
OUTPUT_TILES(output_2, 2, 1)
OUTPUT_TILES(output_strided, 4, 2)
#undef OUTPUT_TILES
#undef OUTPUT_TILE

void ISA_NAME(apus_winograd_output)(const struct apus_winograd_output *w) {
  struct output_finish finish = {
      !w->residual || w->residual_type == w->y_type, M(splat)(-__builtin_inff()),
      M(splat)(__builtin_inff())};
  switch (w->activation.function) {
    case APUS_IDENTITY: break;
    case APUS_RELU: finish.low = M(splat)(0.0f); break;
    case APUS_CLIP:
      finish.low = M(splat)(w->activation.alpha);
      finish.high = M(splat)(w->activation.beta);
      break;
    case APUS_SWISH: break;
    default: finish.simple = 0; break;
  }
  const output_function(*tiles)[2] =
      w->stride == 2 ? output_strided : w->tile == 4 ? output_4 : output_2;
  const output_function run =
      tiles[w->y_type != APUS_FLOAT32][w->activation.function == APUS_SWISH];
  const ptrdiff_t tile = (ptrdiff_t)w->tile;
  for (ptrdiff_t index = 0; index < w->count; index++) {
    const ptrdiff_t line = (w->first + index) / w->tile_columns * tile;
    const ptrdiff_t pixel = (w->first + index) % w->tile_columns * tile;
    struct output_place at = {line * w->y_width + pixel, w->y_height - line, w->y_width - pixel};
    if (at.lines > tile) at.lines = tile;
    if (at.pixels > tile) at.pixels = tile;
    run(w, &finish, &at, w->m + index * w->m_tile);
  }
}

// MARK: Weights

// Sixteen columns of row k of a packed panel, from `lane` on.
INLINE V weight(const struct apus_winograd_weights *w, size_t panel, size_t k, size_t lane) {
  const size_t depth = 3 * w->run_length;
  if (w->source_type == APUS_FLOAT32) {
    return load(w->source, APUS_FLOAT32, (panel * depth + k) * 16 + lane);
  }
  M(u) pairs;
  const uint16_t *source =
      (const uint16_t *)w->source + (panel * depth + k / 2 * 2) * 16 + lane * 2;
  __builtin_memcpy(&pairs, source, sizeof pairs);
  return (V)(k % 2 ? pairs & 0xffff0000u : pairs << 16);
}

INLINE void weight_tile(
    const struct apus_winograd_weights *w, size_t panel, size_t c, size_t lane, V *u,
    const int tile, const int stride) {
  const int n = tile + 2;
  V lines[MOST_FACTORS * 3];
  UNROLL for (int x = 0; x < 3; x++) {
    V g[3], o[MOST_FACTORS];
    UNROLL for (int y = 0; y < 3; y++) {
      g[y] = weight(w, panel, (size_t)y * w->run_length + (size_t)x * w->channels + c, lane);
    }
    weight_line(o, g, tile, stride);
    UNROLL for (int i = 0; i < n; i++) lines[i * 3 + x] = o[i];
  }
  UNROLL for (int i = 0; i < n; i++) weight_line(u + i * n, lines + i * 3, tile, stride);
}

INLINE void weights_of(const struct apus_winograd_weights *w, const int tile, const int stride) {
  const size_t positions = (size_t)((tile + 2) * (tile + 2));
  const int pairs = w->target_type == APUS_BFLOAT16;
  const size_t step = pairs ? 2 : 1;
  const size_t depth = (w->channels + step - 1) / step * step;
  const size_t position = w->panels * depth * 16;
  for (size_t panel = 0; panel < w->panels; panel++) {
    for (size_t c = 0; c < w->channels; c += step) {
      for (size_t lane = 0; lane < 16; lane += LANES) {
        V u[MOST_FACTORS * MOST_FACTORS], odd[MOST_FACTORS * MOST_FACTORS];
        weight_tile(w, panel, c, lane, u, tile, stride);
        if (!pairs) {
          float *to = (float *)w->target + (panel * depth + c) * 16 + lane;
          for (size_t p = 0; p < positions; p++) store(to, APUS_FLOAT32, p * position, u[p]);
          continue;
        }
        if (c + 1 < w->channels) {
          weight_tile(w, panel, c + 1, lane, odd, tile, stride);
        } else {
          for (size_t p = 0; p < positions; p++) odd[p] = M(splat)(0.0f);
        }
        uint16_t *to = (uint16_t *)w->target + (panel * depth + c) * 16 + lane * 2;
        for (size_t p = 0; p < positions; p++) {
          M(u) both = M(bfloat16)(u[p]) | M(bfloat16)(odd[p]) << 16;
          __builtin_memcpy(to + p * position, &both, sizeof both);
        }
      }
    }
  }
}

void ISA_NAME(apus_winograd_weights)(const struct apus_winograd_weights *w) {
  if (w->stride == 2) {
    weights_of(w, 4, 2);
  } else if (w->tile == 4) {
    weights_of(w, 4, 1);
  } else {
    weights_of(w, 2, 1);
  }
}
