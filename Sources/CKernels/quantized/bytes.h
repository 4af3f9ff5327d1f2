// Fewer than 16 bytes in and out of a vector, in at most four moves. For instruction sets without
// masks over bytes; included after B16.

// The pieces of `count` bytes: 8, 4, 2 and 1 where the bit of that size is set.
#define EACH_PIECE(count, move)                        \
  do {                                                 \
    size_t at = 0;                                     \
    if ((count) & 8) move(8), at += 8;                 \
    if ((count) & 4) move(4), at += 4;                 \
    if ((count) & 2) move(2), at += 2;                 \
    if ((count) & 1) move(1);                          \
  } while (0)

INLINE B16 load_some_bytes(const uint8_t *p, size_t count) {
  uint8_t part[16] = {0};
#define MOVE(size) __builtin_memcpy(part + at, p + at, size)
  EACH_PIECE(count, MOVE);
#undef MOVE
  B16 x;
  __builtin_memcpy(&x, part, sizeof x);
  return x;
}

INLINE void store_some_bytes(uint8_t *p, B16 x, size_t count) {
  uint8_t part[16];
  __builtin_memcpy(part, &x, sizeof x);
#define MOVE(size) __builtin_memcpy(p + at, part + at, size)
  EACH_PIECE(count, MOVE);
#undef MOVE
}
