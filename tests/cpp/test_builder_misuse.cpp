// Misuse of the builder by a C++ program: each is refused with a text that says what to do, where
// the program was, and leaves a builder that goes on.

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "caught.h"
#include "enigma/builder.h"
#include "enigma/compile.h"
#include "ir/verify.h"

using namespace enigma;
using enum enigma::DType;

namespace {

struct Kernel {
  Builder b{"k"};
  ValueId x, n, i, v;
  Kernel() {
    b.set_location("k.cpp", 1);
    x = b.buffer("X", F32);
    n = b.scalar("n", U32);
    i = b.query(Op::ThreadPositionInGrid);
    v = b.load(x, i);
    b.set_location("k.cpp", 7);
  }
  // What is left of the kernel still compiles.
  void goes_on() {
    b.store(x, i, v);
    CHECK(compile(b.finish())->msl.find("kernel void k(") != std::string::npos);
  }
};

template <class F>
std::string error_of(F f) {
  const Error e = caught(f);
  CHECK(e.where().file == "k.cpp");
  CHECK(e.where().line == 7);
  return e.what();
}

const char* kForeign =
    "a value is used that belongs to another kernel, or to a region whose tracing failed";

}  // namespace

TEST_CASE("any number of C++ is an operand") {
  Kernel k;
  auto type_of = [&](Operand x) { return to_string(k.b.type(k.b.apply("neg", {x}))); };
  CHECK(type_of(2) == "i32");
  CHECK(type_of(2u) == "i32");  // a literal has no type of its own
  CHECK(type_of(uint8_t{2}) == "i32");
  CHECK(type_of(int16_t{-2}) == "i32");
  CHECK(type_of(size_t{2}) == "i32");
  CHECK(type_of(4000000000u) == "u32");
  CHECK(type_of(-5000000000LL) == "i64");
  CHECK(type_of(UINT64_MAX) == "u64");
  CHECK(type_of('a') == "i32");
  CHECK(type_of(2.0f) == "f32");
  CHECK(type_of(2.0) == "f32");
  CHECK(k.b.type(k.b.constant(true)) == Type::scalar(B1));
  CHECK(std::holds_alternative<int64_t>(Literal(UINT64_MAX / 2)));
  CHECK(std::holds_alternative<uint64_t>(Literal(UINT64_MAX)));
  const std::vector<Operand> list{k.v, 1.0};
  CHECK(k.b.type(k.b.apply("+", list)) == Type::scalar(F32));
  k.goes_on();
}

TEST_CASE("a location of C++ is that of the line") {
  Builder b("k");
  b.set_location();
  CHECK(b.location().line == __LINE__ - 1);
  CHECK(b.location().file == __FILE__);
}

TEST_CASE("a value of another builder is refused, whatever its number") {
  Kernel k, other;
  CHECK(other.v.index == k.v.index);
  auto refused = [&](auto f) { CHECK(error_of(f) == kForeign); };
  refused([&] { k.b.apply("+", {k.v, other.v}); });
  refused([&] { k.b.store(other.x, k.i, k.v); });
  refused([&] { k.b.load(k.x, other.i); });
  refused([&] { k.b.store_if(k.x, k.i, k.v, other.n); });
  refused([&] { k.b.cast(other.v, I32); });
  refused([&] { k.b.as_type(other.v, I32); });
  refused([&] { k.b.convert(other.v, Type::scalar(F32)); });
  refused([&] { k.b.begin_for(0, other.n, 1, U32); });
  refused([&] { k.b.begin_for(0, 3, 1, U32, {other.v}); });
  refused([&] { k.b.begin_while({other.v}); });
  refused([&] { k.b.begin_if(other.v); });
  refused([&] { k.b.set_name(other.v, "v"); });
  refused([&] { k.b.type(other.v); });
  Builder b("ints");
  b.set_location("k.cpp", 7);
  ValueId memory = b.buffer("X", I32);
  refused([&] { b.atomic(Op::AtomicAdd, memory, 0, {other.v}); });
  k.goes_on();
  other.goes_on();
}

