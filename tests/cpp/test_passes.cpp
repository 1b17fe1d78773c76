// Passes: what they remove, that names survive, and that random programs mean the same afterwards.

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "ir/verify.h"
#include "ir_interpreter.h"
#include "ir_samples.h"
#include "passes/passes.h"

using namespace enigma;

namespace {

std::string passed(Builder& b) {
  Module m = b.finish();
  run_passes(m, {});
  CHECK(broken_rules(m) == std::vector<std::string>{});
  return print(m);
}

// A program of random expressions, loops, conditions and carried values over scalars.
class Program {
 public:
  explicit Program(uint32_t seed) : random_(seed), b_("random") {
    for (DType t : {DType::I32, DType::U32, DType::F32, DType::I8, DType::U64}) {
      buffers_.push_back(b_.buffer(std::string("b_") + info(t).mnemonic, t));
      scope_.push_back(b_.scalar(std::string("s_") + info(t).mnemonic, t));
    }
    block(3);
    for (size_t k = 0; k < 4; ++k) store();
  }
  Module finish() { return b_.finish(); }

 private:
  size_t pick(size_t n) { return static_cast<size_t>(random_() % n); }
  ValueId any() { return scope_[pick(scope_.size())]; }

  Operand operand(ValueId beside) {
    if (pick(4)) return any();
    if (is_float(b_.type(beside).dtype)) return Literal(double(int(pick(5))) - 1.0);
    return whole(int64_t(pick(4)));
  }

  ValueId condition() {
    static const char* const kNames[] = {"cmp_lt", "cmp_eq", "cmp_ge", "cmp_ne", "cmp_gt"};
    for (;;) {
      ValueId a = any();
      if (pick(8) == 0) return b_.constant(pick(2) == 0);
      return b_.apply(kNames[pick(5)], {a, operand(a)});
    }
  }

  void expression() {
    static const char* const kNames[] = {"+", "-", "*", "/", "//", "%", "+", "-", "*"};
    static const char* const kBits[] = {"&", "|", "^", "<<", ">>", "imin", "imax", "mul_hi"};
    ValueId a = any();
    switch (pick(6)) {
      case 0:
        scope_.push_back(b_.cast(a, kDTypes[pick(kNumDTypes - 1)].dtype));
        return;
      case 1:
        if (is_integer(b_.type(a).dtype)) {
          ValueId c = any();
          if (!is_integer(b_.type(c).dtype)) c = a;
          scope_.push_back(b_.apply(kBits[pick(8)], {a, c}));
          return;
        }
        scope_.push_back(b_.apply("neg", {a}));
        return;
      case 2:
        scope_.push_back(b_.apply("where", {a, operand(a), condition()}));
        return;
      case 3:
        scope_.push_back(b_.load(buffers_[pick(buffers_.size())], whole(int64_t(pick(3)))));
        return;
      default:
        scope_.push_back(b_.apply(kNames[pick(9)], {a, operand(a)}));
    }
  }

  void store() { b_.store(buffers_[pick(buffers_.size())], whole(int64_t(pick(3))), any()); }

  void block(int depth) {
    for (size_t k = 2 + pick(5); k > 0; --k) {
      switch (pick(depth > 0 ? 9 : 5)) {
        case 0:
          store();
          break;
        case 5:
        case 6:
          if_(depth);
          break;
        case 7:
          for_(depth);
          break;
        case 8:
          while_(depth);
          break;
        default:
          expression();
      }
    }
  }

  std::vector<Operand> carried(size_t n) {
    std::vector<Operand> out;
    while (out.size() < n) out.push_back(any());
    return out;
  }

  void add(const std::vector<ValueId>& vs) { scope_.insert(scope_.end(), vs.begin(), vs.end()); }

  void if_(int depth) {
    const size_t outside = scope_.size(), results = pick(3);
    b_.begin_if(condition());
    block(depth - 1);
    auto then = carried(results);
    scope_.resize(outside);
    b_.begin_else();
    if (pick(2)) block(depth - 1);
    auto otherwise = carried(results);
    scope_.resize(outside);
    add(b_.end_if(then, otherwise));
  }

