// IOSurface: a type that metal-cpp names.
#pragma once

#include <dispatch/dispatch.h>

typedef struct __IOSurface* IOSurfaceRef;