TEST_CASE("a value of a finished kernel, or of what was abandoned, is refused") {
  Kernel k;
  k.b.begin_if(k.b.apply("cmp_gt", {k.v, 0}));
  ValueId inner = k.b.apply("+", {k.v, 1});
  k.b.abandon();
  ValueId again = k.b.apply("cmp_gt", {k.v, 0});
  while (again.index < inner.index) again = k.b.apply("+", {k.v, 1});
  CHECK(again == inner);  // the number is given again
  CHECK(error_of([&] { k.b.apply("+", {inner, 1}); }) == kForeign);
  k.b.store(k.x, k.i, k.b.apply("+", {again, 1}));
  k.b.finish();
  k.b.set_location("k.cpp", 7);
  k.b.buffer("Y", F32);
  CHECK(error_of([&] { k.b.load(k.x, 0); }) == kForeign);
  // An id made by hand is its number.
  CHECK(k.b.type(ValueId{0}) == Type::memory(F32, AddressSpace::Device));
  CHECK(error_of([&] { k.b.type(ValueId{1}); }) == kForeign);
}

TEST_CASE("a ValueId that is none") {
  const char* none = "a value is used that is none: the result of a store, or a ValueId never set";
  Kernel k;
  ValueId stored = k.b.apply(Op::Store, {k.x, k.i, k.v});
  CHECK(!stored);
  CHECK(error_of([&] { k.b.apply("+", {stored, 1}); }) == none);
  CHECK(error_of([&] { k.b.load(ValueId{}, 0); }) == none);
  CHECK(error_of([&] { k.b.set_name({}, "v"); }) == none);
  CHECK(error_of([&] { k.b.type({}); }) == none);
  k.goes_on();
}

TEST_CASE("a value is not visible after its region") {
  Kernel k;
  auto loop = k.b.begin_for(0, k.n, 1, U32, {0.0});
  k.b.set_name(loop.index, "j");
  ValueId inner = k.b.apply("+", {k.v, 1});
  k.b.set_name(inner, "inner");
  k.b.end_for({inner});
  CHECK(error_of([&] { k.b.apply("+", {inner, 1}); }) ==
        "inner is assigned inside the loop at line 7; give it a value before it");
  CHECK(error_of([&] { k.b.load(k.x, loop.index); }) ==
        "j counts the loop at line 7 and has no value outside it; give another name a value before "
        "the loop and set it inside");
  k.goes_on();
}

TEST_CASE("regions that are closed by the wrong call, or by none") {
  Kernel k;
  CHECK(error_of([&] { k.b.end_for(); }) == "end_for() closes nothing: no region is open");
  CHECK(error_of([&] { k.b.begin_else(); }) == "begin_else() closes nothing: no region is open");
  CHECK(error_of([&] { k.b.end_if(); }) == "end_if() closes nothing: no region is open");
  k.b.begin_for(0, 3, 1, U32);
  CHECK(error_of([&] { k.b.end_while({}); }) ==
        "end_while() does not fit here: the loop at line 7 is open, which end_for() closes");
  CHECK(error_of([&] { k.b.end_if(); }) ==
        "end_if() does not fit here: the loop at line 7 is open, which end_for() closes");
  k.b.begin_while({k.v});
  CHECK(error_of([&] { k.b.end_while({k.v}); }) ==
        "end_while() does not fit here: the while_ at line 7 is open, which while_body() closes");
  k.b.while_body(false);
  k.b.begin_if(true);
  CHECK(error_of([&] { k.b.finish(); }) ==
        "the if_ at line 7 is still open; close it with end_if() before finish()");
  k.b.begin_else();
  CHECK(error_of([&] { k.b.begin_else(); }) ==
        "begin_else() does not fit here: the if_ at line 7 is open, which end_if() closes");
  k.b.end_if();
  CHECK(error_of([&] { k.b.finish(); }) ==
        "the while_ at line 7 is still open; close it with end_while() before finish()");
  k.b.end_while({k.v});
  CHECK(error_of([&] { k.b.finish(); }) ==
        "the loop at line 7 is still open; close it with end_for() before finish()");
  k.b.end_for();
  k.goes_on();
}

