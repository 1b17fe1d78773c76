// Mach: the types that metal-cpp names.
#pragma once

#include <stdint.h>

typedef int kern_return_t;
typedef uint32_t task_id_token_t;
typedef uint32_t mach_port_t;
