// Views by the public headers alone: slices, guards, and what index arithmetic reaches the IR.
#include "enigma/tensor.h"

#include <doctest/doctest.h>

#include "enigma/compile.h"

using namespace enigma;

namespace {

const Coordinate kKeep = Coordinate::none();

Layout rows(int64_t m, int64_t n) { return Layout({m, n}, {n, 1}); }

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The IR of a kernel that copies what `mine` makes of views of two matrices.
template <class F>
std::string copied(const Layout& l, F mine, bool launch = false) {
  Builder b("k");
  ValueId x = b.buffer("X", DType::F32), y = b.buffer("Y", DType::F32);
  if (launch) b.set_launch({64, 1, 1}, {32, 1, 1});
  View from = mine(b, make_view("X", l)), to = mine(b, make_view("Y", l));
  store(b, y, to, load(b, x, from));
  return compile(b.finish())->ir;
}

}  // namespace

TEST_CASE("a slice keeps modes and moves the origin") {
  View v = make_view("A", rows(4, 8), 5);
  CHECK(elements(v) == 37);
  View row = slice(nullptr, v, {2, kKeep});
  CHECK(str(row.layout()) == "(8):(1)");
  CHECK(row.steps.origins[0].known == 16);
  CHECK(slice(nullptr, v, {3, 7}).steps.origins[0].known == 31);
  CHECK(slice(nullptr, v, Coordinate(Index(5))).steps.origins[0].known == 9);  // (1, 1)
  CHECK_THROWS_WITH(slice(nullptr, v, {4, kKeep}),
                    "the coordinate 4 is outside of 'A': it counts 4 elements there, from 0");
}

TEST_CASE("traced indices become shifts and masks, as far as bounds do not make them idle") {
  auto mine = [](Builder& b, const View& v) {
    return slice(&b, v, Coordinate(Index(b.query(Op::ThreadPositionInGrid))));
  };
  std::string any = copied(rows(8, 8), mine), once = copied(rows(8, 8), mine, true);
  CHECK(has(any, "arith.shr"));
  CHECK(has(any, "arith.andi"));
  CHECK(!has(any, "div"));
  CHECK(!has(any, "mod"));
  CHECK(has(once, "arith.constant 7 "));  // the column is below 8 anyway, the row is not
  CHECK(has(copied(rows(7, 9), mine), "arith.floormodi"));
  auto row = [](Builder& b, const View& v) {
    return slice(&b, v, {b.query(Op::ThreadPositionInThreadgroup), 3});
  };
  CHECK(!has(copied(rows(32, 9), row, true), "andi"));
  CHECK(has(copied(rows(16, 9), row, true), "andi"));
}

TEST_CASE("what a tiler does not divide is guarded") {
  View v = make_view("A", rows(10, 12));
  CHECK(zipped_divide(v, Tiler{5, 4}).guards.empty());
  View tiled = zipped_divide(v, Tiler{4, 4});
  REQUIRE(tiled.guards.size() == 1);
  CHECK(tiled.guards[0].limits == std::vector<std::optional<Size>>{10, {}});
  CHECK(str(tiled.layout().shape()) == "((4,4),(3,3))");
  CHECK_THROWS_AS(composition(v, Tiler(Layout(121))), Error);
}

TEST_CASE("vectors where they are proven, in a text that parses back") {
  auto row = [](Builder& b, const View& v) {
    return slice(&b, v, {b.query(Op::ThreadPositionInGrid), kKeep});
  };
  std::string four = copied(rows(32, 8), row);
  CHECK(has(four, "memref.load %X[%"));
  CHECK(has(four, "] lanes(4) : memref<f32, device>"));
  CHECK(print(parse(four)) == four);
  CHECK(has(copied(rows(32, 6), row), "lanes(2)"));
  CHECK(!has(copied(rows(32, 7), row), "lanes"));
  CHECK(has(compile(parse(four))->msl, "*(device float4*)(Y + "));
}

TEST_CASE("parameters keep their index and their least size in the text") {
  Builder b("k");
  ValueId x = b.buffer("X", DType::F32, 7);
  ValueId n = b.scalar("n", DType::U32, 2);
  b.set_elements(x, 100);
  b.store(x, n, 1.0);
  std::string text = print(b.module());
  CHECK(has(text, "(%X: memref<f32, device> buffer(7) elements(100), %n: u32 buffer(2))"));
  CHECK(print(parse(text)) == text);
  CHECK_THROWS_WITH(b.buffer("Y", DType::F32, 7),
                    "parameters X and Y both have the buffer index 7; give one of them another");
  CHECK_THROWS_AS(b.buffer("Z", DType::F32, 31), Error);
  auto artifact = compile(b.finish());
  CHECK(artifact->params[0].index == 7);
  CHECK(artifact->params[0].elements == 100);
  CHECK(has(artifact->msl, "[[buffer(7)]]"));
}

