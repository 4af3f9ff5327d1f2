/*
 * Apus: trained neural networks on the computer at the edge. The C interface.
 *
 * Two libraries have this interface: libapus.so compiles and runs, libapus-runtime.so only runs
 * .apus files. In the latter, opening an ONNX model and apus_compile answer APUS_UNAVAILABLE.
 *
 * Errors. Every function that can fail returns an apus_status; APUS_OK is 0. The sentence that
 * belongs to the last failure on this thread is apus_last_message(). A function that fails changes
 * nothing and writes no result, unless its comment says otherwise.
 *
 * Handles. Models, sessions, values, preprocessors and detectors are 64-bit numbers, never
 * pointers. 0 is never a handle. A handle that was released, that belongs to another kind of
 * object, or that never existed is answered with APUS_INVALID_HANDLE by every function.
 *
 * Threads. Every function may be called from any thread. A session works for one thread at a time:
 * a second one gets APUS_BUSY and changes nothing; apus_session_cancel is the exception. Handles
 * made before a fork work in the child too.
 *
 * Memory. Whatever a function takes is read during the call only and stays the caller's, but for
 * memory given to apus_session_bind_input and apus_session_bind_output. Whatever a function hands
 * out as a pointer belongs to Apus; the comment says how long it is valid.
 *
 * Units. Sizes are bytes where the name says size, elements where it says count, pixels for
 * pictures and boxes.
 */
#ifndef APUS_H
#define APUS_H

#include <stddef.h>
#include <stdint.h>

#define APUS_VERSION_MAJOR 0
#define APUS_VERSION_MINOR 1
#define APUS_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/* What a call answers. More may come; treat unknown values as failures. */
typedef enum apus_status {
  APUS_OK = 0,
  /* A null pointer, an index out of range, a text that is not understood. */
  APUS_INVALID_ARGUMENT = 1,
  /* The handle was released, is of another kind, or never existed. */
  APUS_INVALID_HANDLE = 2,
  /* Another thread is using the object. */
  APUS_BUSY = 3,
  /* There is no such file, or it cannot be read. */
  APUS_UNREADABLE = 4,
  /* The bytes are no model: something else, cut off, damaged, or over a limit. */
  APUS_MALFORMED = 5,
  /* The model uses something that is not supported; the message names all of it. */
  APUS_UNSUPPORTED = 6,
  /* The model contradicts itself or an operator's definition. */
  APUS_INVALID_MODEL = 7,
  /* The model leaves shapes open that must be given, or a given one does not fit. */
  APUS_SHAPES = 8,
  /* A tensor has another element type, shape or size than is wanted. */
  APUS_WRONG_TENSOR = 9,
  /* The model holds no program for this precision or these shapes. */
  APUS_NO_SUCH_PROGRAM = 10,
  /* The memory cannot be used without a copy. */
  APUS_CANNOT_BIND = 11,
  /* The data made the computation impossible, such as an index out of range. */
  APUS_FAULT = 12,
  APUS_OUT_OF_MEMORY = 13,
  APUS_OUT_OF_THREADS = 14,
  APUS_CANCELLED = 15,
  /* The file cannot be written there. */
  APUS_NOT_WRITABLE = 16,
  APUS_DISK_FULL = 17,
  /* This machine or this library cannot do it. */
  APUS_UNAVAILABLE = 18,
  /* Apus contradicts itself; please report it. */
  APUS_INTERNAL = 19
} apus_status;

/* The type of one element. The numbers are ONNX's TensorProto.DataType. Types smaller than a byte
 * are packed, the first element in the low bits. */
typedef enum apus_type {
  APUS_TYPE_NONE = 0,
  APUS_FLOAT32 = 1,
  APUS_UINT8 = 2,
  APUS_INT8 = 3,
  APUS_UINT16 = 4,
  APUS_INT16 = 5,
  APUS_INT32 = 6,
  APUS_INT64 = 7,
  APUS_STRING = 8,
  APUS_BOOL = 9,
  APUS_FLOAT16 = 10,
  APUS_FLOAT64 = 11,
  APUS_UINT32 = 12,
  APUS_UINT64 = 13,
  APUS_COMPLEX64 = 14,
  APUS_COMPLEX128 = 15,
  APUS_BFLOAT16 = 16,
  APUS_FLOAT8E4M3FN = 17,
  APUS_FLOAT8E4M3FNUZ = 18,
  APUS_FLOAT8E5M2 = 19,
  APUS_FLOAT8E5M2FNUZ = 20,
  APUS_UINT4 = 21,
  APUS_INT4 = 22,
  APUS_FLOAT4E2M1 = 23,
  APUS_FLOAT8E8M0 = 24,
  APUS_UINT2 = 25,
  APUS_INT2 = 26
} apus_type;

