#include "jpeg_library.h"

#include <dlfcn.h>
#include <pthread.h>

// The types of the functions are those of the header, so that a mismatch does not compile.
static struct {
  __typeof__(&tjInitDecompress) init_decompress;
  __typeof__(&tjInitCompress) init_compress;
  __typeof__(&tjDestroy) destroy;
  __typeof__(&tjDecompressHeader3) decompress_header;
  __typeof__(&tjDecompress2) decompress;
  __typeof__(&tjCompress2) compress;
  __typeof__(&tjFree) free;
  __typeof__(&tjGetErrorStr2) error_text;
  __typeof__(&tjGetErrorCode) error_code;
} library;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int is_open;

static void open_library(void) {
  void *file = dlopen("libturbojpeg.so.0", RTLD_NOW | RTLD_LOCAL);
  if (file == 0) return;
  *(void **)&library.init_decompress = dlsym(file, "tjInitDecompress");
  *(void **)&library.init_compress = dlsym(file, "tjInitCompress");
  *(void **)&library.destroy = dlsym(file, "tjDestroy");
  *(void **)&library.decompress_header = dlsym(file, "tjDecompressHeader3");
  *(void **)&library.decompress = dlsym(file, "tjDecompress2");
  *(void **)&library.compress = dlsym(file, "tjCompress2");
  *(void **)&library.free = dlsym(file, "tjFree");
  *(void **)&library.error_text = dlsym(file, "tjGetErrorStr2");
  *(void **)&library.error_code = dlsym(file, "tjGetErrorCode");
  is_open = library.init_decompress && library.init_compress && library.destroy &&
            library.decompress_header && library.decompress && library.compress &&
            library.free && library.error_text && library.error_code;
}

int apus_jpeg_open(void) {
  pthread_once(&once, open_library);
  return is_open;
}

tjhandle apus_tjInitDecompress(void) { return library.init_decompress(); }

tjhandle apus_tjInitCompress(void) { return library.init_compress(); }

int apus_tjDestroy(tjhandle handle) { return library.destroy(handle); }

int apus_tjDecompressHeader3(tjhandle handle, const unsigned char *source, unsigned long size,
                             int *width, int *height, int *subsampling, int *color_space) {
  return library.decompress_header(handle, source, size, width, height, subsampling, color_space);
}

int apus_tjDecompress2(tjhandle handle, const unsigned char *source, unsigned long size,
                       unsigned char *target, int width, int pitch, int height, int format,
                       int flags) {
  return library.decompress(handle, source, size, target, width, pitch, height, format, flags);
}

int apus_tjCompress2(tjhandle handle, const unsigned char *source, int width, int pitch,
                     int height, int format, unsigned char **target, unsigned long *size,
                     int subsampling, int quality, int flags) {
  return library.compress(
      handle, source, width, pitch, height, format, target, size, subsampling, quality, flags);
}

void apus_tjFree(unsigned char *memory) { library.free(memory); }

char *apus_tjGetErrorStr2(tjhandle handle) { return library.error_text(handle); }

int apus_tjGetErrorCode(tjhandle handle) { return library.error_code(handle); }