  void for_(int depth) {
    const size_t outside = scope_.size();
    auto inits = carried(pick(4));
    const bool down = pick(3) == 0;
    auto loop = b_.begin_for(whole(int64_t(pick(3))), whole(int64_t(pick(5))),
                             whole(down ? -1 : 1 + int64_t(pick(2))), DType::I32, inits);
    add(loop.args);
    scope_.push_back(loop.index);
    block(depth - 1);
    auto next = carried(loop.args.size());
    for (size_t k = 0; k < next.size(); ++k) {
      if (pick(4) == 0) next[k] = loop.args[pick(loop.args.size())];
    }
    scope_.resize(outside);
    add(b_.end_for(next));
  }

  void while_(int depth) {
    const size_t outside = scope_.size();
    auto inits = carried(1 + pick(2));
    inits.push_back(b_.constant(DType::I32, whole(0)));
    auto loop = b_.begin_while(inits);
    add(loop.args);
    ValueId more = b_.apply("cmp_lt", {loop.args.back(), whole(int64_t(pick(4)))});
    if (pick(2)) more = b_.apply("&", {more, condition()});
    scope_.resize(outside);
    auto body = b_.while_body(more);
    add(body.args);
    block(depth - 1);
    auto next = carried(body.args.size());
    next.back() = b_.apply("+", {body.args.back(), whole(1)});
    scope_.resize(outside);
    add(b_.end_while(next));
  }

  std::mt19937 random_;
  Builder b_;
  std::vector<ValueId> buffers_, scope_;
};

}  // namespace

TEST_CASE("what the passes leave of a kernel") {
  Builder b("k");
  ValueId x = b.buffer("X", DType::F32), out = b.buffer("Out", DType::F32);
  ValueId n = b.scalar("n", DType::I32), a = b.scalar("a", DType::F32);
  ValueId tid = b.query(Op::ThreadPositionInGrid);
  b.set_name(tid, "tid");
  Operand inits[] = {Literal(0.0), a, whole(3), whole(0)};
  auto loop = b.begin_for(whole(0), n, whole(1), DType::I32, inits);
  b.set_name(loop.index, "i");
  b.set_name(loop.args[0], "acc");
  // Invariant, twice; the second carried value never changes, the third is not read.
  ValueId scale = b.apply("*", {b.apply("+", {loop.args[1], Literal(1.0)}), Literal(2.0)});
  b.set_name(scale, "scale");
  ValueId again = b.apply("*", {b.apply("+", {a, Literal(1.0)}), Literal(2.0)});
  ValueId load = b.load(x, loop.index);
  ValueId dead = b.load(x, whole(7));
  b.set_name(dead, "dead");
  ValueId sum = b.apply("+", {loop.args[0], b.apply("*", {load, b.apply("+", {scale, again})})});
  Operand next[] = {sum, loop.args[1], b.apply("+", {loop.args[2], whole(1)}), loop.args[3]};
  auto results = b.end_for(next);
  b.set_name(results[0], "acc");
  b.begin_if(b.apply("cmp_lt", {b.apply("*", {whole(2), whole(3)}), whole(7)}));
  b.store(out, b.apply("+", {tid, results[3]}), results[0]);
  b.begin_else();
  b.store(out, tid, Literal(1.0));
  b.end_if({}, {});
  CHECK(passed(b) ==
        R"(enigma.kernel @k(%X: memref<f32, device>, %Out: memref<f32, device>, %n: i32, %a: f32) {
  %tid = gpu.thread_position_in_grid x : u32
  %0 = arith.constant 0 : i32
  %1 = arith.constant 1 : i32
  %2 = arith.constant 0.0 : f32
  %3 = arith.constant 1.0 : f32
  %4 = arith.addf %a, %3 : f32
  %5 = arith.constant 2.0 : f32
  %scale = arith.mulf %4, %5 : f32
  %6 = arith.addf %scale, %scale : f32
  %acc = scf.for %i = %0 to %n step %1 iter_args(%acc_0 = %2) -> (f32) : i32 {
    %7 = memref.load %X[%i] : memref<f32, device>
    %8 = arith.mulf %7, %6 : f32
    %9 = arith.addf %acc_0, %8 : f32
    scf.yield %9 : f32
  }
  memref.store %acc, %Out[%tid] : memref<f32, device>
}
)");
}

