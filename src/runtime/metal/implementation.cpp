// The one file that holds metal-cpp's selectors and class references.
#define NS_PRIVATE_IMPLEMENTATION
#define MTL_PRIVATE_IMPLEMENTATION
#include "runtime/metal/metal.h"