/* What an input, an output or a value is. */
typedef enum apus_kind {
  APUS_TENSOR = 0,
  /* A list of tensors (or of optionals). */
  APUS_SEQUENCE = 1,
  /* Of an input or output: may be absent. Of a value: absent. */
  APUS_OPTIONAL = 2
} apus_kind;

typedef uint64_t apus_model;
typedef uint64_t apus_session;
typedef uint64_t apus_value;
typedef uint64_t apus_preprocessor;
typedef uint64_t apus_detector;

/* No tensor that passes through this interface has more axes. */
#define APUS_MAX_RANK 16
/* Memory that is bound must begin at a multiple of this many bytes, … */
#define APUS_ALIGNMENT 64
/* … and this many bytes behind the tensor's last one must be readable. */
#define APUS_SLACK 64

/* A dense tensor in memory: row-major, little-endian. */
typedef struct apus_tensor {
  apus_type type;
  int32_t rank;
  int64_t dims[APUS_MAX_RANK];
  void *data;
  /* The bytes at data. At least those of the tensor; for binding, APUS_SLACK more. */
  size_t size;
} apus_tensor;

/* What a model or a session says about one input or output. Pointers are valid as long as the
 * handle that it was asked of. */
typedef struct apus_tensor_info {
  const char *name;
  apus_kind kind;
  /* Of the elements; APUS_TYPE_NONE where the model leaves it open. */
  apus_type type;
  /* -1 where not even the rank is known. */
  int32_t rank;
  /* -1 where the extent is open. */
  int64_t dims[APUS_MAX_RANK];
  /* The model's name for an open extent; NULL where it is known or has none. */
  const char *symbols[APUS_MAX_RANK];
  /* How 8-bit elements stand for real numbers: real = scale * (element - zero point). No scale: the
   * elements are the numbers; one: for all; more: one per position of scale_axis. */
  size_t scale_count;
  int32_t scale_axis;
  const float *scales;
  const int32_t *zero_points;
} apus_tensor_info;

/* What a model says about one of its programs: known before anything is allocated. */
typedef struct apus_program_info {
  /* "fp32", "bf16", "int8"; valid as long as the model. */
  const char *precision;
  /* Bytes of weights that the program reads, shared by all sessions and processes. */
  int64_t weight_size;
  /* Bytes of intermediate results, inputs and outputs of one session. */
  int64_t arena_size;
  /* Of these: inputs and outputs. */
  int64_t io_size;
  /* Operations (2 per multiply-add) of one run. */
  int64_t operation_count;
} apus_program_info;

/* The memory of a session, in bytes, and its threads. The sizes are 0 for a session that runs in
 * stages, whose programs come and go with the shapes that it is given. */
typedef struct apus_session_info {
  int64_t weight_size;
  int64_t arena_size;
  int64_t scratch_size;
  int64_t io_size;
  int32_t thread_count;
} apus_session_info;

/* How many objects of each kind are live in this process. */
typedef struct apus_live_counts {
  size_t models;
  size_t sessions;
  size_t values;
  size_t preprocessors;
  size_t detectors;
} apus_live_counts;

/* ---- The library ------------------------------------------------------------------------- */

/* The version of the library, "0.1.0". Static. */
const char *apus_version(void);

/* 1 if this library compiles ONNX models, 0 if it only runs .apus files. */
int32_t apus_can_compile(void);

/* The sentence of the last failure on this thread: what failed, with which numbers, and what to do.
 * "" before the first. Valid until the next call into Apus on this thread. */
const char *apus_last_message(void);

/* The name of a status, "APUS_BUSY"; static. "APUS_?" for an unknown one. */
const char *apus_status_name(apus_status status);

