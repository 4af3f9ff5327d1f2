// Looking up, one element at a time.
#include "lookup.h"

#include "generic.h"

void apus_look_up_reference(const struct apus_look_up *c) { look_up_each(c); }
