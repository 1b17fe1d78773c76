# metal-cpp, Apple's C++ headers of Metal: the target metal_cpp. They are never committed.
#
# METAL_CPP_DIR, the folder that has Metal/Metal.hpp, is used where it is given. Otherwise the
# headers are taken, pinned by hash, from the wheel mlx-metal on PyPI, which carries them and which
# any machine can download, or, with METAL_CPP_SOURCE=apple, from Apple's own archive.

set(METAL_CPP_DIR "" CACHE PATH "Folder of metal-cpp; fetched when empty")
set(METAL_CPP_SOURCE wheel CACHE STRING "Where metal-cpp is fetched from: wheel or apple")

set(metal_cpp_wheel_version 0.32.4)
set(metal_cpp_wheel_hash 8019b2db622599267d66cc168b2f0dbf5af929790a6c3b3913e00eabc42a7947)
set(metal_cpp_apple_archive metal-cpp_26.zip)

function(fetch_metal_cpp_wheel folder)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  set(wheel "${folder}/mlx_metal-${metal_cpp_wheel_version}-py3-none-macosx_14_0_arm64.whl")
  if(NOT EXISTS "${wheel}")
    message(STATUS "metal-cpp: downloading mlx-metal ${metal_cpp_wheel_version}")
    # The interpreter may be one without pip, of a build environment.
    set(python "${Python3_EXECUTABLE}")
    if(Python_EXECUTABLE)
      set(python "${Python_EXECUTABLE}")
    endif()
    execute_process(
      COMMAND "${python}" -m pip download --quiet --disable-pip-version-check --no-deps
              --only-binary=:all: --platform macosx_14_0_arm64 --dest "${folder}"
              mlx-metal==${metal_cpp_wheel_version}
      RESULT_VARIABLE failed)
    if(failed OR NOT EXISTS "${wheel}")
      message(FATAL_ERROR "metal-cpp could not be downloaded: set METAL_CPP_DIR to its folder")
    endif()
  endif()
  file(SHA256 "${wheel}" hash)
  if(NOT hash STREQUAL metal_cpp_wheel_hash)
    file(REMOVE "${wheel}")
    message(FATAL_ERROR "${wheel} has the hash ${hash}, not ${metal_cpp_wheel_hash}")
  endif()
  file(ARCHIVE_EXTRACT INPUT "${wheel}" DESTINATION "${folder}" PATTERNS "mlx/include/metal_cpp/*")
endfunction()

function(fetch_metal_cpp_apple folder)
  # Apple replaces its archives in place: the hash is the user's to give.
  set(METAL_CPP_APPLE_SHA256 "" CACHE STRING "SHA-256 of ${metal_cpp_apple_archive}")
  if(NOT METAL_CPP_APPLE_SHA256)
    message(FATAL_ERROR "METAL_CPP_SOURCE=apple needs METAL_CPP_APPLE_SHA256")
  endif()
  file(
    DOWNLOAD "https://developer.apple.com/metal/cpp/files/${metal_cpp_apple_archive}"
    "${folder}/${metal_cpp_apple_archive}"
    EXPECTED_HASH SHA256=${METAL_CPP_APPLE_SHA256})
  file(ARCHIVE_EXTRACT INPUT "${folder}/${metal_cpp_apple_archive}" DESTINATION "${folder}")
endfunction()

if(METAL_CPP_DIR)
  set(metal_cpp_include "${METAL_CPP_DIR}")
else()
  # Beside the build folders, so that several builds share one download.
  set(metal_cpp_folder "${PROJECT_SOURCE_DIR}/build/metal-cpp" CACHE PATH "Download of metal-cpp")
  if(METAL_CPP_SOURCE STREQUAL "apple")
    set(metal_cpp_include "${metal_cpp_folder}/metal-cpp")
  else()
    set(metal_cpp_include "${metal_cpp_folder}/mlx/include/metal_cpp")
  endif()
  if(NOT EXISTS "${metal_cpp_include}/Metal/Metal.hpp")
    file(MAKE_DIRECTORY "${metal_cpp_folder}")
    file(LOCK "${metal_cpp_folder}" DIRECTORY GUARD FILE TIMEOUT 300)
    if(METAL_CPP_SOURCE STREQUAL "apple")
      fetch_metal_cpp_apple("${metal_cpp_folder}")
    else()
      fetch_metal_cpp_wheel("${metal_cpp_folder}")
    endif()
  endif()
endif()
if(NOT EXISTS "${metal_cpp_include}/Metal/Metal.hpp")
  message(FATAL_ERROR "${metal_cpp_include} has no Metal/Metal.hpp: set METAL_CPP_DIR")
endif()

add_library(metal_cpp INTERFACE)
target_include_directories(metal_cpp SYSTEM INTERFACE "${metal_cpp_include}")
