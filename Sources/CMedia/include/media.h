// The one door between the core and the media library (libApusMedia.so): a table of C functions.
// The core opens the library at first use and never links FFmpeg.
#ifndef APUS_MEDIA_H
#define APUS_MEDIA_H
#endif
