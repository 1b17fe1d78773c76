// The verifier finds each broken rule; uniformity and provably divergent barriers.

#include <doctest/doctest.h>

#include <functional>

#include "ir/locations.h"
#include "ir/verify.h"
#include "ir_samples.h"

using namespace enigma;

namespace {

bool breaks(const std::function<void(Module&)>& edit, std::string_view rule) {
  Module m = nested_sample();
  edit(m);
  for (const std::string& text : broken_rules(m)) {
    if (text.find(rule) != std::string::npos) return true;
  }
  MESSAGE("rule: ", rule, ", found: ", broken_rules(m).empty() ? "nothing" : broken_rules(m)[0]);
  return false;
}

InstId find(const Module& m, Op op) {
  for (uint32_t i = 0; i < m.insts.size(); ++i) {
    if (m.insts[i].op == op) return InstId{i};
  }
  FAIL("no such instruction");
  return {};
}

}  // namespace

TEST_CASE("each broken rule is found") {
  using M = Module&;
  CHECK(breaks([](M m) { m.locs.pop_back(); }, "locs is not parallel"));
  CHECK(breaks([](M m) { m[find(m, Op::Store)].operands[0] = ValueId{9999}; },
               "an operand does not exist"));
  CHECK(breaks([](M m) { m[find(m, Op::Load)].attr = 3; }, "a vector access of a wrong size"));
  CHECK(breaks([](M m) { m.params[0].multiple = 4; }, "and not a u32 with a multiple up to"));
  CHECK(breaks([](M m) { m.value_names[0] = 99; }, "name does not exist"));
  CHECK(breaks([](M m) { m.locs[0].file = 7; }, "file does not exist"));
  CHECK(breaks([](M m) { m[m.body].insts.push_back(m[m.body].insts[3]); }, "in two places"));
  CHECK(breaks([](M m) { std::swap(m[m.body].insts[1], m[m.body].insts[3]); },
               "is not visible here"));
  CHECK(breaks([](M m) { m[find(m, Op::If)].regions[1] = m[find(m, Op::If)].regions[0]; },
               "held twice"));
  CHECK(breaks([](M m) { m[m[find(m, Op::If)].regions[0]].insts.pop_back(); },
               "does not end with scf.yield"));
  CHECK(breaks([](M m) { m[m[find(m, Op::While)].regions[0]].insts.pop_back(); },
               "does not end with scf.condition"));
  CHECK(breaks(
      [](M m) {
        auto& insts = m[m[find(m, Op::For)].regions[0]].insts;
        std::swap(insts.front(), insts.back());
      },
      "before the end"));
  CHECK(breaks([](M m) { m[find(m, Op::AddF)].operands.pop_back(); }, "number of operands"));
  CHECK(breaks([](M m) { m[find(m, Op::AddF)].op = Op::AddI; }, "its letter I refuses"));
  CHECK(breaks([](M m) { m.values[m[find(m, Op::AddF)].results[0].index].type.dtype = DType::F16; },
               "the result is not of type f32"));
  CHECK(
      breaks([](M m) { m[find(m, Op::Constant)].attr = uint64_t{1} << 40; }, "exceeds its width"));
  CHECK(breaks([](M m) { m[find(m, Op::ThreadPositionInGrid)].attr = 3; }, "unknown dimension"));
  CHECK(breaks([](M m) { m[find(m, Op::Barrier)].attr = 8; }, "unknown memory flags"));
  CHECK(breaks([](M m) { m[find(m, Op::AtomicAdd)].attr = 9; }, "order that it cannot have"));
  CHECK(breaks([](M m) { m[find(m, Op::ThreadgroupAlloc)].attr = 0; }, "wrong size"));
  CHECK(breaks([](M m) { m[find(m, Op::ThreadgroupAlloc)].attr = 8193; }, "more than 32 KiB"));
  CHECK(breaks([](M m) { m[find(m, Op::For)].operands[2] = m.params[0].value; },
               "memory is carried"));
  CHECK(breaks([](M m) { m[find(m, Op::For)].operands.pop_back(); }, "initial values"));
  CHECK(breaks([](M m) { m[m[find(m, Op::For)].regions[0]].args.pop_back(); }, "arguments"));
  CHECK(breaks([](M m) { m[find(m, Op::Load)].attr = 1; }, "a vector access of a wrong size"));
  CHECK(breaks([](M m) { m.params[2].dtype = DType::F32; }, "parameter n is not of type"));
  CHECK(breaks([](M m) { m[find(m, Op::If)].operands[0] = m.params[2].value; }, "is not a b1"));
  CHECK(breaks(
      [](M m) {
        // A value of an inner region used after it.
        const InstId inner = find(m, Op::AddF);
        m[find(m, Op::AtomicAdd)].operands[1] = m[inner].results[0];
      },
      "is not visible here"));
  CHECK_THROWS_AS(
      [] {
        Module m = nested_sample();
        m[find(m, Op::Barrier)].attr = 8;
        verify(std::move(m));
      }(),
      InternalError);
}

