// The functions of one kernel: FUNCTION(name) gives their names. Included by the table and by
// every <isa>.c.
void FUNCTION(columns)(const struct apus_columns *);
void FUNCTION(rows)(const struct apus_rows *);
void FUNCTION(yuv_row)(
    const uint8_t *luma, const uint8_t *u, const uint8_t *v, ptrdiff_t chroma_step, size_t count,
    const apus_yuv_constants *constants, uint8_t *restrict red, uint8_t *restrict green,
    uint8_t *restrict blue);
void FUNCTION(gray_row)(
    const uint8_t *red, const uint8_t *green, const uint8_t *blue, ptrdiff_t step, size_t count,
    uint8_t *restrict target);
void FUNCTION(area_row)(
    const uint8_t *source, ptrdiff_t step, const int32_t *run_first, const int32_t *run_count,
    const float *weights, size_t count, float *restrict target);
void FUNCTION(accumulate_row)(const float *row, float weight, size_t count, float *restrict sum);
void FUNCTION(round_row)(const float *sum, size_t count, uint8_t *restrict target);
