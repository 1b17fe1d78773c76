# Cross-compilation for arm64 macOS with zig, as the test in this folder prepares it: MACOS_CROSS is
# the folder that has the compilers' wrappers and the link stubs.

set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MACOS_CROSS)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CMAKE_C_COMPILER "${MACOS_CROSS}/cc")
set(CMAKE_CXX_COMPILER "${MACOS_CROSS}/c++")
set(CMAKE_AR "${MACOS_CROSS}/ar" CACHE FILEPATH "")
set(CMAKE_RANLIB "${MACOS_CROSS}/ranlib" CACHE FILEPATH "")
# Nothing of these is needed for a library that is looked at and never installed.
set(CMAKE_INSTALL_NAME_TOOL /bin/true)
set(CMAKE_STRIP /bin/true)

set(CMAKE_OSX_SYSROOT "")
set(CMAKE_OSX_DEPLOYMENT_TARGET "")
set(CMAKE_CXX_FLAGS_INIT "-isystem ${CMAKE_CURRENT_LIST_DIR}/stubs")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-F${MACOS_CROSS}/Frameworks -L${MACOS_CROSS}/lib -lobjc")
