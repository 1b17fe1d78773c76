// Core Foundation: the two types that metal-cpp names.
#pragma once

#include <math.h>

typedef double CFTimeInterval;
typedef const struct __CFString* CFStringRef;
#ifdef __cplusplus
extern "C"
#endif
    CFStringRef __CFStringMakeConstantString(const char* text);
