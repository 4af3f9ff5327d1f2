// The one-dimensional Winograd transforms of vectors, and what the methods have for sizes.
// Included by generic.h.

enum {
  MOST = 9,          // positions along an axis
  MOST_FACTORS = 6,  // different ones of U along an axis: t + 2
};

// Positions along an axis; a tile depends on as many samples.
#define POSITIONS(tile, stride) ((tile) * (stride) + 3 - (stride))

// o = Bᵀ d with stride 2: of the even samples, then the odd samples themselves.
INLINE void input_halves(V *o, const V *d) {
  V a = d[6] - d[2];
  o[0] = MULTIPLY_ADD(SPLAT(-2.0f), d[4] - d[0], a);
  o[1] = a - (d[4] + d[2]);
  o[2] = MULTIPLY_ADD(SPLAT(-3.0f), d[4] - d[2], a);
  o[3] = a;
  o[4] = MULTIPLY_ADD(SPLAT(-2.0f), a, d[8] - d[4]);
  UNROLL for (int i = 0; i < 4; i++) o[5 + i] = d[2 * i + 1];
}

// o = Bᵀ d
INLINE void input_line(V *o, const V *d, const int tile, const int stride) {
  if (stride == 2) {
    input_halves(o, d);
    return;
  }
  if (tile == 2) {
    o[0] = d[0] - d[2];
    o[1] = d[1] + d[2];
    o[2] = d[2] - d[1];
    o[3] = d[1] - d[3];
    return;
  }
  const V four = SPLAT(4.0f), minus_four = SPLAT(-4.0f), minus_five = SPLAT(-5.0f);
  const V two = SPLAT(2.0f), minus_two = SPLAT(-2.0f);
  V a = MULTIPLY_ADD(minus_four, d[2], d[4]), b = MULTIPLY_ADD(minus_four, d[1], d[3]);
  V c = d[4] - d[2], e = d[3] - d[1];
  o[0] = MULTIPLY_ADD(four, d[0], MULTIPLY_ADD(minus_five, d[2], d[4]));
  o[1] = a + b;
  o[2] = a - b;
  o[3] = MULTIPLY_ADD(two, e, c);
  o[4] = MULTIPLY_ADD(minus_two, e, c);
  o[5] = MULTIPLY_ADD(four, d[1], MULTIPLY_ADD(minus_five, d[3], d[5]));
}

// o = Aᵀ m with stride 2: of the positions of the even samples, and on top those of the odd ones.
INLINE void output_halves(V *o, const V *m) {
  V s = m[1] + m[2], d = m[1] - m[2];
  o[0] = (m[0] + s) + (m[3] + m[5]);
  o[1] = MULTIPLY_ADD(SPLAT(2.0f), m[3], d + m[6]);
  o[2] = MULTIPLY_ADD(SPLAT(4.0f), m[3], s + m[7]);
  o[3] = MULTIPLY_ADD(SPLAT(8.0f), m[3], d + (m[4] + m[8]));
}

// o = Aᵀ m
INLINE void output_line(V *o, const V *m, const int tile, const int stride) {
  if (stride == 2) {
    output_halves(o, m);
    return;
  }
  if (tile == 2) {
    o[0] = (m[0] + m[1]) + m[2];
    o[1] = (m[1] - m[2]) - m[3];
    return;
  }
  V s = m[1] + m[2], d = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];
  o[0] = (m[0] + s) + s2;
  o[1] = MULTIPLY_ADD(SPLAT(2.0f), d2, d);
  o[2] = MULTIPLY_ADD(SPLAT(4.0f), s2, s);
  o[3] = MULTIPLY_ADD(SPLAT(8.0f), d2, d + m[5]);
}

// o = G g with stride 2: of the taps on even samples, then the tap between.
INLINE void weight_halves(V *o, const V *g) {
  o[0] = g[0] * 0.5f;
  o[1] = (g[0] + g[2]) * -0.5f;
  o[2] = (g[2] - g[0]) * (1.0f / 6);
  o[3] = (g[0] + g[2] * 2.0f) * (1.0f / 6);
  o[4] = g[2];
  o[5] = g[1];
}

// o = G g
INLINE void weight_line(V *o, const V *g, const int tile, const int stride) {
  if (stride == 2) {
    weight_halves(o, g);
    return;
  }
  if (tile == 2) {
    V s = (g[0] + g[2]) * 0.5f, half = g[1] * 0.5f;
    o[0] = g[0];
    o[1] = s + half;
    o[2] = s - half;
    o[3] = g[2];
    return;
  }
  V s = g[0] + g[2], t = g[0] + g[2] * 4.0f;
  o[0] = g[0] * 0.25f;
  o[1] = (s + g[1]) * (-1.0f / 6);
  o[2] = (s - g[1]) * (-1.0f / 6);
  o[3] = (t + g[1] * 2.0f) * (1.0f / 24);
  o[4] = (t - g[1] * 2.0f) * (1.0f / 24);
  o[5] = g[2];
}
