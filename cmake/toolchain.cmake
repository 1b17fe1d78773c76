# How every C++ target of ours is compiled: warnings, sanitizers, a compiler cache.

set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
if(BUILD_SHARED_LIBS)
  # A shared libenigma exports what it has; the headers carry no export macros.
  set(CMAKE_CXX_VISIBILITY_PRESET default)
  set(CMAKE_VISIBILITY_INLINES_HIDDEN OFF)
endif()
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
endif()

if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(CCACHE_PROGRAM ccache)
  mark_as_advanced(CCACHE_PROGRAM)
  if(CCACHE_PROGRAM)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  endif()
endif()

# An interface target, linked privately: warnings are for our sources, not for who uses us.
add_library(enigma_warnings INTERFACE)
target_compile_options(enigma_warnings INTERFACE -Wall -Wextra)

if(ENIGMA_SANITIZE)
  # All targets of the build, nanobind's too: half a program under a sanitizer finds half.
  list(JOIN ENIGMA_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${sanitizers})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # Kernels are made at run time, without the mark that a checked call looks for before them.
    add_compile_options(-fno-sanitize=function)
  endif()
endif()
