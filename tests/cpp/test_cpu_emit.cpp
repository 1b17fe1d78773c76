// The structure of emitted CPU kernels: sound SSA, masks only where lanes part, phases, scratch.
// That the numbers are right is tested from Python, where the kernels run.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <set>
#include <sstream>

#include "codegen/cpu/emit.h"
#include "codegen/cpu/lanes.h"
#include "ir_samples.h"
#include "passes/passes.h"

using namespace enigma;

namespace {

constexpr CpuVariant kWhole{{256, 1, 1}, false};
constexpr CpuVariant kEdges{{256, 1, 1}, true};
constexpr CpuVariant kStreams{{256, 1, 1}, true, true};
constexpr CpuVariant kInStep{{256, 1, 1}, false, false, 16};

CpuCode emit(const Module& m, const CpuVariant& v = kWhole) { return emit_cpu(verify(m), v); }

// A sample as the CPU gets it.
Module lowered(Op op, DType t) {
  Module m = sample(op, t);
  lower_async_copies(m);
  return m;
}

size_t count(const std::string& text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

// The names after each '%' of a line.
std::vector<std::string> names(std::string_view line) {
  std::vector<std::string> out;
  for (size_t i = line.find('%'); i != line.npos; i = line.find('%', i)) {
    size_t end = ++i;
    while (end < line.size() && (isalnum(line[end]) || line[end] == '.' || line[end] == '_')) ++end;
    out.emplace_back(line.substr(i, end - i));
  }
  return out;
}

// What LLVM's parser and verifier would say, as far as a text shows: one definition of each name,
// no use of what is not defined, every block ended once, every label there.
std::string problems(const std::string& ir) {
  std::istringstream in(ir);
  std::set<std::string> defined, used;
  bool open = false, in_function = false;
  std::string out;
  auto expect = [&](bool ok, const char* what, const std::string& where) {
    if (!ok) out += std::string(what) + ": " + where + "\n";
  };
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("define")) {
      defined.clear();
      used.clear();
      in_function = true;
      for (const std::string& name : names(line)) defined.insert(name);
    } else if (line == "}") {
      expect(!open, "a block without an end", "");
      for (const std::string& name : used) expect(defined.count(name), "not defined", name);
      in_function = false;
    } else if (in_function && line.ends_with(":")) {
      expect(!open, "no jump before", line);
      expect(defined.insert(line.substr(0, line.size() - 1)).second, "defined twice", line);
      open = true;
    } else if (in_function) {
      expect(open, "behind the end of a block", line);
      auto all = names(line);
      if (line.find(" = ") != line.npos) {
        expect(defined.insert(all[0]).second, "defined twice", line);
        all.erase(all.begin());
      }
      used.insert(all.begin(), all.end());
      if (line.starts_with("  br ") || line.starts_with("  ret ")) open = false;
    }
  }
  return out;
}

// X[f(thread)] = 1, for an index made by `index` from the position x in the grid.
template <class F>
Module store_at(F index) {
  Builder b("k");
  ValueId x = b.buffer("X", DType::F32);
  b.store(x, index(b, b.query(Op::ThreadPositionInGrid)), Literal(1.0));
  return b.finish();
}

ValueId apply(Builder& b, const char* name, Operand x, Operand y) {
  return b.apply(name, std::array<Operand, 2>{x, y});
}

}  // namespace

TEST_CASE("every row and type gives sound text in every kind of body") {
  const CpuVariant variants[] = {
      kWhole, kEdges, kStreams, kInStep, {{8, 4, 2}, true}, {{10, 1, 1}, false}};
  for (const OpInfo& row : all_ops()) {
    for (const DTypeInfo& t : kDTypes) {
      if (!takes_sample(row.op, t.dtype)) continue;
      CAPTURE(row.mnemonic);
      CAPTURE(t.mnemonic);
      Verified kernel = verify(lowered(row.op, t.dtype));
      for (const CpuVariant& v : variants) CHECK(problems(emit_cpu(kernel, v).llvm_ir) == "");
    }
  }
  for (const CpuVariant& v : variants) CHECK(problems(emit(nested_sample(), v).llvm_ir) == "");
}

TEST_CASE("the same kernel and variant give the same text") {
  Verified kernel = verify(nested_sample());
  CpuCode a = emit_cpu(kernel, kEdges), b = emit_cpu(kernel, kEdges);
  CHECK(a.llvm_ir == b.llvm_ir);
  CHECK(a.symbol == "enigma_nested");
  CHECK(a.scratch_bytes == b.scratch_bytes);
}

