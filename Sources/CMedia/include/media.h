// The one door between the core and the media library (libApusMedia.so): a table of C functions.
// The core opens the library at first use and never links FFmpeg.
//
// Rules: every function returns an apus_media_status and fills *error when it fails (error may not
// be null). Strings are UTF-8 and end with 0. Handles belong to one thread at a time. Nothing here
// prints. A frame that was handed out stays valid until apus_media_table.release_frame, even after
// its decoder is closed. Functions that the caller gives may be called on threads of the library.
#ifndef APUS_MEDIA_H
#define APUS_MEDIA_H

#include <stdint.h>

// Rises with every incompatible change of this header; both sides compare it.
#define APUS_MEDIA_VERSION 2

enum apus_media_status {
  APUS_MEDIA_OK = 0,
  APUS_MEDIA_END = 1,           // no more frames
  APUS_MEDIA_NOT_FOUND = 2,     // no such file
  APUS_MEDIA_UNREADABLE = 3,    // the file or device cannot be read
  APUS_MEDIA_CORRUPT = 4,       // the contents are damaged or cut off
  APUS_MEDIA_UNSUPPORTED = 5,   // a container, codec or format that is not built in
  APUS_MEDIA_LIMIT = 6,         // larger than the limits given
  APUS_MEDIA_NOT_WRITABLE = 7,  // the output cannot be written
  APUS_MEDIA_DISK_FULL = 8,     // no space left
  APUS_MEDIA_NO_MEMORY = 9,     // memory ran out
  APUS_MEDIA_USAGE = 10,        // a call that does not fit the handle's state
  APUS_MEDIA_INTERNAL = 11,     // anything else
  APUS_MEDIA_TIMED_OUT = 12,    // nothing came within the time given
  APUS_MEDIA_INTERRUPTED = 13,  // the caller's is_interrupted said so
  APUS_MEDIA_CONNECTION = 14,   // an address that refuses, is unreachable, or went away
  APUS_MEDIA_NO_HANDLES = 15,   // this process or machine has no file handle left
};

// What went wrong. `code` is an apus_media_status.
typedef struct {
  int32_t code;
  char message[500];
} apus_media_error;

// Pixel formats; the numbers are those of Swift's PixelFormat.
enum apus_media_format {
  APUS_MEDIA_RGB24 = 1,
  APUS_MEDIA_BGR24 = 2,
  APUS_MEDIA_GRAY8 = 3,
  APUS_MEDIA_NV12 = 4,
  APUS_MEDIA_NV21 = 5,
  APUS_MEDIA_I420 = 6,
  APUS_MEDIA_RGBA = 7,
};

// The colour matrix of a YUV frame; 0: untagged.
enum apus_media_matrix {
  APUS_MEDIA_MATRIX_UNTAGGED = 0,
  APUS_MEDIA_MATRIX_BT601 = 1,
  APUS_MEDIA_MATRIX_BT709 = 2,
  APUS_MEDIA_MATRIX_BT2020 = 3,
};

// The sample range of a YUV frame; 0: untagged.
enum apus_media_range {
  APUS_MEDIA_RANGE_UNTAGGED = 0,
  APUS_MEDIA_RANGE_LIMITED = 1,
  APUS_MEDIA_RANGE_FULL = 2,
};

// One picture. `owner` is released by release_frame and means nothing to the caller.
typedef struct {
  int32_t format;
  int32_t width;
  int32_t height;
  int32_t matrix;
  int32_t range;
  int32_t has_time;  // 1: time_us is set
  int64_t time_us;   // presentation time from the start of the stream, microseconds
  const uint8_t *planes[3];
  int64_t strides[3];  // bytes from row to row; never negative
  void *owner;
} apus_media_frame;

// Where frames lie. All functions may be called on any thread, at any time until the last slot has
// been given back; nulls take the library's own memory.
typedef struct {
  void *context;
  // Returns byte_count bytes aligned to 64 and sets *slot; fills *error and returns null where
  // there is no room. Called only while the decoder lives.
  uint8_t *(*take)(void *context, int64_t byte_count, void **slot, apus_media_error *error);
  void (*give_back)(void *slot);
} apus_media_memory;