TEST_CASE("regions that hand over too few values, or too many") {
  Kernel k;
  k.b.begin_for(0, 3, 1, U32, {k.v, 0});
  CHECK(error_of([&] { k.b.end_for({k.v}); }) ==
        "the loop at line 7 carries 2 values, and end_for() is given 1");
  k.b.end_for({k.v, 1});
  k.b.begin_while({k.v});
  k.b.while_body(false);
  CHECK(error_of([&] { k.b.end_while({}); }) ==
        "the while_ at line 7 carries 1 value, and end_while() is given 0");
  k.b.end_while({1.0});
  k.b.begin_if(true);
  CHECK(
      error_of([&] { k.b.end_if({1}, {}); }) ==
      "the arms of the if_ at line 7 hand over 1 and 0 values; each result has one of either arm");
  k.b.end_if({1}, {2});
  k.goes_on();
}

TEST_CASE("operands of a wrong type or number") {
  Kernel k;
  CHECK(error_of([&] { k.b.apply("+", {k.x, 1}); }) ==
        "X is a buffer, not a value; read an element of it: X[i]");
  CHECK(error_of([&] { k.b.load(k.v, 0); }) == "a load takes a buffer, f32 was given");
  CHECK(error_of([&] { k.b.store(k.n, 0, 1); }) ==
        "n is a scalar parameter, not a buffer: it is read as it is, without an index, and cannot "
        "be written; annotate it with u32 to make it a buffer");
  CHECK(error_of([&] { k.b.load(k.x, 1.5); }) ==
        "an index is an integer, the literal 1.5 was given; write metal_cast(i, \"uint\")");
  CHECK(error_of([&] { k.b.begin_if(k.v); }) ==
        "if_ takes a condition, f32 was given; write x != 0");
  CHECK(error_of([&] { k.b.apply("fma", {k.v}); }) ==
        "fma takes 3 operands, 1 were given: fma(float, float, float) -> float");
  CHECK(error_of([&] { k.b.apply("popcount", {k.v}); }) ==
        "popcount takes integers, not f32: popcount(integer) -> integer; write metal_cast(x, "
        "\"int\")");
  CHECK(error_of([&] { k.b.constant(U8, 300); }) == "the int 300 does not fit u8");
  k.goes_on();
}

TEST_CASE("operations that do not exist, or are built by another call") {
  Kernel k;
  CHECK(error_of([&] { k.b.apply("mul", {k.v, k.v}); }) ==
        "no operation is called mul; the column python of enigma/ops.def has the names");
  CHECK(error_of([&] { k.b.apply("", {}); }) ==
        "no operation is called ; the column python of enigma/ops.def has the names");
  for (Op op : {Op::Constant, Op::FunctionConstant, Op::Cast, Op::AsType, Op::ThreadgroupAlloc,
                Op::SimdMatrixLoad, Op::For, Op::While, Op::If, Op::Yield, Op::Condition}) {
    CHECK(error_of([&] { k.b.apply(op, {}); }) ==
          std::string(info(op).mnemonic) +
              " is not built by apply(): constants, casts, allocations, SIMD-group matrices and "
              "control flow have functions of their own");
  }
  CHECK(error_of([&] { k.b.query(Op::AddF); }) ==
        "query() takes a position or size of the grid, arith.addf was given");
  CHECK(error_of([&] { k.b.query(Op::ThreadPositionInGrid, 3); }) ==
        "thread_position_in_grid has no dimension 3");
  CHECK(error_of([&] { k.b.barrier(Op::Store, kMemNone); }) ==
        "barrier() takes Op::Barrier or Op::SimdBarrier, memref.store was given");
  CHECK(error_of([&] { k.b.barrier(Op::Barrier, 64); }) ==
        "barrier() takes MemFlags, 64 was given");
  CHECK(error_of([&] { k.b.atomic(Op::Load, k.x, 0, {}); }) ==
        "atomic() takes an atomic operation, memref.load was given");
  CHECK_THROWS_WITH_AS(k.b.apply(static_cast<Op>(60000), {k.v}),
                       "internal error of Enigma, please report it: no operation has the number "
                       "60000",
                       InternalError);
  k.goes_on();
}

