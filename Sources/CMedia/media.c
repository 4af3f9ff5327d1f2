#include "media.h"

_Static_assert(sizeof(void *) == 8, "the media table is laid out for 64-bit processors");