TEST_CASE("views that cannot be, or not be used so") {
  const Size m(Symbol{"M", 1});
  CHECK_THROWS_WITH(make_view("A", {{m, 1}}, -3),
                    "'A' begins at element -3 of its memory; give a base_offset of at least 0");
  CHECK_THROWS_WITH(make_view("A", {{m, 1}, {0, m}}),
                    "'A' has the size 0; give sizes from 1 to 2147483647");
  CHECK_THROWS_WITH(make_identity_view({m, -3}),
                    "an identity tensor has the size -3; give sizes from 1 to 2147483647");
  Builder b("k");
  ValueId x = b.buffer("X", DType::F32), tid = b.query(Op::ThreadPositionInGrid);
  const View a = make_view("A", rows(4, 4));
  CHECK_THROWS_WITH(slice(nullptr, a, Coordinate(tid)),
                    "a traced coordinate needs the Builder of its kernel");
  CHECK_THROWS_WITH(partition(nullptr, a, rows(2, 2), tid),
                    "a traced coordinate needs the Builder of its kernel");
  CHECK_THROWS_WITH(partition(nullptr, a, rows(2, 2), 3, {true}),
                    "local_partition: the threads (2,2):(2,1) have 2 modes, and 1 are told to be "
                    "kept or not; tell all");
  CHECK_THROWS_WITH(
      load(b, x, make_identity_view(IntTuple({4, 4}))),
      "load() of an identity tensor, which has no memory; coordinate() tells an element");
  CHECK_THROWS_WITH(load(b, x, make_view("B", {{m, 1}})),
                    "load() of 'B', whose shape (M) only a run knows; slice the tensor to the "
                    "thread's part first");
  CHECK_THROWS_WITH(store(b, x, make_view("", rows(32, 33)), 0),
                    "store() of 1056 elements of a tensor in one thread: 1024 are the most; slice "
                    "the tensor to the thread's part first");
  CHECK_THROWS_WITH(store(b, x, a, load(b, x, make_view("", rows(2, 4)))),
                    "8 values are given for 16 elements; give one for each");
}

TEST_CASE("a builder knows the bounds of integers") {
  Builder b("k");
  ValueId tid = b.query(Op::ThreadPositionInThreadgroup);
  CHECK(b.bounds(tid).greatest == 1023);
  CHECK(b.bounds(b.apply("+", {b.apply("&", {tid, 7}), 3})).least == 3);
  auto loop = b.begin_for(2, 9, 1, DType::I32);
  CHECK(b.bounds(loop.index).least == 2);
  CHECK(b.bounds(loop.index).greatest == 8);
  b.end_for();
}

TEST_CASE("a sum with a number is taken apart") {
  Builder b("k");
  ValueId tid = b.query(Op::ThreadPositionInThreadgroup);
  auto [rest, known] = b.apart(b.apply("+", {tid, 5}));
  CHECK((rest == tid && known == 5));
  for (ValueId v : {tid, b.apply("-", {tid, 5}), b.apply("+", {b.cast(tid, DType::U16), 5})}) {
    CHECK((b.apart(v).rest == v && b.apart(v).known == 0));
  }
}

TEST_CASE("sizes are terms that are simplified as they are made") {
  const Size m(Symbol{"M", 1}), n(Symbol{"N", 12});
  CHECK(str(ceil_div(m, 16) * ceil_div(n, 8) * 256) == "256*ceil_div(M, 16)*ceil_div(N, 8)");
  CHECK(str((m + 3) * n + -5) == "(M + 3)*N - 5");
  CHECK(-1 * floor_div(-1 * m, 16) == ceil_div(m, 16));
  CHECK(floor_div(5 * n, 4).multiple() == 15);
  CHECK(floor_div(6 * n, 3) == 2 * n);
  CHECK(n * (2 * m) == m * n * 2);
  CHECK((m * 0).is_known());
  CHECK((n + 4 * n).multiple() == 12);
  CHECK(((n + 8) * m).least() == 20);
  auto value = [](const Symbol& s) { return s.name == "M" ? 33 : 24; };
  CHECK((ceil_div(m, 16) * n + -1).at(value) == 71);
  CHECK_THROWS_WITH(floor_div(m, 4).at([](const Symbol&) { return -3; }),
                    "the size M is -3; it must be from 1 to 2147483647");
  CHECK_THROWS_AS(floor_div(m + -5, 2), Error);
  CHECK_THROWS_AS(floor_div(m, 0), Error);
}

TEST_CASE("a view whose sizes only a run knows") {
  const Size m(Symbol{"M", 1});
  auto copy = [&](int64_t divisibility) {
    const Size n(Symbol{"N", divisibility});
    Builder b("k");
    ValueId x = b.buffer("X", DType::F32), y = b.buffer("Y", DType::F32);
    b.size("M");
    b.size("N", static_cast<uint32_t>(divisibility));
    auto mine = [&](const char* name) {
      const View tiles = zipped_divide(make_view(name, {{m, n}, {n, 1}}), Tiler{2, 4});
      CHECK(shape_text(tiles) == "((2,4),(ceil_div(M, 2),ceil_div(N, 4)))");
      CHECK(stride_text(tiles) == "((N,1),(2*N,4))");
      const ValueId tile = b.query(Op::ThreadgroupPositionInGrid);
      return slice(&b, tiles, {{kKeep, kKeep}, tile});
    };
    store(b, y, mine("Y"), load(b, x, mine("X")));
    CHECK(print(parse(print(b.module()))) == print(b.module()));
    auto artifact = compile(b.finish());
    CHECK(!has(artifact->msl, "enigma_div"));  // a size is not 0
    return artifact->ir;
  };
  CHECK(has(copy(1), "%N: u32 size(1)"));
  CHECK(!has(copy(1), "lanes"));
  CHECK(has(copy(2), "lanes(2)"));
  CHECK(has(copy(4), "lanes(4)"));
  const View v = make_view("A", {{m, 1}, {8, 8}});
  CHECK(elements(v) == 0);
  CHECK(is_endless(v));
  CHECK_THROWS_AS(make_view("A", {{2 * m, 1}}), Error);
  CHECK_THROWS_AS(composition(make_view("A", {{m, 1}, {m, m}}), Tiler(Layout(4))), Error);
  Builder b("k");
  CHECK_THROWS_WITH(value(b, m),
                    "the size M is no parameter of this kernel; it is one where a "
                    "tensor has it");
}