TEST_CASE("enumerators that do not exist") {
  Kernel k;
  const auto t = static_cast<DType>(200);
  const char* text = "no dtype has the number 200";
  CHECK(error_of([&] { k.b.buffer("Y", t); }) == text);
  CHECK(error_of([&] { k.b.scalar("m", t); }) == text);
  CHECK(error_of([&] { k.b.constant(t, 1); }) == text);
  CHECK(error_of([&] { k.b.function_constant(t, 0); }) == text);
  CHECK(error_of([&] { k.b.cast(k.v, t); }) == text);
  CHECK(error_of([&] { k.b.as_type(k.v, t); }) == text);
  CHECK(error_of([&] { k.b.threadgroup_alloc(t, 1); }) == text);
  CHECK(error_of([&] { k.b.begin_for(0, 1, 1, t); }) == text);
  const char* no_type = "convert() is given a type that does not exist";
  CHECK(error_of([&] { k.b.convert(k.v, Type::scalar(t)); }) == no_type);
  CHECK(error_of([&] { k.b.convert(k.v, Type::vector(F32, 77)); }) == no_type);
  CHECK(error_of([&] { k.b.convert(k.v, Type{}); }) == "f32 cannot be converted to none");
  ValueId y = k.b.buffer("Y", I32);
  CHECK(error_of([&] { k.b.atomic(Op::AtomicLoad, y, 0, {}, static_cast<MemoryOrder>(9)); }) ==
        "atomic_load has an unknown memory order");
  k.goes_on();
}

TEST_CASE("vectors of memory that have no such place") {
  Kernel k;
  ValueId longs = k.b.buffer("L", I64), room = k.b.threadgroup_alloc(F32, 6);
  k.b.set_name(room, "room");
  auto refused = [](int lanes, const char* memory) {
    return "a vector access is of 2 or 4 elements that are no bools, of at most 16 bytes "
           "together, " +
           std::to_string(lanes) + " of " + memory + " were given";
  };
  CHECK(error_of([&] { k.b.load(k.x, 0, 3); }) == refused(3, "X (memref<f32, device>)"));
  CHECK(error_of([&] { k.b.load(k.x, 0, -2); }) == refused(-2, "X (memref<f32, device>)"));
  CHECK(error_of([&] { k.b.store(longs, 0, 1, 4); }) == refused(4, "L (memref<i64, device>)"));
  CHECK(error_of([&] { k.b.load_if(k.x, 6, true, 0, 4); }) ==
        "a vector access of 4 elements begins at a multiple of 4, not at 6");
  CHECK(error_of([&] { k.b.store_if(k.x, 3, 1, true, 2); }) ==
        "a vector access of 2 elements begins at a multiple of 2, not at 3");
  CHECK(error_of([&] { k.b.store(room, 4, 1.0, 4); }) ==
        "the index 7 is outside of room, which has 6 elements");
  k.b.store(room, 4, k.b.load(k.x, 2, 2), 2);
  CHECK(error_of([&] { k.b.set_elements(room, 9); }) ==
        "set_elements takes a parameter from buffer(), room (memref<f32, threadgroup>) was given");
  k.goes_on();
}

TEST_CASE("parameters without a name, or with one that is taken, or too many") {
  Kernel k;
  CHECK(error_of([&] { k.b.buffer("", F32); }) == "a parameter needs a name");
  CHECK(error_of([&] { k.b.scalar("X", F32); }) ==
        "two parameters are called X; give each its own name");
  for (int p = 2; p < 31; ++p) k.b.buffer("P" + std::to_string(p), F32);
  CHECK(error_of([&] { k.b.buffer("Q", F32); }) ==
        "a kernel takes at most 31 parameters; Q is one more: pass several values in one buffer");
  k.goes_on();
}

TEST_CASE("any text may be a name or a file") {
  Builder b("while; }\n#");
  b.set_location("a/b\n*/ // \"c\".cpp\n", 3);
  ValueId x = b.buffer("X[0]);\n", F32), y = b.buffer("\xff\xfe", F32);
  ValueId i = b.query(Op::ThreadPositionInGrid);
  ValueId v = b.load(x, i);
  b.set_name(v, "int");
  b.store(y, i, b.apply("+", {v, v}));
  auto kernel = compile(b.finish());
  CAPTURE(kernel->msl);
  // Every line is one that the emitter wrote.
  CHECK(kernel->msl.find("kernel void while_(device const float* X_0_ [[buffer(0)]],") !=
        std::string::npos);
  CHECK(kernel->msl.find("const float int_ = X_0_[") != std::string::npos);
  CHECK(kernel->msl.find("\n*/") == std::string::npos);
  CHECK(kernel->msl.find("\n#\n") == std::string::npos);
  CHECK(print(parse(kernel->ir)) == kernel->ir);
}