// What a decoder may do. Zeros take the defaults.
typedef struct {
  int32_t threads;          // decoding threads, default 1
  int32_t maximum_side;     // pixels, default 16384
  int64_t maximum_pixels;   // width * height, default 2^27
  int64_t open_timeout_us;  // the longest wait for opening an address; 0: endless
  int64_t read_timeout_us;  // the longest wait for the next packet of video; 0: endless
  int32_t rtsp_over_udp;    // 1: UDP instead of TCP
  int32_t padding;
  // Asked while the decoder waits; anything but 0 ends the wait. Null: never. `interruption` is
  // its argument and outlives the decoder.
  int32_t (*is_interrupted)(void *interruption);
  void *interruption;
  apus_media_memory memory;
} apus_media_limits;

// What is known of a stream after opening.
typedef struct {
  int32_t width;
  int32_t height;
  int32_t rate_numerator;    // frames per second; 0: unknown
  int32_t rate_denominator;
  int32_t rotation;          // clockwise degrees to turn the frames for display: 0, 90, 180, 270
  int32_t is_live;           // 1: an address without a known end
  int64_t frame_count;       // as the container says; 0: unknown
  int64_t duration_us;       // as the container says; 0: unknown
  char codec[32];
  char container[64];
} apus_media_info;

// What a decoder has met so far.
typedef struct {
  int64_t frames;   // handed out
  int64_t errors;   // packets that could not be decoded
  int64_t damaged;  // frames that the decoder patched up
  int64_t unpooled; // buffers that had to lie outside the memory given
  char first_error[200];
} apus_media_statistics;

// What an encoder makes: H.264 in MP4, yuv420p. Odd sides are padded by repeating the last row or
// column. Frames must be I420 of this size.
typedef struct {
  int32_t width;
  int32_t height;
  int32_t rate_numerator;    // frames per second
  int32_t rate_denominator;
  int32_t quality;           // constant rate factor 0...51, default 23 where negative
  int32_t threads;           // default 1
  int32_t matrix;
  int32_t range;
} apus_media_encoding;

// The table of functions.
typedef struct {
  uint32_t version;    // APUS_MEDIA_VERSION
  uint32_t byte_count; // sizeof(apus_media_table)

  // Writes the versions of the libraries behind this one, e.g. "libavcodec 59.37.100, …".
  void (*describe)(char *text, int64_t capacity);

  // Opens a file (a path) or, where it holds "://", an address. Sets *decoder. What `limits` points
  // to is copied.
  int32_t (*open)(const char *url, const apus_media_limits *limits, void **decoder,
                  apus_media_info *info, apus_media_error *error);
  // Decodes the next frame into *frame; APUS_MEDIA_END after the last.
  int32_t (*next)(void *decoder, apus_media_frame *frame, apus_media_error *error);
  // Goes back to before the first frame.
  int32_t (*rewind)(void *decoder, apus_media_error *error);
  void (*statistics)(void *decoder, apus_media_statistics *statistics);
  void (*close)(void *decoder);
  void (*release_frame)(apus_media_frame *frame);

  // Decodes one picture (PNG, WebP, BMP, …) from memory.
  int32_t (*decode_image)(const uint8_t *bytes, int64_t count, const apus_media_limits *limits,
                          apus_media_frame *frame, apus_media_error *error);

  // Begins an MP4 file at `path`, which is created or replaced. Sets *encoder.
  int32_t (*create)(const char *path, const apus_media_encoding *encoding, void **encoder,
                    apus_media_error *error);
  int32_t (*write)(void *encoder, const apus_media_frame *frame, apus_media_error *error);
  // Writes what is left and closes the file; the handle stays valid until destroy.
  int32_t (*finish)(void *encoder, apus_media_error *error);
  // Frees the encoder; an unfinished file is left as it is.
  void (*destroy)(void *encoder);
} apus_media_table;

// The name of the one function that the library exports:
// const apus_media_table *apus_media_api(uint32_t version);
// Returns null where it does not speak this version.
#define APUS_MEDIA_SYMBOL "apus_media_api"
typedef const apus_media_table *(*apus_media_api_function)(uint32_t version);

// The file of the program or library that this function was linked into; null where it is unknown.
const char *apus_media_caller_file(void);

#endif
