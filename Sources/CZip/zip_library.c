#include "zip_library.h"

#include <dlfcn.h>
#include <pthread.h>

// The types of the functions are those of the header, so that a mismatch does not compile.
static struct {
  __typeof__(&zip_open) open;
  __typeof__(&zip_discard) discard;
  __typeof__(&zip_error_init_with_code) error_init_with_code;
  __typeof__(&zip_error_strerror) error_strerror;
  __typeof__(&zip_error_fini) error_fini;
  __typeof__(&zip_strerror) strerror;
  __typeof__(&zip_get_num_entries) get_num_entries;
  __typeof__(&zip_stat_index) stat_index;
  __typeof__(&zip_fopen_index) fopen_index;
  __typeof__(&zip_fread) fread;
  __typeof__(&zip_file_get_error) file_get_error;
  __typeof__(&zip_fclose) fclose;
} library;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int is_open;

static void open_library(void) {
  void *file = dlopen("libzip.so.4", RTLD_NOW | RTLD_LOCAL);
  if (file == 0) file = dlopen("libzip.so.5", RTLD_NOW | RTLD_LOCAL);
  if (file == 0) return;
  *(void **)&library.open = dlsym(file, "zip_open");
  *(void **)&library.discard = dlsym(file, "zip_discard");
  *(void **)&library.error_init_with_code = dlsym(file, "zip_error_init_with_code");
  *(void **)&library.error_strerror = dlsym(file, "zip_error_strerror");
  *(void **)&library.error_fini = dlsym(file, "zip_error_fini");
  *(void **)&library.strerror = dlsym(file, "zip_strerror");
  *(void **)&library.get_num_entries = dlsym(file, "zip_get_num_entries");
  *(void **)&library.stat_index = dlsym(file, "zip_stat_index");
  *(void **)&library.fopen_index = dlsym(file, "zip_fopen_index");
  *(void **)&library.fread = dlsym(file, "zip_fread");
  *(void **)&library.file_get_error = dlsym(file, "zip_file_get_error");
  *(void **)&library.fclose = dlsym(file, "zip_fclose");
  is_open = library.open && library.discard && library.error_init_with_code &&
            library.error_strerror && library.error_fini && library.strerror &&
            library.get_num_entries && library.stat_index && library.fopen_index &&
            library.fread && library.file_get_error && library.fclose;
}

int apus_zip_library_open(void) {
  pthread_once(&once, open_library);
  return is_open;
}

zip_t *apus_zip_open(const char *path, int flags, int *code) {
  return library.open(path, flags, code);
}

void apus_zip_discard(zip_t *archive) { library.discard(archive); }

void apus_zip_error_init_with_code(zip_error_t *error, int code) {
  library.error_init_with_code(error, code);
}

const char *apus_zip_error_strerror(zip_error_t *error) { return library.error_strerror(error); }

void apus_zip_error_fini(zip_error_t *error) { library.error_fini(error); }

const char *apus_zip_strerror(zip_t *archive) { return library.strerror(archive); }

zip_int64_t apus_zip_get_num_entries(zip_t *archive, zip_flags_t flags) {
  return library.get_num_entries(archive, flags);
}

int apus_zip_stat_index(zip_t *archive, zip_uint64_t index, zip_flags_t flags, zip_stat_t *status) {
  return library.stat_index(archive, index, flags, status);
}

zip_file_t *apus_zip_fopen_index(zip_t *archive, zip_uint64_t index, zip_flags_t flags) {
  return library.fopen_index(archive, index, flags);
}

zip_int64_t apus_zip_fread(zip_file_t *file, void *target, zip_uint64_t count) {
  return library.fread(file, target, count);
}

zip_error_t *apus_zip_file_get_error(zip_file_t *file) { return library.file_get_error(file); }

int apus_zip_fclose(zip_file_t *file) { return library.fclose(file); }
