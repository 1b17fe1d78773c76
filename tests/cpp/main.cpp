// The main function of the C++ tests; a test is a TEST_CASE in any tests/cpp/test_*.cpp.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