TEST_CASE("a whole threadgroup with consecutive indices has vectors and no masks") {
  std::string ir = emit(store_at([](Builder&, ValueId i) { return i; })).llvm_ir;
  CHECK(count(ir, "store <32 x float> splat") == 1);
  CHECK(count(ir, "<32 x i1>") == 0);
  CHECK(count(ir, "masked") == 0);
  CHECK(count(ir, ".edge") == 0);
}

TEST_CASE("what is written once goes past the caches when it is large") {
  Module once = store_at([](Builder&, ValueId i) { return i; });
  std::string ir = emit(once, kStreams).llvm_ir;
  constexpr size_t kPieces = 4;                 // of 32 floats, in order
  CHECK(count(ir, "!nontemporal") == kPieces);  // in whole SIMD-groups
  CHECK(count(ir, "fence seq_cst") == 1);
  CHECK(count(emit(once, kEdges).llvm_ir, "nontemporal") == 0);
  CHECK(count(emit(once, kEdges).llvm_ir, "fence") == 0);

  Builder b("k");
  ValueId read = b.buffer("Read", DType::F32), twice = b.buffer("Twice", DType::F32),
          still = b.buffer("Still", DType::F32), moving = b.buffer("Moving", DType::U32);
  ValueId i = b.query(Op::ThreadPositionInGrid);
  b.store(read, i, b.load(read, i));
  b.store(twice, i, Literal(1.0));
  b.store(twice, i, Literal(2.0));
  ValueId turn = b.begin_for(Literal(0), Literal(9), Literal(1), DType::U32).index;
  b.store(still, i, Literal(1.0));
  b.store(moving, apply(b, "+", i, turn), turn);
  b.end_for();
  // One SIMD-group, so that none goes in step and writes the store again.
  const CpuVariant alone{{32, 1, 1}, true, true};
  ir = emit(b.finish(), alone).llvm_ir;
  CHECK(count(ir, "!nontemporal") == kPieces);
  CHECK(count(ir, "@llvm.prefetch") == 2);  // the lines of Read that come soon
}

TEST_CASE("the next row is fetched while a threadgroup goes over its own for the last time") {
  auto rows = [](int passes) {
    Builder b("k");
    ValueId x = b.buffer("X", DType::F32), out = b.buffer("Out", DType::F32),
            weight = b.buffer("Weight", DType::F32), columns = b.scalar("columns", DType::U32);
    ValueId lane = b.query(Op::ThreadPositionInThreadgroup);
    ValueId row = apply(b, "*", b.query(Op::ThreadgroupPositionInGrid), columns);
    for (int k = 0; k < passes; ++k) {
      if (k > 0) b.barrier(Op::Barrier, kMemThreadgroup);
      ValueId i = b.begin_for(lane, columns, Literal(256), DType::U32).index;
      ValueId at = apply(b, "+", row, i);
      b.store(out, at, apply(b, "*", b.load(x, at), b.load(weight, i)));
      b.end_for();
    }
    return b.finish();
  };
  const CpuVariant alone{{32, 1, 1}, false};
  CHECK(count(emit(rows(1), alone).llvm_ir, "@llvm.prefetch") == 0);
  CHECK(count(emit(rows(2), alone).llvm_ir, "@llvm.prefetch") == 2);  // lines of X
  CHECK(count(emit(rows(3), alone).llvm_ir, "@llvm.prefetch") == 2);
  const CpuVariant past{{32, 1, 1}, false, true};
  CHECK(count(emit(rows(1), past).llvm_ir, "@llvm.prefetch") == 0);
  CHECK(count(emit(rows(3), past).llvm_ir, "@llvm.prefetch") == 4);  // and the row after it
}

