// libzip, opened at first use: a program that reads no .npz file starts without it and without the
// cryptography that it brings. Types and constants are the library's own.
#ifndef APUS_ZIP_LIBRARY_H
#define APUS_ZIP_LIBRARY_H

#include <zip.h>

// Opens the library. 0 where there is none; then nothing below may be called.
int apus_zip_library_open(void);

// The library's functions of the same names.
zip_t *apus_zip_open(const char *path, int flags, int *code);
void apus_zip_discard(zip_t *archive);
void apus_zip_error_init_with_code(zip_error_t *error, int code);
const char *apus_zip_error_strerror(zip_error_t *error);
void apus_zip_error_fini(zip_error_t *error);
const char *apus_zip_strerror(zip_t *archive);
zip_int64_t apus_zip_get_num_entries(zip_t *archive, zip_flags_t flags);
int apus_zip_stat_index(zip_t *archive, zip_uint64_t index, zip_flags_t flags, zip_stat_t *status);
zip_file_t *apus_zip_fopen_index(zip_t *archive, zip_uint64_t index, zip_flags_t flags);
zip_int64_t apus_zip_fread(zip_file_t *file, void *target, zip_uint64_t count);
zip_error_t *apus_zip_file_get_error(zip_file_t *file);
int apus_zip_fclose(zip_file_t *file);

#endif