TEST_CASE("uniformity") {
  using enum DType;
  Builder b("k");
  ValueId in = b.buffer("In", F32), out = b.buffer("Out", F32);
  ValueId n = b.scalar("n", I32);
  ValueId shared = b.threadgroup_alloc(F32, 64);
  ValueId tid = b.query(Op::ThreadPositionInGrid), group = b.query(Op::ThreadgroupPositionInGrid);
  ValueId sg = b.query(Op::SimdgroupIndexInThreadgroup);
  ValueId g2 = b.apply("+", {group, n}), mixed = b.apply("+", {sg, group});
  ValueId varying = b.apply("+", {sg, tid});
  ValueId constant_load = b.load(in, n), group_load = b.load(in, group);
  ValueId written_load = b.load(out, whole(0)), own_load = b.load(in, tid);
  b.store(out, tid, own_load);
  ValueId shared_load = b.load(shared, whole(0));
  ValueId sum = b.apply("simd_sum", {own_load});
  ValueId shuffled = b.apply("simd_shuffle", {own_load, whole(3)});
  // Carried: uniform until a varying value comes in from the second of two swapped values.
  Operand inits[] = {n, n, whole(0)};
  auto loop = b.begin_for(whole(0), n, whole(1), I32, inits);
  Operand next[] = {loop.args[1], b.cast(tid, I32), b.apply("+", {loop.args[2], whole(1)})};
  auto results = b.end_for(next);
  // A trip count that varies makes the results vary, not the index.
  Operand one[] = {whole(0)};
  auto uneven = b.begin_for(whole(0), b.cast(tid, I32), whole(1), I32, one);
  ValueId inside = b.apply("+", {uneven.args[0], whole(1)});
  Operand inside_next[] = {inside};
  auto uneven_results = b.end_for(inside_next);
  b.begin_if(b.apply("cmp_lt", {sg, whole(1)}));
  Operand a[] = {whole(1)}, c[] = {whole(2)};
  auto chosen = b.end_if(a, c);
  b.barrier(Op::Barrier, kMemThreadgroup);
  Module m = b.finish();
  Uniformity u = analyse_uniformity(m);
  CHECK(u[n] == Level::Grid);
  CHECK(u[group] == Level::Group);
  CHECK(u[g2] == Level::Group);
  CHECK(u[sg] == Level::Simd);
  CHECK(u[mixed] == Level::Simd);
  CHECK(u[varying] == Level::Varying);
  CHECK(u[constant_load] == Level::Grid);
  CHECK(u[group_load] == Level::Group);
  CHECK(u[written_load] == Level::Simd);
  CHECK(u[own_load] == Level::Varying);
  CHECK(u[shared_load] == Level::Group);  // never written
  CHECK(u[sum] == Level::Simd);
  CHECK(u[shuffled] == Level::Varying);
  CHECK(u[results[0]] == Level::Varying);
  CHECK(u[results[1]] == Level::Varying);
  CHECK(u[results[2]] == Level::Grid);
  CHECK(u[uneven.index] == Level::Grid);
  CHECK(u[inside] == Level::Grid);
  CHECK(u[uneven_results[0]] == Level::Varying);
  CHECK(u[chosen[0]] == Level::Simd);
  CHECK(u.control[m[m[inside].def].results.empty() ? 0 : m[inside].def.index] == Level::Varying);
  CHECK(u.has_barrier[find(m, Op::Barrier).index]);
  CHECK_FALSE(u.has_barrier[find(m, Op::For).index]);
}