TEST_CASE("atomics have their orders, and lanes are joined where no order of them shows") {
  auto text = [](Op op, DType t, MemoryOrder order, bool used = false) {
    Builder b("k");
    ValueId x = b.buffer("X", t), out = b.buffer("Out", t);
    ValueId i = b.query(Op::ThreadPositionInGrid);
    std::vector<Operand> values(info(op).operands.size() - 2, b.cast(i, t));
    std::optional<ValueId> old = b.atomic(op, x, 0, values, order);
    if (used) b.store(out, i, *old);
    return emit(b.finish()).llvm_ir;
  };
  using enum MemoryOrder;
  CHECK(count(text(Op::AtomicLoad, DType::I32, Acquire), " acquire, align 4") == 1);
  CHECK(count(text(Op::AtomicStore, DType::F32, Release), " release, align 4") ==
        2);  // one is the fault's
  CHECK(count(text(Op::AtomicStore, DType::F32, Relaxed), " monotonic, align 4") == 1);
  CHECK(count(text(Op::AtomicCas, DType::F32, AcqRel), " acq_rel acquire, align 4") == 1);
  CHECK(count(text(Op::AtomicCas, DType::I32, Release), " release monotonic, align 4") == 1);
  CHECK(count(text(Op::AtomicExchange, DType::F32, SeqCst), " seq_cst, align 4") == 1);

  const char* const kJoined = "call i32 @llvm.vector.reduce.add.v32i32";
  CHECK(count(text(Op::AtomicAdd, DType::I32, AcqRel), kJoined) == 1);
  CHECK(count(text(Op::AtomicAdd, DType::I32, AcqRel, true), kJoined) == 0);
  std::string least = text(Op::AtomicMin, DType::F32, Relaxed);
  CHECK(count(least, "call float @llvm.minnum.f32(") == 1);
  CHECK(count(least, "atomicrmw fmin ptr") == 1);
  std::string sum = text(Op::AtomicAdd, DType::F32, Relaxed);  // joined it would round otherwise
  CHECK(count(sum, "@llvm.vector.reduce.fadd.v32f32(") == 0);
  CHECK(count(sum, "atomicrmw fadd ptr") == 1);
}

TEST_CASE("loops are run for several SIMD-groups in step, with one check for all of them") {
  Builder b("k");
  ValueId x = b.buffer("X", DType::F32), n = b.scalar("n", DType::U32);
  ValueId i = b.query(Op::ThreadPositionInThreadgroup);
  Builder::Loop loop =
      b.begin_for(i, n, Literal(256), DType::U32, std::array<Operand, 1>{Literal(0.0)});
  ValueId sum = apply(b, "+", loop.args[0], b.load(x, loop.index));
  ValueId total = b.end_for(std::array<Operand, 1>{sum})[0];
  b.store(x, i, total);
  Module m = b.finish();
  std::string ir = emit(m, kInStep).llvm_ir;
  CHECK(problems(ir) == "");
  CHECK(count(ir, "load <32 x float>") > count(emit(m, kWhole).llvm_ir, "load <32 x float>"));
  CHECK(count(ir, "label %fault") == 3);  // of the loop in step, its rest, the store
}

TEST_CASE("edges are a function of their own; without a full SIMD-group there is nothing else") {
  Module m = store_at([](Builder&, ValueId i) { return i; });
  std::string both = emit(m, kEdges).llvm_ir;
  CHECK(count(both, "define internal i1 @enigma_k.edge(") == 1);
  CHECK(count(both, "call void @llvm.masked.store") == 1);
  CHECK(count(both, "store <32 x float>") == 1);
  std::string part = emit(m, {{100, 1, 1}, true}).llvm_ir;
  CHECK(count(part, ".edge") == 0);
  CHECK(count(part, "call void @llvm.masked.store") == 1);
  CHECK(count(part, "store <32 x float>") == 0);
}

TEST_CASE("the index decides between one access, a run and a gather") {
  auto scaled = [](int64_t by) {
    return store_at([=](Builder& b, ValueId i) { return apply(b, "*", i, Literal(by)); });
  };
  CHECK(count(emit(scaled(1)).llvm_ir, "store <32 x float>") == 1);
  CHECK(count(emit(scaled(0)).llvm_ir, "store float") == 1);
  CHECK(count(emit(scaled(3)).llvm_ir, "masked.scatter") == 1);
  Module reversed =
      store_at([](Builder& b, ValueId i) { return apply(b, "-", b.query(Op::ThreadsPerGrid), i); });
  CHECK(count(emit(reversed).llvm_ir, "store <32 x float>") == 1);
}

TEST_CASE("rows of a threadgroup as wide as a SIMD-group are uniform along y") {
  Verified kernel = verify([] {
    Builder b("k");
    b.query(Op::ThreadPositionInGrid, 0);
    b.query(Op::ThreadPositionInGrid, 1);
    return b.finish();
  }());
  using cpu::LaneForm;
  auto form = [&](Dim3 threads, bool whole, int k) {
    return cpu::analyse_lanes(kernel, {threads, whole})[static_cast<size_t>(k)];
  };
  CHECK(form({32, 8, 1}, true, 0) == LaneForm{LaneForm::Linear, 1});
  CHECK(form({32, 8, 1}, true, 1).kind == LaneForm::Uniform);
  CHECK(form({32, 8, 1}, false, 1).kind == LaneForm::Vector);
  CHECK(form({16, 16, 1}, true, 1).kind == LaneForm::Vector);
  CHECK(form({100, 1, 1}, false, 0) == LaneForm{LaneForm::Linear, 1});
}