TEST_CASE("identities hold, and only where they hold for every input") {
  using enum DType;
  Builder b("k");
  ValueId f = b.scalar("f", F32), i = b.scalar("i", I32), u = b.scalar("u", U32);
  ValueId p = b.scalar("p", B1), h = b.scalar("h", F16);
  ValueId out = b.buffer("Out", F32), iout = b.buffer("I", I32), uout = b.buffer("U", U32);
  ValueId pout = b.buffer("P", B1), hout = b.buffer("H", F16);
  int64_t at = 0;
  auto keep = [&](ValueId to, ValueId v) { b.store(to, whole(at++), v); };
  keep(out, b.apply("+", {f, Literal(0.0)}));  // stays: -0 + 0 is 0
  keep(out, b.apply("+", {f, Literal(-0.0)}));
  keep(out, b.apply("*", {f, Literal(1.0)}));
  keep(out, b.apply("*", {f, Literal(0.0)}));  // stays: NaN
  keep(out, b.apply("-", {f, f}));             // stays: infinity - infinity
  keep(iout, b.apply("-", {i, i}));
  keep(iout, b.apply("*", {i, whole(0)}));
  keep(uout, b.apply("<<", {u, whole(32)}));
  keep(pout, b.apply("cmp_eq", {f, f}));  // stays: NaN
  keep(pout, b.apply("cmp_ge", {u, whole(0)}));
  keep(pout, b.apply("~", {b.apply("~", {p})}));
  keep(hout, b.cast(b.cast(h, F32), F16));
  keep(iout, b.cast(b.cast(i, F32), I32));  // stays: rounds
  keep(iout, b.cast(b.cast(i, I64), I32));
  keep(uout, b.cast(b.cast(u, U8), U32));  // stays: truncates
  Module m = b.finish();
  run_passes(m, {});
  std::vector<bool> folded;
  for (InstId id : m[m.body].insts) {
    if (m[id].op != Op::Store) continue;
    const Instruction* def = m.def(m[id].operands[2]);
    folded.push_back(!def || def->op == Op::Constant);
  }
  CHECK(folded == std::vector<bool>{false, true, true, false, false, true, true, true, false, true,
                                    true, true, false, true, false});
}

