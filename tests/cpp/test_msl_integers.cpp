// Integer arithmetic wraps in the text as in the IR, and nothing signed overflows.
#include <doctest/doctest.h>

#include "test_msl.h"

using namespace enigma;

namespace {

// The right-hand side of `Out[0] = ...` for an expression on scalars a, b of one type.
template <class F>
std::string rhs(DType t, F expression, DType out = DType::B1) {
  Kernel k;
  ValueId a = k.b.scalar("a", t), b = k.b.scalar("b", t);
  ValueId x = expression(k, a, b);
  ValueId memory = k.b.buffer("Out", out == DType::B1 ? k.b.type(x).dtype : out);
  k.b.store(memory, number(0), x);
  std::string body = k.body();
  return body.substr(body.rfind("Out[0] = ") + 9, body.size() - body.rfind("Out[0] = ") - 11);
}

auto op(std::string_view name) {
  return [=](Kernel& k, ValueId a, ValueId b) { return k.op(name, {a, b}); };
}

}  // namespace

TEST_CASE("32 and 64 bits: signed sums are computed unsigned, once around") {
  CHECK(rhs(DType::I32, op("+")) == "int(uint(a) + uint(b))");
  CHECK(rhs(DType::U32, op("+")) == "a + b");
  CHECK(rhs(DType::I64, op("*")) == "long(ulong(a) * ulong(b))");
  CHECK(rhs(DType::I32, [](Kernel& k, ValueId a, ValueId b) {
          return k.op("-", {k.op("*", {k.op("+", {a, number(-3)}), b}), number(4)});
        }) == "int((uint(a) - 3u) * uint(b) - 4u)");
  CHECK(rhs(DType::I32, [](Kernel& k, ValueId a, ValueId) { return k.op("neg", {a}); }) ==
        "int(-uint(a))");
  CHECK(rhs(DType::I32, [](Kernel& k, ValueId a, ValueId) { return k.op("~", {a}); }) == "~a");
}

TEST_CASE("what cannot overflow is written plainly") {
  CHECK(rhs(DType::I32, [](Kernel& k, ValueId a, ValueId) {
          return k.op("+", {k.op("*", {k.op("%", {a, number(16)}), number(16)}), number(-1)});
        }) == "enigma_floormod(a, 16) * 16 - 1");
  CHECK(rhs(DType::I32, [](Kernel& k, ValueId, ValueId) {
          ValueId lane = k.b.cast(k.b.query(Op::ThreadIndexInSimdgroup), DType::I32);
          return k.op("//", {k.op("+", {lane, number(1)}), number(2)});
        }) == "(int(thread_index_in_simdgroup) + 1) / 2");
}

TEST_CASE("narrow types go back to themselves") {
  CHECK(rhs(DType::I8, op("+")) == "char(a + b)");
  CHECK(rhs(DType::U8, op("&")) == "uchar(a & b)");
  CHECK(rhs(DType::U16, op("*")) == "ushort(uint(a) * b)");
  CHECK(rhs(DType::I8, [](Kernel& k, ValueId a, ValueId b) {
          return k.op("*", {k.op("+", {a, b}), number(3)});
        }) == "char(char(a + b) * 3)");
  CHECK(rhs(
            DType::I8,
            [](Kernel& k, ValueId a, ValueId b) {
              return k.op("cmp_lt", {k.op("+", {a, b}), number(3)});
            },
            DType::B1) == "uchar(char(a + b) < 3)");
}

TEST_CASE("shifts") {
  auto by = [](std::string_view name, int count) {
    return [=](Kernel& k, ValueId a, ValueId) { return k.op(name, {a, number(count)}); };
  };
  CHECK(rhs(DType::I32, op("<<")) == "int(uint(a) << (b & 31))");
  CHECK(rhs(DType::U64, op(">>")) == "a >> (b & 63ul)");
  CHECK(rhs(DType::I32, op(">>")) == "a >> (b & 31)");
  CHECK(rhs(DType::U32, by("<<", 3)) == "a << 3u");
  CHECK(rhs(DType::U32, by("<<", 35)) == "a << 3u");
  CHECK(rhs(DType::I8, op("<<")) == "char(uchar(a) << (b & 7))");
  CHECK(rhs(DType::I16, by(">>", 2)) == "short(a >> 2)");
}

TEST_CASE("division") {
  CHECK(rhs(DType::U32, op("//")) == "enigma_div(a, b)");
  CHECK(rhs(DType::U32, op("%")) == "enigma_mod(a, b)");
  CHECK(rhs(DType::U32, [](Kernel& k, ValueId a, ValueId) { return k.op("%", {a, number(10)}); }) ==
        "a % 10u");
  CHECK(rhs(DType::I32, op("//")) == "enigma_floordiv(a, b)");
  CHECK(rhs(DType::I32, op("/")) == "enigma_div(a, b)");
  CHECK(rhs(DType::I32, [](Kernel& k, ValueId a, ValueId) { return k.op("/", {a, number(10)}); }) ==
        "a / 10");
}

TEST_CASE("casts") {
  auto to = [](DType t) { return [=](Kernel& k, ValueId a, ValueId) { return k.b.cast(a, t); }; };
  CHECK(rhs(DType::I32, to(DType::U32)) == "uint(a)");
  CHECK(rhs(DType::U32, to(DType::I8)) == "char(a)");
  CHECK(rhs(DType::I8, to(DType::I64)) == "long(a)");
  CHECK(rhs(DType::I32, to(DType::B1)) == "uchar(a != 0)");
  CHECK(rhs(DType::B1, to(DType::F32)) == "float(a != 0)");
  CHECK(rhs(DType::F32, to(DType::I32)) == "enigma_to_int(a)");
  CHECK(rhs(DType::F16, to(DType::U8)) == "enigma_to_uchar(float(a))");
  CHECK(rhs(DType::BF16, to(DType::F16)) == "half(float(a))");
  CHECK(rhs(DType::I32, to(DType::BF16)) == "bfloat(enigma_odd_float(a))");
  CHECK(rhs(DType::U16, to(DType::BF16)) == "bfloat(float(a))");
  CHECK(rhs(DType::I64, to(DType::F16)) == "half(float(a))");
  // a change of sign and back is nothing
  CHECK(rhs(DType::U32, [](Kernel& k, ValueId a, ValueId) {
          return k.b.cast(k.op("+", {k.b.cast(a, DType::I32), number(1)}), DType::U32);
        }) == "a + 1u");
}

TEST_CASE("operands read as unsigned, bits read as another type") {
  CHECK(rhs(DType::I32, op("cmp_ult"), DType::B1) == "uchar(uint(a) < uint(b))");
  CHECK(rhs(DType::F32, [](Kernel& k, ValueId a, ValueId) { return k.b.as_type(a, DType::U32); }) ==
        "as_type<uint>(a)");
}
