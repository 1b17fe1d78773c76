# The module enigma._core: nanobind over the public headers of libenigma, and nothing else of it.

find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module
             OPTIONAL_COMPONENTS Development.SABIModule)
execute_process(
  COMMAND "${Python_EXECUTABLE}" -m nanobind --cmake_dir
  OUTPUT_STRIP_TRAILING_WHITESPACE
  OUTPUT_VARIABLE nanobind_ROOT
  COMMAND_ERROR_IS_FATAL ANY)
find_package(nanobind CONFIG REQUIRED)

file(GLOB binding_sources CONFIGURE_DEPENDS src/bindings/*.cpp)
# STABLE_ABI takes effect from Python 3.12 on, when scikit-build-core asks for it.
nanobind_add_module(_core STABLE_ABI NB_STATIC ${binding_sources})
target_link_libraries(_core PRIVATE enigma::enigma enigma_warnings)
target_compile_definitions(_core PRIVATE ENIGMA_VERSION="${PROJECT_VERSION}")
# In a build tree the module lies where a package of Python files can be put beside it.
set_target_properties(_core PROPERTIES LIBRARY_OUTPUT_DIRECTORY
                                       "${CMAKE_CURRENT_BINARY_DIR}/python/enigma")
install(
  TARGETS _core
  LIBRARY DESTINATION enigma
  COMPONENT python)

# The stub comes from importing the module, which a sanitizer build needs preloads for; its
# contents are the same in every build.
if(NOT ENIGMA_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  nanobind_add_stub(
    _core_stub
    MODULE _core
    PYTHON_PATH $<TARGET_FILE_DIR:_core>
    DEPENDS _core
    OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/python/enigma/_core.pyi")
  install(
    FILES "${CMAKE_CURRENT_BINARY_DIR}/python/enigma/_core.pyi"
    DESTINATION enigma
    COMPONENT python)
endif()
