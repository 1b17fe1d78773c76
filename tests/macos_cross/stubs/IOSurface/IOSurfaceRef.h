// IOSurface, which the cross compiler lacks: what metal-cpp names of it.
#pragma once

#include <dispatch/dispatch.h>

typedef struct __IOSurface* IOSurfaceRef;
