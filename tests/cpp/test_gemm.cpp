// gemm on the builder: the pitch of tiles, which Python always gives rightly, and whose work it is.

#include "enigma/gemm.h"

#include <doctest/doctest.h>

#include "caught.h"
#include "enigma/compile.h"

using namespace enigma;

namespace {

struct Kernel {
  Builder b{"product"};
  Tile a{b.buffer("A", DType::F32), 3, 20};
  Tile c{b.buffer("C", DType::F32), 0, 24};
  Tile bt{b.buffer("B", DType::F32), 0, 16};
  Gemm g{a, bt, 8, 24, 16, false, true};

  std::string error() {
    return caught([&] { gemm(b, g, c); }).what();
  }
  std::string msl() { return compile(b.finish(), {})->msl; }
};

}  // namespace

TEST_CASE("tiles have a place and a pitch") {
  Kernel k;
  gemm(k.b, k.g, k.c);
  const std::string msl = k.msl();
  CHECK(msl.find(" + 3u), 20);") != msl.npos);
  CHECK(msl.find(", 16, 0, true);") != msl.npos);
  CHECK(msl.find(", C") != msl.npos);
}

TEST_CASE("a pitch holds a row") {
  Kernel k;
  k.g.a.pitch = 15;
  CHECK(k.error() ==
        "gemm: A has 16 elements in a row, and only 15 from one row to the next; give a pitch of "
        "at least as many");
  k.g.a.pitch = 16;
  k.g.b.pitch = 15;
  CHECK(k.error() ==
        "gemm: B has 16 elements in a row, and only 15 from one row to the next; give a pitch of "
        "at least as many");
  k.g.b.pitch = 16;
  k.c.pitch = 23;
  CHECK(k.error() ==
        "gemm: C has 24 elements in a row, and only 23 from one row to the next; give a pitch of "
        "at least as many");
  for (const auto& [offset, text] : {std::pair<Operand, const char*>(-1, "-1"),
                                     {0.5, "0.5"},
                                     {UINT64_MAX, "18446744073709551615"},
                                     {k.b.constant(DType::F32, 0), "f32"},
                                     {k.a.memory, "memref<f32, device>"}}) {
    k.c = {k.c.memory, offset, 24};
    CHECK(k.error() == "gemm: the offset of C is " + std::string(text) +
                           "; it counts elements, an int of at least 0 or an integer value");
  }
  k.g.n = 0;
  CHECK(k.error() == "gemm: M, N and K must be at least 1; they are 8, 0 and 16");
}

TEST_CASE("each thread has sums of its own") {
  Kernel k;
  std::vector<ValueId> sums(6, k.b.constant(DType::F16, 0));
  k.g.m = 2;
  k.g.n = 3;
  for (ValueId v : gemm(k.b, k.g, sums)) {
    CHECK(k.b.type(v) == Type::scalar(DType::F16));
    k.b.store(k.c.memory, 0, v);
  }
  CHECK(k.msl().find("simdgroup") == std::string::npos);
  Kernel other;
  CHECK_THROWS_AS(gemm(other.b, other.g, sums), Error);
}
