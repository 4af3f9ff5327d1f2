#define _GNU_SOURCE
#include "media.h"

#include <dlfcn.h>

_Static_assert(sizeof(void *) == 8, "the media table is laid out for 64-bit processors");

const char *apus_media_caller_file(void) {
  Dl_info info;
  // The address of anything in this object will do.
  return dladdr((const void *)apus_media_caller_file, &info) != 0 ? info.dli_fname : 0;
}