/* The bits of one element; 0 for APUS_STRING and unknown types. */
int32_t apus_type_bits(apus_type type);

/* The live objects of this process, of whatever thread. After a program has released what it
 * opened, all are 0. */
apus_status apus_count_live(apus_live_counts *counts);

/* Allocates memory that can be bound: aligned, zero, with the slack behind size bytes.
 * NULL where there is none. Free it with apus_free. */
void *apus_allocate(size_t size);

/* Frees what apus_allocate gave; NULL is allowed. Not while it is bound. */
void apus_free(void *memory);

/* ---- Models ------------------------------------------------------------------------------ */

/* Opens a model file: .apus by mapping it, anything else as an ONNX model. External data of an ONNX
 * model is read from the model's own folder only. Release with apus_model_release. */
apus_status apus_model_open(const char *path, apus_model *model);

/* Opens a model in memory, which is copied. folder: where external data of an ONNX model lies; NULL
 * refuses such data. */
apus_status apus_model_open_memory(
    const void *bytes, size_t size, const char *folder, apus_model *model);

/* Releases a model. Sessions made of it stay usable. */
apus_status apus_model_release(apus_model model);

apus_status apus_model_input_count(apus_model model, size_t *count);
apus_status apus_model_output_count(apus_model model, size_t *count);

/* What the model says about an input or output. info_size is sizeof(apus_tensor_info): a later
 * library with more fields fills as many as the caller knows. Of a .apus file: the first program's.
 */
apus_status apus_model_input(
    apus_model model, size_t index, apus_tensor_info *info, size_t info_size);
apus_status apus_model_output(
    apus_model model, size_t index, apus_tensor_info *info, size_t info_size);

/* The programs of a model: one per precision and set of shapes. An ONNX model has none. */
apus_status apus_model_program_count(apus_model model, size_t *count);
apus_status apus_model_program(
    apus_model model, size_t index, apus_program_info *info, size_t info_size);

/* What one program says about an input. */
apus_status apus_model_program_input(
    apus_model model, size_t program, size_t index, apus_tensor_info *info, size_t info_size);

/* How pictures become an input, as text for apus_preprocessor_open; NULL where the model does not
 * say. Valid as long as the model. */
apus_status apus_model_preprocessing(apus_model model, size_t input, const char **text);

/* How outputs become objects, as text for apus_detector_open; NULL where the model does not say.
 * Valid as long as the model. */
apus_status apus_model_postprocessing(apus_model model, const char **text);

/* Where the model comes from and whether it was proved, as lines of text; valid as long as the
 * model. */
apus_status apus_model_description(apus_model model, const char **text);

/* Writes what apus_compile made to a file, which appears complete or not at all. */
apus_status apus_model_write(apus_model model, const char *path);

/* ---- Compiling --------------------------------------------------------------------------- */

/* Says how far compiling is: the phase ("optimising", "calibrating" …), valid during the call, and
 * done of total steps of it. Called on the thread that compiles. Returns 0 to go on; anything else
 * ends the compilation with APUS_CANCELLED. */
typedef int32_t (*apus_progress)(void *context, const char *phase, int64_t done, int64_t total);

/* How to compile. Set it to zeros, then set size and what differs. */
typedef struct apus_compile_options {
  /* sizeof(apus_compile_options) */
  size_t size;
  /* "fp32", "bf16", "int8"; NULL: int8 for a model with scales of its own, else fp32. */
  const char *precision;
  /* Sets of input shapes, each "NAME=1x3x640x640,NAME=…"; one program is made for each. */
  const char *const *shapes;
  size_t shape_count;
  /* "[NAME:]KEY=VALUE,…" as after --preprocess on the command line, one per input. */
  const char *const *preprocess;
  size_t preprocess_count;
  /* "KIT[:KEY=VALUE,…]" as after --postprocess; NULL: none. */
  const char *postprocess;
  /* For int8: samples to calibrate on, sample after sample, each a tensor per input in the model's
   * order and in the shapes of the first set. */
  const apus_tensor *samples;
  size_t sample_count;
  /* For int8, instead of samples: the text of a table of ranges. */
  const char *ranges;
  /* "auto" (NULL), "minmax", "kl", "percentile", "mse". */
  const char *calibration_method;
  /* 1: zero point 128 for every activation. */
  int32_t symmetric;
  /* 1: no proof is made, and the model is marked unproven. */
  int32_t skip_proof;
  /* The threads of proofs; 0: what the process may use. */
  int32_t threads;
  apus_progress progress;
  void *progress_context;
} apus_compile_options;

