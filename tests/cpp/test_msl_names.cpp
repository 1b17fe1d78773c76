// Identifiers: what Metal reserves is renamed, and nothing shadows.
#include <doctest/doctest.h>

#include "codegen/msl/names.h"
#include "test_msl.h"

using namespace enigma;
using msl::legal_identifier;

TEST_CASE("ordinary names stay as they are") {
  for (const char* name :
       {"x", "acc", "row0", "A", "threads", "tid", "val_2", "buffer", "index", "n_"}) {
    CHECK(legal_identifier(name) == name);
  }
}

TEST_CASE("words of C++ and Metal get an underscore") {
  for (const char* name : {"half",    "float4", "uint",     "bfloat2", "packed_float3", "float4x4",
                           "kernel",  "thread", "and",      "not_eq",  "asm",           "main",
                           "step",    "mix",    "INFINITY", "NAN",     "M_PI_F",        "simd_sum",
                           "sampler", "union",  "co_await", "ulong",   "size_t"}) {
    CHECK(msl::is_reserved(name));
    std::string changed = legal_identifier(name);
    CHECK(changed != name);
    CHECK_FALSE(msl::is_reserved(changed));
  }
  CHECK(legal_identifier("half") == "half_");
  CHECK(legal_identifier("enigma_erf") == "my_enigma_erf_");
}

TEST_CASE("characters that C++ or Metal would refuse") {
  CHECK(legal_identifier("_x") == "x");
  CHECK(legal_identifier("__init__") == "init_");
  CHECK(legal_identifier("_") == "value");
  CHECK(legal_identifier("a__b") == "a_b");
  CHECK(legal_identifier("\xce\xb1") == "u3b1");
  CHECK(legal_identifier("2x") == "v2x");
  CHECK(legal_identifier("<lambda>") == "lambda_");
  CHECK(legal_identifier("\xff") == "uff");  // not UTF-8
}

TEST_CASE("a scope's names are free again when it closes, and outer ones are not hidden") {
  msl::Namer names;
  CHECK(names.declare("x") == "x");
  names.open();
  CHECK(names.declare("x") == "x_1");
  CHECK(names.declare("i") == "i");
  names.close();
  CHECK(names.declare("i") == "i");
  CHECK(names.declare("half") == "half_");
  CHECK(names.declare("half") == "half_1");
  CHECK(names.declare("half_") == "half_2");
}

TEST_CASE("parameters, locals, attributes and the kernel share one namer") {
  Kernel k("half");
  ValueId a = k.b.buffer("kernel", DType::F32);
  ValueId out = k.b.buffer("thread_position_in_grid", DType::F32);
  ValueId i = k.b.query(Op::ThreadPositionInGrid);
  ValueId x = k.named("sqrt", k.op("sqrt", {k.b.load(a, i)}));
  k.b.store(out, i, k.op("*", {x, x}));
  MslCode code = k.code();
  CHECK(code.function == "half_");
  CHECK(code.text ==
        "#include <metal_stdlib>\n"
        "using namespace metal;\n"
        "\n"
        "kernel void half_(device const float* kernel_ [[buffer(0)]],\n"
        "                  device float* thread_position_in_grid [[buffer(1)]],\n"
        "                  uint3 thread_position_in_grid_1 [[thread_position_in_grid]]) {\n"
        "    const float sqrt_ = sqrt(kernel_[thread_position_in_grid_1.x]);\n"
        "    thread_position_in_grid[thread_position_in_grid_1.x] = sqrt_ * sqrt_;\n"
        "}\n");
}

TEST_CASE("attributes keep their names, though their prefix is reserved for Metal") {
  Kernel k;
  ValueId out = k.b.buffer("Out", DType::U32);
  k.b.store(out, number(0), k.b.query(Op::SimdgroupIndexInThreadgroup));
  CHECK(k.text().find("uint simdgroup_index_in_threadgroup [[simdgroup_index_in_threadgroup]]") !=
        std::string::npos);
}
