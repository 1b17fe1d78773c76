// The kernel compiler of software Metal that takes MSL: see lab.cpp.
#pragma once

#include "softmetal.h"

extern "C" int softmetal_compile_kernel(const char* source, const char* function,
                                        const softmetal_options* options, softmetal_kernel* kernel,
                                        char** messages);
