#include "font.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include <ft2build.h>
#include FT_FREETYPE_H

// The types of the functions are those of the header, so that a mismatch does not compile.
static struct {
  __typeof__(&FT_Init_FreeType) start;
  __typeof__(&FT_Done_FreeType) end;
  __typeof__(&FT_New_Face) open;
  __typeof__(&FT_Done_Face) close;
  __typeof__(&FT_Set_Pixel_Sizes) set_size;
  __typeof__(&FT_Load_Char) load;
} library;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int is_open;

static void open_library(void) {
  void *file = dlopen("libfreetype.so.6", RTLD_NOW | RTLD_LOCAL);
  if (file == 0) return;
  *(void **)&library.start = dlsym(file, "FT_Init_FreeType");
  *(void **)&library.end = dlsym(file, "FT_Done_FreeType");
  *(void **)&library.open = dlsym(file, "FT_New_Face");
  *(void **)&library.close = dlsym(file, "FT_Done_Face");
  *(void **)&library.set_size = dlsym(file, "FT_Set_Pixel_Sizes");
  *(void **)&library.load = dlsym(file, "FT_Load_Char");
  is_open = library.start && library.end && library.open && library.close && library.set_size &&
            library.load;
}

struct apus_font {
  FT_Library library;
  FT_Face face;
};

enum apus_font_failure apus_font_open(const char *path, apus_font **font) {
  *font = 0;
  pthread_once(&once, open_library);
  if (!is_open) return APUS_FONT_NO_LIBRARY;
  apus_font *made = calloc(1, sizeof *made);
  if (made == 0) return APUS_FONT_NO_MEMORY;
  enum apus_font_failure failure = APUS_FONT_OK;
  if (library.start(&made->library) != 0) {
    failure = APUS_FONT_NO_MEMORY;
  } else if (library.open(made->library, path, 0, &made->face) != 0) {
    failure = APUS_FONT_CORRUPT;
  }
  if (failure == APUS_FONT_OK) {
    *font = made;
  } else {
    apus_font_close(made);
  }
  return failure;
}

void apus_font_close(apus_font *font) {
  if (font->face) library.close(font->face);
  if (font->library) library.end(font->library);
  free(font);
}

int apus_font_set_size(apus_font *font, uint32_t size) {
  return library.set_size(font->face, 0, size) == 0;
}

int apus_font_draw(apus_font *font, uint32_t character, struct apus_glyph *glyph) {
  if (library.load(font->face, character, FT_LOAD_RENDER) != 0) return 0;
  const FT_GlyphSlot slot = font->face->glyph;
  const FT_Bitmap *bitmap = &slot->bitmap;
  *glyph = (struct apus_glyph){
      .left = slot->bitmap_left,
      .top = slot->bitmap_top,
      .advance = (int32_t)(slot->advance.x >> 6),
      .width = (int32_t)bitmap->width,
      .rows = (int32_t)bitmap->rows,
      .pitch = bitmap->pitch,
      .coverage = bitmap->pixel_mode == FT_PIXEL_MODE_GRAY ? bitmap->buffer : 0,
  };
  return 1;
}
