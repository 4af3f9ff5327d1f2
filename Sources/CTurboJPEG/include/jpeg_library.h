// libturbojpeg, opened at first use: what is linked with this code runs without it too, as far as
// it reads and writes no JPEG. Types and constants are the library's own.
#ifndef APUS_JPEG_LIBRARY_H
#define APUS_JPEG_LIBRARY_H

#include <turbojpeg.h>

// Opens the library. 0 where there is none, or an older one; then nothing below may be called.
int apus_jpeg_open(void);

// The library's functions of the same names.
tjhandle apus_tjInitDecompress(void);
tjhandle apus_tjInitCompress(void);
int apus_tjDestroy(tjhandle handle);
int apus_tjDecompressHeader3(tjhandle handle, const unsigned char *source, unsigned long size,
                             int *width, int *height, int *subsampling, int *color_space);
int apus_tjDecompress2(tjhandle handle, const unsigned char *source, unsigned long size,
                       unsigned char *target, int width, int pitch, int height, int format,
                       int flags);
int apus_tjCompress2(tjhandle handle, const unsigned char *source, int width, int pitch,
                     int height, int format, unsigned char **target, unsigned long *size,
                     int subsampling, int quality, int flags);
void apus_tjFree(unsigned char *memory);
char *apus_tjGetErrorStr2(tjhandle handle);
int apus_tjGetErrorCode(tjhandle handle);

#endif
