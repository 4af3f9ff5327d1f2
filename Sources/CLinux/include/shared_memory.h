// Memory that is a nameless file: it can be handed to other processes, and it is gone with the
// last of them, however that one ends.
#ifndef APUS_SHARED_MEMORY_H
#define APUS_SHARED_MEMORY_H

#include <stdint.h>

// Makes a file of `byte_count` bytes, all zero and none of them in memory yet, whose size can never
// change again. Returns its descriptor, or -1 with errno set. `name` shows up in /proc only.
int cl_memory_file(const char *name, int64_t byte_count);
// Puts memory behind a range now, so that touching it later cannot fail. Returns 0 or an errno.
int cl_memory_commit(int descriptor, int64_t offset, int64_t byte_count);
// Gives the memory behind a range back; the range reads as zeros afterwards. Returns 0 or an errno.
int cl_memory_release(int descriptor, int64_t offset, int64_t byte_count);

#endif
