// Core Foundation, which the cross compiler lacks: what metal-cpp names of it.
#pragma once

#include <math.h>

typedef double CFTimeInterval;
typedef const struct __CFString* CFStringRef;
#ifdef __cplusplus
extern "C"
#endif
    CFStringRef __CFStringMakeConstantString(const char* text);