TEST_CASE("an index that was checked is not checked again") {
  Builder b("k");
  ValueId x = b.buffer("X", DType::F32);
  ValueId i = b.query(Op::ThreadPositionInGrid);
  b.store(x, i, apply(b, "+", b.load(x, i), Literal(1.0)));
  CHECK(count(emit(b.finish()).llvm_ir, "!prof") == 1);
}

TEST_CASE("a barrier cuts the loop over SIMD-groups; what lives across it goes to scratch") {
  auto kernel = [](bool barrier, bool keep) {
    Builder b("k");
    ValueId x = b.buffer("X", DType::F32);
    ValueId shared = b.threadgroup_alloc(DType::F32, 256);
    ValueId i = b.query(Op::ThreadPositionInGrid), l = b.query(Op::ThreadPositionInThreadgroup);
    ValueId v = b.load(x, i);
    b.store(shared, l, v);
    if (barrier) b.barrier(Op::Barrier, kMemThreadgroup);
    ValueId other = b.load(shared, apply(b, "-", Literal(int64_t{255}), l));
    b.store(x, i, keep ? apply(b, "+", other, v) : other);
    return b.finish();
  };
  CpuCode one = emit(kernel(false, true)), two = emit(kernel(true, true)),
          passing = emit(kernel(true, false));
  CHECK(count(one.llvm_ir, "\nsimd.") == 1);
  CHECK(count(two.llvm_ir, "\nsimd.") == 2);
  CHECK(one.scratch_bytes == 1024 + 64);
  CHECK(passing.scratch_bytes == 1024 + 64);  // positions are computed again
  CHECK(two.scratch_bytes == 1024 + 64 + 256 * 4);
}

TEST_CASE("one SIMD-group needs no loop, and a threadgroup of one SIMD-group no slot for others") {
  CpuCode code = emit(nested_sample(), {{32, 1, 1}, false});
  CHECK(count(code.llvm_ir, "\nsimd.") == 0);
}

TEST_CASE("a barrier under a condition that the data decides is checked when it runs") {
  Builder b("k");
  ValueId x = b.buffer("X", DType::I32);
  b.set_location("k.py", 5);
  ValueId v = b.load(x, b.query(Op::ThreadPositionInGrid));
  b.begin_if(apply(b, "cmp_gt", v, Literal(int64_t{0})));
  b.barrier(Op::Barrier, kMemThreadgroup);
  b.end_if({}, {});
  std::string ir = emit(b.finish()).llvm_ir;
  CHECK(count(ir, ".fault(i64 %word6, i32 2,") == 1);
}

TEST_CASE("float operations keep their meaning: only reductions may reorder") {
  for (const OpInfo& row : all_ops()) {
    if (!takes_sample(row.op, DType::F32)) continue;
    CAPTURE(row.mnemonic);
    std::string ir = emit(lowered(row.op, DType::F32)).llvm_ir;
    for (const char* flag :
         {" fast ", " nnan ", " ninf ", " nsz ", " arcp ", " contract ", " afn "}) {
      CHECK(count(ir, flag) == 0);
    }
    CHECK(count(ir, "reassoc") == count(ir, "reassoc float @llvm.vector.reduce.f"));
  }
}

TEST_CASE("text grows with the kernel, and nested conditions do not double it") {
  auto chain = [](int n) {
    Builder b("k");
    ValueId x = b.buffer("X", DType::F32);
    ValueId i = b.query(Op::ThreadPositionInGrid), v = b.load(x, i);
    for (int k = 0; k < n; ++k) {
      v = apply(b, "+", v, Literal(k + 0.5));
      if (k % 10 == 0) {
        b.begin_if(apply(b, "cmp_gt", v, Literal(k * 1.0)));
        b.store(x, i, v);
        b.end_if({}, {});
      }
    }
    b.store(x, i, v);
    return emit(b.finish(), kEdges).llvm_ir.size();
  };
  size_t small = chain(200), large = chain(2000);
  CHECK(large < 11 * small);
  auto nest = [](int depth) {
    Builder b("k");
    ValueId x = b.buffer("X", DType::F32);
    ValueId i = b.query(Op::ThreadPositionInGrid);
    for (int k = 0; k < depth; ++k) b.begin_if(apply(b, "cmp_gt", b.load(x, i), Literal(k * 1.0)));
    b.store(x, i, Literal(1.0));
    for (int k = 0; k < depth; ++k) b.end_if({}, {});
    return emit(b.finish()).llvm_ir.size();
  };
  CHECK(nest(24) < 4 * nest(8));
}
