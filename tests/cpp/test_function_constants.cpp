// Function constants: what the builder and the verifier refuse, what passes keep, their text in the
// IR and in MSL, and the check of their values before a launch.

#include <doctest/doctest.h>

#include <algorithm>

#include "enigma/compile.h"
#include "enigma/runtime.h"
#include "ir/signature.h"
#include "ir/verify.h"
#include "ir_samples.h"
#include "passes/passes.h"

using namespace enigma;

namespace {

template <class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    std::string where = e.where().line ? " @ " + std::to_string(e.where().line) : "";
    return e.what() + where;
  }
  return "";
}

bool contains(const std::string& text, std::string_view part) {
  CAPTURE(text);
  CAPTURE(part);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

size_t count(const std::string& text, std::string_view part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// Out[tid + n] = scale * n, asked for in a loop and in a condition as well.
Module shifted() {
  Builder b("shifted");
  b.set_location("k.py", 1);
  ValueId out = b.buffer("Out", DType::F32);
  ValueId tid = b.query(Op::ThreadPositionInGrid);
  b.set_location("k.py", 2);
  ValueId scale = b.function_constant(DType::F32, 7);
  b.set_name(scale, "scale");
  auto loop = b.begin_for(whole(0), whole(1), whole(1), DType::I32, {});
  b.set_location("k.py", 3);
  ValueId n = b.function_constant(DType::U32, 0);
  b.set_name(n, "n");
  b.begin_if(b.apply("cmp_gt", std::array<Operand, 2>{n, whole(0)}));
  b.set_location("k.py", 4);
  ValueId again = b.function_constant(DType::U32, 0);
  b.set_name(again, "again");
  b.store(out, loop.index, b.apply("*", std::array<Operand, 2>{scale, again}));
  b.end_if({}, {});
  b.end_for({});
  b.set_location("k.py", 6);
  b.store(out, b.apply("+", std::array<Operand, 2>{tid, n}), scale);
  return b.finish();
}

std::shared_ptr<const Artifact> artifact() { return compile(shifted()); }

std::string bits_of(const std::vector<ConstantInfo>& constants) {
  std::string out;
  for (const ConstantInfo& c : constants) {
    out += std::to_string(c.index) + " " + c.name + " " + info(c.dtype).mnemonic + ", ";
  }
  return out;
}

}  // namespace

TEST_CASE("the builder takes an index from 0 to 65535, of one type") {
  Builder b("k");
  b.set_location("k.py", 5);
  b.function_constant(DType::I32, 0);
  b.function_constant(DType::I32, 0);
  b.function_constant(DType::F32, 65535);
  b.set_location("k.py", 6);
  CHECK(message([&] { b.function_constant(DType::F32, 0); }) ==
        "function constant 0 is i32 (line 5) and cannot be f32 as well; give one of them another "
        "index @ 6");
  CHECK(message([&] { b.function_constant(DType::F32, -1); }) ==
        "function_constant takes an index from 0 to 65535, not -1 @ 6");
  CHECK(message([&] { b.function_constant(DType::F32, 65536); }) ==
        "function_constant takes an index from 0 to 65535, not 65536 @ 6");
  CHECK(function_constants(b.module()).size() == 2);
}

TEST_CASE("what a failed region has asked for is forgotten") {
  Builder b("k");
  ValueId out = b.buffer("Out", DType::F32);
  b.threadgroup_alloc(DType::F32, 4);
  b.function_constant(DType::I32, 1);
  b.begin_if(Literal(true));
  b.function_constant(DType::I32, 2);
  b.threadgroup_alloc(DType::F32, 4);
  b.function_constant(DType::I32, 3);
  b.abandon();
  ValueId c = b.function_constant(DType::F32, 2);
  b.threadgroup_alloc(DType::F32, 8);
  b.store(out, whole(0), c);
  Module m = b.finish();
  CHECK(broken_rules(m) == std::vector<std::string>{});
  const auto found = function_constants(m);
  REQUIRE(found.size() == 2);
  CHECK(found[0].index == 1);
  CHECK(found[1].dtype == DType::F32);
  CHECK(threadgroup_bytes(m) == 48);
}

TEST_CASE("passes merge them, keep unused ones, and never fold") {
  Builder b("k");
  ValueId out = b.buffer("Out", DType::I32);
  ValueId a = b.function_constant(DType::I32, 3);
  b.set_name(a, "a");
  b.function_constant(DType::F32, 4);
  ValueId c = b.function_constant(DType::I32, 3);
  b.store(out, whole(0), b.apply("-", std::array<Operand, 2>{a, c}));
  b.store(out, whole(1), b.apply("*", std::array<Operand, 2>{a, whole(2)}));
  Module m = b.finish();
  CHECK(count(print(m), "gpu.function_constant 3 : i32") == 2);
  run_passes(m, {});
  const std::string text = print(m);
  CHECK(count(text, "%a = gpu.function_constant 3 : i32") == 1);
  CHECK(count(text, "gpu.function_constant") == 2);
  contains(text, "gpu.function_constant 4 : f32");
  contains(text, "arith.muli %a,");
  CHECK(count(text, "arith.subi") == 0);  // a - a is 0 whatever a is
  CHECK(print(parse(text)) == text);
}

TEST_CASE("text round trip and what the parser refuses") {
  const std::string text = print(shifted());
  CHECK(print(parse(text)) == text);
  auto parsed = [](const std::string& line) {
    return message([&] { parse("enigma.kernel @k() {\n  " + line + "\n}\n"); });
  };
  CHECK(parsed("%0 = gpu.function_constant 65535 : bf16") == "");
  contains(parsed("%0 = gpu.function_constant x : i32"), "expected an index");
  contains(parsed("%0 = gpu.function_constant 1 : vector<4xf32>"), "expected a scalar type");
  contains(parsed("gpu.function_constant 1 : i32"), "expected 1 results");
}

TEST_CASE("the verifier") {
  auto broken = [](auto edit) {
    Module m = shifted();
    edit(m);
    const auto rules = broken_rules(m);
    return rules.empty() ? std::string() : rules.front();
  };
  auto first = [](Module& m) { return function_constants(m)[0].first; };
  CHECK(broken([](Module&) {}).empty());
  contains(broken([&](Module& m) { m[first(m)].attr = 65536; }), "an index above 65535");
  contains(broken([&](Module& m) { m[first(m)].attr = 7; }), "a function constant of two types");
  contains(broken([&](Module& m) {
             m.values[m[first(m)].results[0].index].type = Type::vector(DType::U32, 2);
           }),
           "a function constant is no scalar");
  contains(broken([&](Module& m) {
             const InstId moved = first(m);
             std::erase(m[m.body].insts, moved);
             auto& inner = m.regions[1].insts;
             inner.insert(inner.begin(), moved);
           }),
           "a function constant outside of the kernel's body");
}

TEST_CASE("they are uniform over the grid, and so a barrier may depend on them") {
  Builder b("k");
  ValueId on = b.function_constant(DType::B1, 0);
  ValueId n = b.function_constant(DType::I32, 1);
  b.begin_if(on);
  b.barrier(Op::Barrier, kMemThreadgroup);
  b.end_if({}, {});
  b.begin_for(whole(0), n, whole(1), DType::I32, {});
  b.barrier(Op::Barrier, kMemThreadgroup);
  b.end_for({});
  Module m = b.finish();
  const Uniformity u = analyse_uniformity(m);
  CHECK(u[on] == Level::Grid);
  CHECK(u[n] == Level::Grid);
  CHECK(message([&] { verify(m); }) == "");
}

TEST_CASE("MSL declares one for each index, at file scope") {
  auto a = artifact();
  contains(a->msl,
           "\nconstant uint n [[function_constant(0)]];  // k.py:3\n"
           "constant float scale [[function_constant(7)]];  // k.py:2\n\n"
           "kernel void shifted(");
  CHECK(count(a->msl, "function_constant") == 2);
  contains(a->msl, " = n > 0u;");
  contains(a->msl, "Out[thread_position_in_grid.x + n] = scale;");
  CHECK(bits_of(a->constants) == "0 n u32, 7 scale f32, ");

  Builder b("k");
  ValueId out = b.buffer("constant_2", DType::F32);
  b.set_name(b.function_constant(DType::U64, 1), "float");
  b.store(out, whole(0), b.function_constant(DType::BF16, 2));
  a = compile(b.finish());
  // Reserved words and the names of parameters are avoided; a bfloat comes as its bits.
  contains(a->msl, "constant ulong float_ [[function_constant(1)]];\n");
  contains(a->msl, "constant ushort constant_2_1 [[function_constant(2)]];\n");
  contains(a->msl, "constant_2[0] = float(as_type<bfloat>(constant_2_1));");
  CHECK(bits_of(a->constants) == "1 float u64, 2  bf16, ");
}

TEST_CASE("every device checks the values") {
  auto runtime = make_cpu_runtime({}, 1);
  auto kernel = artifact();
  std::vector<float> out(10);
  auto prepare = [&](std::vector<ConstantValue> constants) {
    return runtime->prepare(kernel, {{out.data(), 40, nullptr}}, std::move(constants));
  };
  auto refused = [&](std::vector<ConstantValue> constants) {
    return message([&] { prepare(std::move(constants)); });
  };
  const ConstantValue n{0, DType::U32, 3}, scale{7, DType::F32, 0x3f800000};
  CHECK(refused({n, scale}) == "");
  CHECK(refused({scale, n}) == "");
  CHECK(refused({scale}) ==
        "shifted: no value is given for function constant 0 (n, u32); prepare and execute take it "
        "as constants={0: value}");
  CHECK(refused({n, scale, {1, DType::F32, 0}}) ==
        "shifted: has no function constant 1; it has: 0 (n, u32), 7 (scale, f32)");
  CHECK(refused({n, scale, n}) == "shifted: two values are given for function constant 0 (n, u32)");
  CHECK(refused({n, {7, DType::U32, 1}}) ==
        "shifted: the value given for function constant 7 (scale, f32) is of type u32");
  CHECK(refused({{0, DType::U32, uint64_t{1} << 32}, scale}) ==
        "shifted: the value given for function constant 0 (n, u32) has bits beyond its width");
  kernel = compile(Builder("bare").finish());
  CHECK(message([&] { runtime->prepare(kernel, {}, {n}); }) ==
        "bare: has no function constants, but a value is given for index 0");
}

TEST_CASE("they count for what a launch knows of indices") {
  // Out[tid + n], with 10 elements; what passes the check fails only for want of a compiler.
  auto runtime = make_cpu_runtime({}, 1);
  auto kernel = artifact();
  std::vector<float> out(10);
  auto run = [&](uint32_t n, uint32_t grid) {
    auto p = runtime->prepare(kernel, {{out.data(), 40, nullptr}},
                              {{0, DType::U32, n}, {7, DType::F32, 0}});
    return message([&] { p->dispatch({grid}, {32}); });
  };
  const std::string no_compiler =
      "shifted: the CPU device has no compiler; give make_cpu_runtime one";
  CHECK(run(0, 10) == no_compiler);
  CHECK(run(6, 4) == no_compiler);
  CHECK(run(6, 5) ==
        "shifted: the grid (5, 1, 1) makes Out[...] reach index 10, but Out has 10 elements; pass "
        "at least 11 elements, or a smaller grid, or guard the access @ 6");
}
