// What labels need of FreeType, which is opened at first use: what is linked with this code runs
// without it too, as far as it draws no labels.
#ifndef APUS_FONT_H
#define APUS_FONT_H

#include <stdint.h>

typedef struct apus_font apus_font;

enum apus_font_failure {
  APUS_FONT_OK = 0,
  APUS_FONT_NO_LIBRARY = 1,
  APUS_FONT_NO_MEMORY = 2,
  APUS_FONT_CORRUPT = 3,
};

// The picture of a character, valid until the next call with the font.
struct apus_glyph {
  int32_t left;  // pixels from the pen
  int32_t top;   // pixels from the line up to the first row
  int32_t advance;
  int32_t width;
  int32_t rows;
  int32_t pitch;  // bytes from row to row
  // 0 … 255 for each pixel; null where there is nothing to see.
  const uint8_t *coverage;
};

// Opens a font file. The font belongs to one thread at a time.
enum apus_font_failure apus_font_open(const char *path, apus_font **font);
void apus_font_close(apus_font *font);

// Sets the size in pixels; 0 where the font has no such size.
int apus_font_set_size(apus_font *font, uint32_t size);

// Draws a Unicode character; 0 where the font cannot.
int apus_font_draw(apus_font *font, uint32_t character, struct apus_glyph *glyph);

#endif