TEST_CASE("a module that was damaged is refused, or compiles") {
  auto make = [] {
    Kernel k;
    ValueId y = k.b.buffer("Y", I32), shared = k.b.threadgroup_alloc(F32, 64);
    k.b.store(shared, k.i, k.v);
    k.b.barrier(Op::Barrier, kMemThreadgroup);
    auto loop = k.b.begin_for(0, k.n, 1, U32, {0.0, 1});
    k.b.begin_if(k.b.apply("cmp_lt", {loop.index, k.i}));
    ValueId sum = k.b.apply("+", {loop.args[0], k.b.load(shared, loop.index)});
    ValueId chosen = k.b.end_if({sum}, {1.5})[0];
    auto results = k.b.end_for({chosen, k.b.apply("*", {loop.args[1], 3})});
    auto turn = k.b.begin_while({k.i});
    ValueId left = k.b.while_body(k.b.apply("cmp_gt", {turn.args[0], 3})).args[0];
    k.b.end_while({k.b.apply("/", {left, 2})});
    k.b.atomic(Op::AtomicAdd, y, 0, {results[1]});
    k.b.store_if(k.x, k.i, results[0], k.b.apply("isnan", {results[0]}));
    return k.b.finish();
  };
  const Module whole = make();
  CHECK(broken_rules(whole).empty());
  int refused = 0;
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    std::mt19937 random(seed);
    auto below = [&](size_t n) { return static_cast<uint32_t>(random() % n); };
    auto any = [&](size_t n) {  // an index, or one past the end, or far beyond
      const uint32_t choices[] = {below(n), static_cast<uint32_t>(n), UINT32_MAX,
                                  static_cast<uint32_t>(random())};
      return choices[below(4)];
    };
    Module m = whole;
    const size_t values = m.values.size(), insts = m.insts.size(), regions = m.regions.size();
    Instruction& inst = m.insts[below(insts)];
    Value& value = m.values[below(values)];
    Region& region = m.regions[below(regions)];
    Param& param = m.params[below(m.params.size())];
    switch (below(20)) {
      case 0:
        if (!inst.operands.empty()) inst.operands.back() = {any(values)};
        break;
      case 1:
        if (!inst.results.empty()) inst.results[0] = {any(values)};
        break;
      case 2:
        inst.op = static_cast<Op>(any(all_ops().size()));
        break;
      case 3:
        inst.attr = any(3);
        break;
      case 4:
        if (!inst.operands.empty()) inst.operands.pop_back();
        break;
      case 5:
        inst.operands.push_back({any(values)});
        break;
      case 6:
        if (!inst.regions.empty()) inst.regions[0] = {any(regions)};
        break;
      case 7:
        value.type.dtype = static_cast<DType>(any(kNumDTypes));
        break;
      case 8:
        value.type.kind = static_cast<Type::Kind>(any(5));
        break;
      case 9:
        value.type.rows = static_cast<uint8_t>(any(4));
        break;
      case 10:
        value.def = {any(insts)};
        break;
      case 11:
        value.region = {any(regions)};
        break;
      case 12:
        value.index = any(2);
        break;
      case 13:
        if (!region.insts.empty()) region.insts.back() = {any(insts)};
        break;
      case 14:
        if (!region.insts.empty()) region.insts.pop_back();
        break;
      case 15:
        region.parent = {any(insts)};
        break;
      case 16:
        param.value = {any(values)};
        break;
      case 17:
        param.dtype = static_cast<DType>(any(kNumDTypes));
        break;
      case 18:
        m.body = {any(regions)};
        break;
      default:
        m.locs[below(insts)].file = any(1);
    }
    try {
      auto artifact = compile(m);
      artifact->cpu(artifact->ir, {{64, 1, 1}, true});
    } catch (const Error&) {
      ++refused;
    } catch (const InternalError& e) {
      CHECK(std::string(e.what()).find("the IR of k is not sound:") != std::string::npos);
      ++refused;
    }
  }
  CHECK(refused > 1500);
  CHECK(refused < 3000);
}
