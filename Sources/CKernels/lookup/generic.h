// Look-ups that no vector instruction helps with: a table per position, and tables of floats.
// Included by every file of the family.

static void look_up_each(const struct apus_look_up *c) {
  for (size_t r = 0; r < c->rows; r++) {
    const uint8_t *x = c->x + (ptrdiff_t)r * c->x_row;
    if (c->is_float) {
      const float *table = (const float *)c->table;
      float *y = (float *)c->y + (ptrdiff_t)r * c->y_row;
      for (size_t i = 0; i < c->count; i++) y[i] = table[i * c->table_step + x[i]];
    } else {
      const uint8_t *table = (const uint8_t *)c->table;
      uint8_t *y = (uint8_t *)c->y + (ptrdiff_t)r * c->y_row;
      for (size_t i = 0; i < c->count; i++) y[i] = table[i * c->table_step + x[i]];
    }
  }
}
