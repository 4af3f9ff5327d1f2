/*
 * Finds objects in a picture: the C interface of Apus from end to end.
 *
 *   detect MODEL.apus PICTURE.ppm
 *   detect MODEL.onnx PICTURE.ppm PREPROCESSING POSTPROCESSING
 *
 * The first form runs a model file that knows how pictures become its input; the second compiles a
 * source model first, which needs libapus. C99, and C++ as well.
 */
#include <apus.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 100 };

/* Ends the program with the sentence that Apus left, if a call failed. */
static void check(apus_status status, const char *what) {
  if (status == APUS_OK) return;
  fprintf(stderr, "detect: %s: %s: %s\n", what, apus_status_name(status), apus_last_message());
  exit(1);
}

/* Reads a binary PPM (P6, 8 bits) without comments. The pixels are the caller's to free. */
static apus_picture read_picture(const char *path) {
  apus_picture picture;
  FILE *file = fopen(path, "rb");
  unsigned char *pixels = NULL;
  int width = 0, height = 0, maximum = 0;
  size_t size;
  if (file == NULL || fscanf(file, "P6 %d %d %d", &width, &height, &maximum) != 3 ||
      fgetc(file) == EOF || width <= 0 || height <= 0 || width > 20000 || height > 20000 ||
      maximum != 255) {
    fprintf(stderr, "detect: %s is no binary PPM of 8 bits\n", path);
    exit(1);
  }
  size = (size_t)width * (size_t)height * 3;
  pixels = (unsigned char *)malloc(size);
  if (pixels == NULL || fread(pixels, 1, size, file) != size) {
    fprintf(stderr, "detect: %s is cut off\n", path);
    exit(1);
  }
  fclose(file);
  memset(&picture, 0, sizeof picture);
  picture.format = APUS_RGB24;
  picture.width = width;
  picture.height = height;
  picture.planes[0] = pixels;
  picture.strides[0] = (int64_t)width * 3;
  return picture;
}

/* Shows how far compiling is; 0 goes on. */
static int32_t report(void *context, const char *phase, int64_t done, int64_t total) {
  (void)context;
  fprintf(stderr, "%s %ld/%ld\n", phase, (long)done, (long)total);
  return 0;
}

/* Makes a model that can run of one that was opened from ONNX. */
static apus_model compile(apus_model source, const char *preprocess, const char *postprocess) {
  apus_compile_options options;
  apus_model compiled = 0;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.preprocess = &preprocess;
  options.preprocess_count = 1;
  options.postprocess = postprocess;
  options.skip_proof = 1;
  options.progress = report;
  check(apus_compile(source, &options, &compiled), "compiling");
  check(apus_model_release(source), "releasing the source");
  return compiled;
}

/* Prints what was found, a line per object. */
static void print(apus_detector detector, const apus_object *objects, size_t count) {
  size_t index;
  for (index = 0; index < count && index < CAPACITY; index++) {
    const apus_object *object = &objects[index];
    const char *label = NULL;
    check(apus_detector_label(detector, object->class_index, &label), "a label");
    printf(
        "%s %.3f %.1f %.1f %.1f %.1f\n", label == NULL ? "?" : label, (double)object->score,
        (double)object->x1, (double)object->y1, (double)object->x2, (double)object->y2);
  }
}

/* Gives a session's outputs to the detector. */
static void find(apus_session session, const char *postprocess, const apus_mapping *mapping) {
  apus_object objects[CAPACITY];
  apus_detector detector = 0;
  apus_tensor *outputs;
  const char **names;
  size_t count = 0, found = 0, index;
  check(apus_session_output_count(session, &count), "the outputs");
  outputs = (apus_tensor *)calloc(count, sizeof *outputs);
  names = (const char **)calloc(count, sizeof *names);
  if (outputs == NULL || names == NULL) exit(1);
  for (index = 0; index < count; index++) {
    apus_tensor_info info;
    check(apus_session_output(session, index, &info, sizeof info), "an output");
    check(apus_session_output_view(session, index, &outputs[index]), "an output");
    names[index] = info.name;
  }
  check(apus_detector_open(postprocess, &detector), "the postprocessing");
  check(
      apus_detector_run(
          detector, names, outputs, count, 0, mapping, objects, CAPACITY, &found),
      "finding objects");
  print(detector, objects, found);
  check(apus_detector_release(detector), "releasing the detector");
  free(names);
  free(outputs);
}

int main(int argc, char **argv) {
  apus_model model = 0;
  apus_session session = 0;
  apus_preprocessor preprocessor = 0;
  apus_tensor_info input;
  apus_tensor memory;
  apus_mapping mapping;
  apus_picture picture;
  apus_live_counts live;
  const char *preprocess = NULL, *postprocess = NULL;
  size_t programs = 0;

  if (argc != 3 && argc != 5) {
    fprintf(stderr, "usage: detect MODEL PICTURE.ppm [PREPROCESSING POSTPROCESSING]\n");
    return 64;
  }
  check(apus_model_open(argv[1], &model), "opening the model");
  check(apus_model_program_count(model, &programs), "the programs");
  if (programs == 0) {
    if (argc != 5) {
      fprintf(stderr, "detect: a source model needs PREPROCESSING and POSTPROCESSING\n");
      return 64;
    }
    model = compile(model, argv[3], argv[4]);
  }
  check(apus_model_preprocessing(model, 0, &preprocess), "the preprocessing");
  check(apus_model_postprocessing(model, &postprocess), "the postprocessing");
  if (preprocess == NULL || postprocess == NULL) {
    fprintf(stderr, "detect: the model does not say how pictures become its input\n");
    return 1;
  }

  /* The picture goes into the session's own memory: nothing is copied. */
  check(apus_session_open(model, NULL, &session), "a session");
  check(apus_session_input(session, 0, &input, sizeof input), "the input");
  check(apus_session_input_memory(session, 0, &memory), "the input's memory");
  check(apus_preprocessor_open(preprocess, &input, &preprocessor), "the preprocessing");
  picture = read_picture(argv[2]);
  check(
      apus_preprocessor_run(preprocessor, &picture, &memory, 0, &mapping), "preprocessing");
  check(apus_session_run(session), "running");
  find(session, postprocess, &mapping);

  free((void *)(uintptr_t)picture.planes[0]);
  check(apus_preprocessor_release(preprocessor), "releasing the preprocessor");
  check(apus_session_release(session), "releasing the session");
  check(apus_model_release(model), "releasing the model");
  check(apus_count_live(&live), "the live objects");
  return live.models + live.sessions + live.values + live.preprocessors + live.detectors == 0
             ? 0
             : 1;
}
