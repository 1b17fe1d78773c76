// The ring of a pipeline: its arithmetic, and that unrolling leaves what a kernel means.

#include "enigma/pipeline.h"

#include <doctest/doctest.h>

#include <random>

#include "enigma/compile.h"
#include "ir/verify.h"
#include "ir_interpreter.h"
#include "ir_samples.h"
#include "passes/passes.h"

using namespace enigma;

namespace {

// Nested loops that advance a pipeline here and there, and mix what they see of it into a number.
class Program {
 public:
  explicit Program(uint32_t seed)
      : random_(seed),
        b_("rings"),
        out_(b_.buffer("Out", DType::U32)),
        n_(b_.scalar("n", DType::I32)),
        pipe_(b_, DType::F32, 4, 2 + int64_t(pick(4))),
        slot_(b_.constant(DType::U32, whole(0))),
        seen_(b_.constant(DType::U32, whole(1))) {
    block(3);
    look();
    b_.store(out_, whole(0), seen_);
  }
  Module finish() { return b_.finish(); }

 private:
  size_t pick(size_t n) { return static_cast<size_t>(random_() % n); }

  void look() {
    Operand stage = pipe_.offset(slot_, int64_t(pick(size_t(pipe_.stages()))));
    seen_ = b_.apply("+", {b_.apply("*", {seen_, whole(31)}), stage});
  }
  void advance() { slot_ = b_.convert(pipe_.next(slot_), Type::scalar(DType::U32)); }

  void block(int depth) {
    for (size_t k = 1 + pick(3); k > 0; --k) {
      switch (pick(depth ? 6 : 2)) {
        case 0:
          look();
          break;
        case 1:
          advance();
          break;
        case 2:
          if_(depth);
          break;
        default:
          for_(depth);
      }
    }
  }

  void for_(int depth) {
    const int64_t lo = int64_t(pick(5)) - 2, turns = int64_t(pick(12)), step = int64_t(pick(5)) - 2;
    const int64_t by = step ? step : 1, hi = lo + turns * by - (by > 1 ? 1 : 0);
    auto loop = b_.begin_for(whole(lo), pick(4) ? Operand(whole(hi)) : Operand(n_), whole(by),
                             DType::I32, {slot_, seen_});
    slot_ = loop.args[0];
    seen_ = b_.apply("+", {loop.args[1], b_.cast(loop.index, DType::U32)});
    block(depth - 1);
    auto results = b_.end_for({slot_, seen_});
    slot_ = results[0];
    seen_ = results[1];
  }

  void if_(int depth) {
    const ValueId slot = slot_, seen = seen_;
    const bool known = pick(2);
    b_.begin_if(known ? b_.constant(pick(2) == 0) : b_.apply("cmp_lt", {n_, seen_}));
    block(depth - 1);
    Operand then[] = {slot_, seen_};
    auto results = b_.end_if(then, {slot, seen});
    slot_ = results[0];
    seen_ = results[1];
  }

  std::mt19937 random_;
  Builder b_;
  ValueId out_, n_;
  Pipeline pipe_;
  ValueId slot_, seen_;
};

}  // namespace

TEST_CASE("unrolled rings mean what the loops meant") {
  size_t larger = 0;
  for (uint32_t seed = 0; seed < 1500; ++seed) {
    CAPTURE(seed);
    Module m = Program(seed).finish();
    Module passed = m;
    unroll_rings(passed);
    CHECK(broken_rules(passed) == std::vector<std::string>{});
    larger += passed.insts.size() > m.insts.size();
    for (uint64_t scalars : {uint64_t{0}, uint64_t{1}}) {
      Interpreter before(m, scalars), after(passed, scalars);
      CHECK(before.written() == after.written());
    }
    run_passes(passed, {});
    CHECK(broken_rules(passed) == std::vector<std::string>{});
    CHECK(Interpreter(m, 0).written() == Interpreter(passed, 0).written());
  }
  CHECK(larger > 200);  // or nothing was tried
}

TEST_CASE("a number in a loop of known turns, a carried value elsewhere") {
  for (bool known : {true, false}) {
    Builder b("k");
    ValueId out = b.buffer("Out", DType::F32), n = b.scalar("n", DType::I32);
    Pipeline pipe(b, DType::F32, 64, 3);
    CHECK(std::get<Literal>(pipe.offset(whole(2), 2)) == whole(64));
    CHECK(std::get<Literal>(pipe.next(whole(2))) == whole(0));
    auto loop = b.begin_for(whole(0), known ? Operand(whole(30)) : n, whole(1), DType::I32,
                            {b.constant(DType::U32, whole(0))});
    b.set_name(loop.args[0], "slot");
    b.store(out, loop.index, b.load(pipe.memory(), pipe.offset(loop.args[0], 0)));
    b.end_for({pipe.next(loop.args[0])});
    const std::string text = compile(b.finish())->msl;
    CHECK((text.find("slot") == text.npos) == known);
    CHECK((text.find("i += 3") != text.npos) == known);
  }
}

TEST_CASE("what a pipeline refuses") {
  Builder b("k");
  b.set_location("k.cpp", 7);
  auto refusal = [&](auto use) -> std::string {
    try {
      use();
    } catch (const Error& e) {
      CHECK(e.where().line == 7);
      return e.what();
    }
    return "";
  };
  CHECK(refusal([&] { Pipeline(b, DType::F32, 64, 1); }) ==
        "pipeline: stages is 1: it must be at least 2, one tile to use and one to fill");
  CHECK(refusal([&] { Pipeline(b, DType::F32, 0, 2); }) ==
        "pipeline: size is 0: it must be at least 1");
  CHECK(refusal([&] { Pipeline(b, DType::F16, 8192, 3); }) ==
        "pipeline: 3 stages x 8192 x f16 need 49152 bytes; threadgroup memory is limited to 32768 "
        "bytes; use fewer stages or smaller tiles");
  Pipeline pipe(b, DType::F32, 64, 3);
  CHECK(refusal([&] { pipe.offset(whole(0), 3); }) ==
        "pipeline: there is no stage 3: the 3 stages are 0 to 2");
}

TEST_CASE("slots that are none") {
  Builder b("k");
  Pipeline pipe(b, DType::F32, 4, 3);
  CHECK_THROWS_WITH(pipe.next(3), "pipeline: the slot 3 is none of the 3, which are 0 to 2");
  CHECK_THROWS_WITH(pipe.offset(-1, 0), "pipeline: the slot -1 is none of the 3, which are 0 to 2");
  CHECK_THROWS_WITH(pipe.offset(0.5, 1),
                    "pipeline: the slot 0.5 is none of the 3, which are 0 to 2");
}
