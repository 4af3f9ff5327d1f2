// The image path for any processor.
#include "imaging.h"

#define FUNCTION(name) apus_imaging_##name##_reference
#include "generic.h"