TEST_CASE("constants are computed as the devices do") {
  using enum DType;
  auto bits = [](Op op, DType t, std::initializer_list<uint64_t> x) {
    return evaluate(op, t, std::span(x.begin(), x.size()));
  };
  CHECK(bits(Op::AddI, I8, {127, 1}) == 128);
  CHECK(bits(Op::DivI, I8, {0x80, 0xFF}) == 0x80);
  CHECK(bits(Op::DivI, I32, {0xFFFFFFF9, 2}) == 0xFFFFFFFD);
  CHECK(bits(Op::FloorDivI, I32, {0xFFFFFFF9, 2}) == 0xFFFFFFFC);
  CHECK(bits(Op::FloorModI, I32, {0xFFFFFFF9, 3}) == 2);
  CHECK(bits(Op::FloorModI, I32, {7, 0xFFFFFFFD}) == 0xFFFFFFFE);
  CHECK(bits(Op::DivI, U64, {UINT64_MAX, 2}) == UINT64_MAX / 2);
  CHECK(bits(Op::DivI, I32, {1, 0}) == std::nullopt);
  CHECK(bits(Op::Shr, I8, {0x80, 9}) == 0xC0);
  CHECK(bits(Op::Shr, U8, {0x80, 9}) == 0x40);
  CHECK(bits(Op::MulHi, I16, {0x8000, 0x8000}) == 0x4000);
  CHECK(bits(Op::MulHi, U64, {UINT64_MAX, UINT64_MAX}) == UINT64_MAX - 1);
  CHECK(bits(Op::MulHi, I64, {UINT64_MAX, 1}) == UINT64_MAX);
  CHECK(bits(Op::Clz, I8, {1}) == 7);
  CHECK(bits(Op::Ctz, I16, {0}) == 16);
  CHECK(bits(Op::CmpLtI, I32, {0xFFFFFFFF, 0}) == 1);
  CHECK(bits(Op::CmpUlt, I32, {0xFFFFFFFF, 0}) == 0);
  CHECK(bits(Op::PowI, I32, {3, 5}) == 243);
  CHECK(bits(Op::PowI, I32, {0xFFFFFFFF, 0xFFFFFFFF}) == 0xFFFFFFFF);
  CHECK(bits(Op::PowI, I32, {2, 0xFFFFFFFF}) == 0);
  CHECK(bits(Op::AddF, F16, {0x7BFF, 0x7BFF}) == 0x7C00);
  CHECK(bits(Op::MulF, F32, {0x7F800000, 0x80000000}) == 0x7FC00000);
  CHECK(bits(Op::MaxF, F32, {0x7FC00000, 0x3F800000}) == 0x3F800000);
  CHECK(bits(Op::CmpNeF, F32, {0x7FC00000, 0x7FC00000}) == 1);
  CHECK(bits(Op::Fma, F16, {0x3C00, 0x3C00, 0x3C00}) == std::nullopt);
  CHECK(evaluate_cast(F32, I8, 0x43800000) == 127);  // 256
  CHECK(evaluate_cast(F32, U32, 0xBF800000) == 0);   // -1
  CHECK(evaluate_cast(F32, I32, 0x7FC00000) == 0);   // NaN
  CHECK(evaluate_cast(I8, U32, 0xFF) == 0xFFFFFFFF);
  CHECK(evaluate_cast(F32, B1, 0x7FC00000) == 1);
  CHECK(evaluate_cast(B1, F16, 1) == 0x3C00);
  for (float x : {0.1f, 3.0f, -7.25f, 1e-40f, 1e30f}) {  // against the host's own arithmetic
    for (float y : {0.7f, -1e-3f, 1e38f, 1e-45f}) {
      auto b = [](float z) { return uint64_t{std::bit_cast<uint32_t>(z)}; };
      CHECK(bits(Op::AddF, F32, {b(x), b(y)}) == b(x + y));
      CHECK(bits(Op::MulF, F32, {b(x), b(y)}) == b(x * y));
      CHECK(bits(Op::DivF, F32, {b(x), b(y)}) == b(x / y));
      CHECK(bits(Op::Fma, F32, {b(x), b(y), b(x)}) == b(std::fma(x, y, x)));
    }
  }
}

TEST_CASE("loops and conditions that decide nothing") {
  Builder b("k");
  ValueId out = b.buffer("Out", DType::I32);
  ValueId n = b.scalar("n", DType::I32), p = b.scalar("p", DType::B1);
  Operand inits[] = {n};
  auto loop = b.begin_for(whole(5), whole(5), whole(1), DType::I32, inits);
  Operand next[] = {b.apply("+", {loop.args[0], whole(1)})};
  auto none = b.end_for(next);
  b.begin_if(p);
  Operand one[] = {whole(1)}, two[] = {whole(2)};
  auto chosen = b.end_if(one, two);
  b.set_name(chosen[0], "chosen");
  b.store(out, whole(0), b.apply("+", {none[0], chosen[0]}));
  // A loop that computes nothing goes; a while that computes nothing may never end, and stays.
  auto idle = b.begin_for(whole(0), n, whole(1), DType::I32, {});
  b.apply("+", {idle.index, whole(1)});
  b.end_for({});
  auto forever = b.begin_while({});
  (void)forever;
  b.while_body(p);
  b.end_while({});
  CHECK(passed(b) == R"(enigma.kernel @k(%Out: memref<i32, device>, %n: i32, %p: b1) {
  %0 = arith.constant 1 : i32
  %1 = arith.constant 2 : i32
  %chosen = arith.select %1, %0, %p : i32
  %2 = arith.addi %n, %chosen : i32
  %3 = arith.constant 0 : u32
  memref.store %2, %Out[%3] : memref<i32, device>
  scf.while () : () {
    scf.condition(%p)
  } do {
  }
}
)");
}

