// Bytes times gates: one text for every ISA. Included by <isa>.c, which defines
//   STEP                       the bytes of a step
//   FUNCTION                   the kernel's name
//   gate_step(x, a, s, y, n)   does n <= STEP elements with the arrays at a

// The arrays of channels of a call, one behind the other in its scratch memory.
struct gate_arrays {
  const int16_t *zero;    // of x
  const int16_t *factor;
  const int16_t *offset;  // of y
};

INLINE size_t channel(const struct apus_gate8_scale *s, size_t i) { return s->channels ? i : 0; }

// m of the header.
INLINE float gate_multiplier(const struct apus_gate8 *c, size_t i) {
  const float x = c->x_scale.scale[channel(&c->x_scale, i)];
  const float y = c->y_scale.scale[channel(&c->y_scale, i)];
  return c->gate[i] * (x * y);
}

// s of the header.
INLINE int gate_shift(const struct apus_gate8 *c) {
  float largest = 0.0f;
  for (size_t i = 0; i < c->count; i++) {
    const float m = __builtin_fabsf(gate_multiplier(c, i));
    largest = m > largest ? m : largest;
  }
  int shift = 0;
  while (shift < 7 && largest >= (float)(1 << shift)) shift++;
  return shift;
}

// f of the header.
INLINE int16_t gate_factor(float m, float power) {
  const float limit = 32767.0f, magic = 12582912.0f;  // 1.5 · 2^23 leaves no bits for a fraction
  float v = m * power;
  v = v == v ? v : 0.0f;
  v = v > -limit ? v : -limit;
  v = v < limit ? v : limit;
  return (int16_t)(int32_t)((v + magic) - magic);
}

INLINE struct gate_arrays fill_arrays(const struct apus_gate8 *c, int shift) {
  const size_t n = c->count, length = (n * c->repeat + 63) / 64 * 64;
  const float power = (float)(1 << (15 - shift));
  int16_t *zero = c->scratch, *factor = zero + length, *offset = factor + length;
  for (size_t i = 0; i < n; i++) {
    zero[i] = (int16_t)c->x_scale.zero[channel(&c->x_scale, i)];
    factor[i] = gate_factor(gate_multiplier(c, i), power);
    offset[i] = (int16_t)c->y_scale.zero[channel(&c->y_scale, i)];
  }
  for (size_t i = n; i < n * c->repeat; i++) {
    zero[i] = zero[i - n], factor[i] = factor[i - n], offset[i] = offset[i - n];
  }
  const struct gate_arrays arrays = {zero, factor, offset};
  return arrays;
}

INLINE void gate_row(
    const uint8_t *x, uint8_t *y, size_t count, const struct gate_arrays *all, int shift) {
  struct gate_arrays a = *all;
  size_t i = 0;
  for (; i + STEP <= count; i += STEP) {
    gate_step(x + i, &a, shift, y + i, STEP);
    a.zero += STEP, a.factor += STEP, a.offset += STEP;
  }
  if (i < count) gate_step(x + i, &a, shift, y + i, count - i);
}

void FUNCTION(const struct apus_gate8 *c) {
  if (c->count == 0) return;
  const int shift = gate_shift(c);
  const struct gate_arrays arrays = fill_arrays(c, shift);
  size_t row = 0;
  for (; row + c->repeat <= c->rows; row += c->repeat) {
    const ptrdiff_t r = (ptrdiff_t)row;
    gate_row(c->x + r * c->x_row, c->y + r * c->y_row, c->count * c->repeat, &arrays, shift);
  }
  for (; row < c->rows; row++) {
    const ptrdiff_t r = (ptrdiff_t)row;
    gate_row(c->x + r * c->x_row, c->y + r * c->y_row, c->count, &arrays, shift);
  }
}