/* Compiles a model that was opened from ONNX into one that apus_model_write can write and that
 * sessions can be made of. options: NULL for defaults. A proof that fails does not fail the call:
 * apus_model_description says so. Release the result with apus_model_release. */
apus_status apus_compile(
    apus_model source, const apus_compile_options *options, apus_model *compiled);

/* ---- Sessions ---------------------------------------------------------------------------- */

/* How a session runs. Set it to zeros, then set size and what differs. */
typedef struct apus_session_options {
  /* sizeof(apus_session_options) */
  size_t size;
  /* Which program; of an ONNX model, what it is compiled to. NULL: the first, the model's own. */
  const char *precision;
  /* Which program by input shapes, "NAME=1x3x640x640,…"; of an ONNX model, the shapes that open
   * extents have. NULL: the first; of an ONNX model, those of the tensors that are set. Where an
   * ONNX model's shapes are known, given, and depend on no data, the session is that of one program
   * with memory of its own; otherwise it runs in stages, on tensors of any shapes that fit. */
  const char *shapes;
  /* Only kernels of this instruction set and those it contains: "portable", "avx2" … NULL: all that
   * the machine has. */
  const char *isa;
  /* The threads of a run, the caller's own among them; 0: what the process may use. */
  int32_t threads;
} apus_session_options;

/* Makes a session: one running instance with memory of its own, sharing the model's weights.
 * options: NULL for defaults. Release with apus_session_release. */
apus_status apus_session_open(
    apus_model model, const apus_session_options *options, apus_session *session);

/* Releases a session and its memory; pointers into it become invalid. */
apus_status apus_session_release(apus_session session);

apus_status apus_session_input_count(apus_session session, size_t *count);
apus_status apus_session_output_count(apus_session session, size_t *count);
apus_status apus_session_input(
    apus_session session, size_t index, apus_tensor_info *info, size_t info_size);
apus_status apus_session_output(
    apus_session session, size_t index, apus_tensor_info *info, size_t info_size);
apus_status apus_session_describe(
    apus_session session, apus_session_info *info, size_t info_size);

/* Copies a tensor into an input. */
apus_status apus_session_set_input(apus_session session, size_t index, const apus_tensor *tensor);

/* Gives an input a value, which is kept without a copy where the session can. */
apus_status apus_session_set_value(apus_session session, size_t index, apus_value value);

/* The session's own memory of an input, to be filled in place: no copy. Valid until the session is
 * released. APUS_CANNOT_BIND where the session has no fixed memory, as those of ONNX models with
 * open shapes. */
apus_status apus_session_input_memory(apus_session session, size_t index, apus_tensor *tensor);

/* Makes runs read an input from the caller's memory: no copy. It must be aligned to APUS_ALIGNMENT,
 * dense, have APUS_SLACK readable bytes behind the tensor, and stay valid until the input is set or
 * bound anew or the session is released. tensor: NULL ends it. Memory that cannot be bound is
 * answered with APUS_CANNOT_BIND and never copied instead. */
apus_status apus_session_bind_input(apus_session session, size_t index, const apus_tensor *tensor);

/* Makes runs write an output to the caller's memory, under the same rules. */
apus_status apus_session_bind_output(
    apus_session session, size_t index, const apus_tensor *tensor);

/* Runs. The outputs hold the results afterwards. */
apus_status apus_session_run(apus_session session);

/* Ends the run that another thread is doing, which answers APUS_CANCELLED; without one, does
 * nothing. */
apus_status apus_session_cancel(apus_session session);

/* An output after a run, where it lies: no copy. Of a tensor only. Valid until the next run, bind
 * or release of this session; to be read only. */
apus_status apus_session_output_view(apus_session session, size_t index, apus_tensor *tensor);

/* Copies an output after a run into size bytes at data, which must be exactly as many. */
apus_status apus_session_copy_output(
    apus_session session, size_t index, void *data, size_t size);

/* An output after a run as a value of its own, valid whatever becomes of the session: a copy where
 * the session reuses its memory. Release with apus_value_release. */