TEST_CASE("sums in a loop are regrouped, so that one addition is left to each turn") {
  Builder b("k");
  ValueId x = b.buffer("X", DType::U32), n = b.scalar("n", DType::U32);
  ValueId a = b.scalar("a", DType::U32), c = b.scalar("c", DType::U32);
  auto loop = b.begin_for(whole(0), n, whole(1), DType::U32, {});
  ValueId i = loop.index;
  b.store(x, b.apply("+", {b.apply("+", {i, a}), c}), i);
  // What is used twice stays, and so does a constant beside it.
  ValueId shared = b.apply("+", {i, n});
  b.store(x, b.apply("+", {shared, whole(3)}), shared);
  b.end_for();
  CHECK(passed(b) == R"(enigma.kernel @k(%X: memref<u32, device>, %n: u32, %a: u32, %c: u32) {
  %0 = arith.constant 0 : u32
  %1 = arith.constant 1 : u32
  %2 = arith.addi %a, %c : u32
  %3 = arith.constant 3 : u32
  scf.for %4 = %0 to %n step %1 : u32 {
    %5 = arith.addi %4, %2 : u32
    memref.store %4, %X[%5] : memref<u32, device>
    %6 = arith.addi %4, %n : u32
    %7 = arith.addi %6, %3 : u32
    memref.store %6, %X[%7] : memref<u32, device>
  }
}
)");
}

TEST_CASE("random programs mean the same after each pass") {
  const std::pair<const char*, void (*)(Module&)> passes[] = {
      {"fold", fold},
      {"eliminate_common", eliminate_common},
      {"simplify_regions", simplify_regions},
      {"hoist_invariants", hoist_invariants},
      {"eliminate_dead", eliminate_dead}};
  int compared = 0;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    const Module original = Program(seed).finish();
    CAPTURE(seed);
    REQUIRE(broken_rules(original) == std::vector<std::string>{});
    CHECK(print(parse(print(original))) == print(original));
    Interpreter before(original, seed);
    if (before.steps() > 100000) continue;
    ++compared;
    for (const auto& [name, pass] : passes) {
      Module m = original;
      pass(m);
      CAPTURE(std::string(name));
      REQUIRE(broken_rules(m) == std::vector<std::string>{});
      CHECK(Interpreter(m, seed).written() == before.written());
    }
    Module m = original;
    run_passes(m, {});
    REQUIRE(broken_rules(m) == std::vector<std::string>{});
    CHECK(Interpreter(m, seed).written() == before.written());
    const std::string once = print(m);
    CHECK(print(parse(once)) == once);
  }
  CHECK(compared > 200);
}

TEST_CASE("a chain of 20 000 instructions passes through, and its text parses") {
  Builder b("k");
  ValueId x = b.buffer("X", DType::F32);
  ValueId v = b.load(x, whole(0));
  for (int k = 0; k < 20000; ++k) {
    v = b.apply("+", {b.apply("*", {v, Literal(double(k % 7 + 2))}), b.load(x, whole(k))});
    b.set_name(v, "v");
  }
  b.store(x, whole(0), v);
  Module m = b.finish();
  run_passes(m, {});
  const std::string text = print(m);
  CHECK(print(parse(text)) == text);
  verify(parse(text));
}
