#include "shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int cl_memory_file(const char *name, int64_t byte_count) {
  int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -1;
  if (ftruncate(descriptor, byte_count) == 0 &&
      fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
    return descriptor;
  }
  int fault = errno;
  close(descriptor);
  errno = fault;
  return -1;
}

static int allocate(int descriptor, int mode, int64_t offset, int64_t byte_count) {
  while (fallocate(descriptor, mode, offset, byte_count) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

int cl_memory_commit(int descriptor, int64_t offset, int64_t byte_count) {
  return allocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, byte_count);
}

int cl_memory_release(int descriptor, int64_t offset, int64_t byte_count) {
  return allocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, byte_count);
}