apus_status apus_session_output_value(apus_session session, size_t index, apus_value *value);

/* ---- Values: tensors, sequences, optionals ----------------------------------------------- */

/* Makes a value of a copy of a tensor. */
apus_status apus_value_tensor(const apus_tensor *tensor, apus_value *value);

/* Makes a sequence of values, which it keeps alive; their handles stay the caller's. */
apus_status apus_value_sequence(const apus_value *elements, size_t count, apus_value *value);

/* Makes an absent optional. */
apus_status apus_value_absent(apus_value *value);

apus_status apus_value_release(apus_value value);
/* APUS_TENSOR, APUS_SEQUENCE, or APUS_OPTIONAL for an absent one. */
apus_status apus_value_kind(apus_value value, apus_kind *kind);

/* The contents of a tensor: no copy; read only; valid until the value is released. */
apus_status apus_value_view(apus_value value, apus_tensor *tensor);

/* The elements of a sequence. */
apus_status apus_value_count(apus_value value, size_t *count);

/* An element of a sequence as a value of its own. Release with apus_value_release. */
apus_status apus_value_element(apus_value value, size_t index, apus_value *element);

/* ---- Pictures ---------------------------------------------------------------------------- */

/* How the samples of a picture lie in memory. */
typedef enum apus_pixel_format {
  APUS_RGB24 = 1,
  APUS_BGR24 = 2,
  APUS_GRAY8 = 3,
  APUS_NV12 = 4,
  APUS_NV21 = 5,
  APUS_I420 = 6,
  APUS_RGBA = 7,
  APUS_RGB_PLANAR = 8,
  APUS_BGR_PLANAR = 9
} apus_pixel_format;

/* A picture in memory. */
typedef struct apus_picture {
  apus_pixel_format format;
  int32_t width;
  int32_t height;
  /* One for packed formats, two for NV12 and NV21, three for planar ones. */
  const uint8_t *planes[3];
  /* Bytes from row to row. */
  int64_t strides[3];
} apus_picture;

/* Where a source picture lies in a model's input: input = source * resized / source size + offset,
 * in pixels, measured at pixel edges. Made by apus_preprocessor_run, read by apus_detector_run. */
typedef struct apus_mapping {
  int32_t source_width, source_height;
  int32_t resized_width, resized_height;
  int32_t input_width, input_height;
  int32_t left, top;
} apus_mapping;

/* Makes what turns pictures into an input of this type and shape. text: as after --preprocess, or
 * what apus_model_preprocessing gave. Of info, type, rank and dims are read. */
apus_status apus_preprocessor_open(
    const char *text, const apus_tensor_info *info, apus_preprocessor *preprocessor);

apus_status apus_preprocessor_release(apus_preprocessor preprocessor);
/* The shape of the input for this many pictures, and its bytes; data is set to NULL. */
apus_status apus_preprocessor_target(
    apus_preprocessor preprocessor, size_t picture_count, apus_tensor *tensor);

/* Writes a picture as sample number sample of the batch in target: no intermediate copy. mapping:
 * NULL if nobody wants it. */
apus_status apus_preprocessor_run(
    apus_preprocessor preprocessor, const apus_picture *picture, const apus_tensor *target,
    size_t sample, apus_mapping *mapping);

/* An object that a model found, or a class that it gave to the whole picture. */
typedef struct apus_object {
  int32_t class_index;
  float score;
  /* In pixels of the source picture. */
  float x1, y1, x2, y2;
} apus_object;

/* Makes what turns outputs into objects. text: as after --postprocess, or what
 * apus_model_postprocessing gave. */
apus_status apus_detector_open(const char *text, apus_detector *detector);

apus_status apus_detector_release(apus_detector detector);
/* The name of a class; NULL where there is none. Valid as long as the detector. */
apus_status apus_detector_label(apus_detector detector, int32_t class_index, const char **label);

/* Finds the objects of one sample of a batch, best first. names and outputs: the model's outputs.
 * count: the objects found; at most capacity of them are written. */
apus_status apus_detector_run(
    apus_detector detector, const char *const *names, const apus_tensor *outputs,
    size_t output_count, size_t sample, const apus_mapping *mapping, apus_object *objects,
    size_t capacity, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