namespace {

// The error of a kernel with a barrier under a condition, "" when it passes.
std::string barrier_under(const std::function<ValueId(Builder&)>& condition,
                          Op barrier = Op::Barrier) {
  Builder b("k");
  b.set_location("k.py", 5);
  ValueId c = condition(b);
  b.begin_if(c);
  b.set_location("k.py", 6);
  b.barrier(barrier, kMemThreadgroup);
  b.end_if({}, {});
  try {
    verify(b.finish());
  } catch (const Error& e) {
    CHECK(e.where().line == 6);
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("barriers that provably not all threads reach") {
  auto tid = [](Builder& b) { return b.query(Op::ThreadPositionInGrid); };
  auto lid = [](Builder& b) { return b.query(Op::ThreadPositionInThreadgroup); };
  auto lane = [](Builder& b) { return b.query(Op::ThreadIndexInSimdgroup); };
  auto sg = [](Builder& b) { return b.query(Op::SimdgroupIndexInThreadgroup); };
  CHECK(
      barrier_under(
          [&](Builder& b) { return b.apply("cmp_lt", {tid(b), b.scalar("n", DType::I32)}); }) ==
      "barrier inside an if_ whose condition differs between threads of a threadgroup (line 5): "
      "threads that wait there would wait forever; move the barrier out of the if_, and keep only "
      "the loads and stores inside");
  auto refused = [&](auto f) { return !barrier_under(f).empty(); };
  auto refused_simd = [&](auto f) { return !barrier_under(f, Op::SimdBarrier).empty(); };
  CHECK(refused([&](Builder& b) { return b.apply("cmp_eq", {lid(b), whole(0)}); }));
  CHECK(refused([&](Builder& b) { return b.apply("cmp_lt", {lane(b), whole(16)}); }));
  CHECK(refused([&](Builder& b) { return b.apply("cmp_eq", {sg(b), whole(0)}); }));
  CHECK(refused([&](Builder& b) {
    ValueId x = b.apply("*", {b.apply("+", {tid(b), whole(3)}), whole(2)});
    ValueId not_it = b.apply("~", {b.apply("cmp_ge", {x, whole(100)})});
    return b.apply("&", {not_it, b.apply("cmp_gt", {b.scalar("n", DType::I32), whole(0)})});
  }));
  CHECK(refused([&](Builder& b) {
    return b.apply("cmp_lt",
                   {b.cast(lid(b), DType::I32), b.load(b.buffer("A", DType::I32), whole(0))});
  }));
  // Not provable, or not so.
  CHECK_FALSE(refused([&](Builder& b) { return b.apply("cmp_lt", {lane(b), whole(32)}); }));
  CHECK_FALSE(refused([&](Builder& b) { return b.apply("cmp_ge", {whole(1023), lid(b)}); }));
  CHECK_FALSE(refused([&](Builder& b) {
    return b.apply("cmp_lt", {b.apply("-", {tid(b), lid(b)}), b.scalar("n", DType::U32)});
  }));
  CHECK_FALSE(refused([&](Builder& b) {
    return b.apply("cmp_lt", {b.load(b.buffer("A", DType::I32), tid(b)), whole(3)});
  }));
  CHECK_FALSE(refused([&](Builder& b) {
    return b.apply("cmp_lt", {b.apply("*", {tid(b), b.scalar("n", DType::U32)}), whole(3)});
  }));
  CHECK_FALSE(refused([&](Builder& b) {
    return b.apply("cmp_lt", {b.query(Op::ThreadgroupPositionInGrid), whole(3)});
  }));
  // A SIMD-group's barrier minds its own threads only.
  CHECK_FALSE(refused_simd([&](Builder& b) { return b.apply("cmp_eq", {sg(b), whole(0)}); }));
  CHECK(refused_simd([&](Builder& b) { return b.apply("cmp_eq", {lane(b), whole(0)}); }));
}

TEST_CASE("barriers in loops") {
  auto run = [](int kind) -> std::string {
    Builder b("k");
    b.set_location("k.py", 5);
    ValueId lid = b.query(Op::ThreadPositionInThreadgroup);
    ValueId n = b.scalar("n", DType::I32);
    if (kind < 4) {
      Operand lo = whole(0), hi = n, step = whole(1);
      if (kind == 1) hi = lid;
      if (kind == 2) lo = lid;
      if (kind == 3) lo = lid, step = whole(256);
      b.begin_for(lo, hi, step, DType::I32, {});
      b.barrier(Op::Barrier, kMemThreadgroup);
      b.end_for({});
    } else {
      Operand inits[] = {whole(0)};
      auto loop = b.begin_while(inits);
      if (kind == 5) b.barrier(Op::Barrier, kMemThreadgroup);
      auto body =
          b.while_body(b.apply("cmp_lt", {loop.args[0], kind == 6 ? n : b.cast(lid, DType::I32)}));
      if (kind != 5) b.barrier(Op::Barrier, kMemThreadgroup);
      Operand next[] = {b.apply("+", {body.args[0], whole(1)})};
      b.end_while(next);
    }
    try {
      verify(b.finish());
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  CHECK(run(0) == "");
  CHECK(
      run(1) ==
      "barrier inside a loop whose number of turns differs between threads of a threadgroup (line "
      "5): threads that wait there would wait forever; move the barrier out of the loop, and keep "
      "only the loads and stores inside");
  CHECK(run(2) != "");
  CHECK(run(3) == "");  // all threads may have the same number of turns
  CHECK(run(4) != "");
  CHECK(run(5) != "");
  CHECK(run(6) == "");
}

TEST_CASE("location numbers") {
  Module m = nested_sample();
  LocationTable table(m);
  REQUIRE(table.list().size() == 8);
  CHECK(table.list()[0].line == 1);
  CHECK(table.list()[7].line == 11);
  for (uint32_t i = 0; i < m.insts.size(); ++i) {
    if (info(m.insts[i].op).shape == Shape::Yield) continue;
    CHECK(table.list()[table[InstId{i}]].line == m.location(InstId{i}).line);
  }
}
