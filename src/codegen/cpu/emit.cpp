// The functions around a kernel's bodies: the loop over threadgroups, the split into whole ones and
// those at the grid's edge, and the helpers that write a fault record.
#include "codegen/cpu/emit.h"

#include <algorithm>
#include <cstddef>

#include "codegen/cpu/body.h"
#include "support/cpu_abi.h"

namespace enigma {
namespace {

using cpu::Body;
using cpu::GroupShape;
using cpu_abi::Fault;

constexpr char kAxes[] = "xyz";

std::string symbol_of(const Module& m) {
  std::string name = "enigma_";
  for (char c : m.name) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain ? c : '_';
  }
  return name;
}

uint32_t along(const Dim3& d, int dim) { return dim == 0 ? d.x : dim == 1 ? d.y : d.z; }

// Fills the record if nobody has; its kind comes last, as whoever sees it reads the rest. Of the
// lanes in the mask the first is reported whose index is out of bounds. Indices are those in the
// list, or base + lane * stride in the width of their type; `where` is described at FaultSite.
// Without optimisation (optnone) it costs the least time to compile.
constexpr std::string_view kFault = R"(cold noinline optnone {
entry:
  %fault = inttoptr i64 %record to ptr
  %claimed.p = getelementptr i8, ptr %fault, i64 $claimed
  %before = atomicrmw xchg ptr %claimed.p, i32 1 acq_rel
  %mine = icmp eq i32 %before, 0
  br i1 %mine, label %start, label %done
start:
  %byte = lshr i64 %where, 8
  %unused = and i64 %byte, 255
  %signed.bit = and i64 %where, 1
  %signed = icmp ne i64 %signed.bit, 0
  %listed.bit = and i64 %where, 2
  %listed = icmp ne i64 %listed.bit, 0
  br label %look
look:
  %left = phi i32 [ %mask, %start ], [ %rest, %compare ]
  %lane = call i32 @llvm.cttz.i32(i32 %left, i1 false)
  br i1 %listed, label %read, label %compute
read:
  %own.p = getelementptr i64, ptr %list, i32 %lane
  %own = load i64, ptr %own.p
  br label %compare
compute:
  %lane.i64 = zext i32 %lane to i64
  %offset = mul i64 %lane.i64, %stride
  %sum = add i64 %base, %offset
  %high = shl i64 %sum, %unused
  %as.signed = ashr i64 %high, %unused
  %as.unsigned = lshr i64 %high, %unused
  %computed = select i1 %signed, i64 %as.signed, i64 %as.unsigned
  br label %compare
compare:
  %index = phi i64 [ %own, %read ], [ %computed, %compute ]
  %outside = icmp uge i64 %index, %size
  %less = sub i32 %left, 1
  %rest = and i32 %left, %less
  %last = icmp eq i32 %rest, 0
  %found = or i1 %outside, %last
  br i1 %found, label %report, label %look
report:
  %first = shl i32 %simd, 5
  %thread = add i32 %first, %lane
  %tx = urem i32 %thread, %ex
  %row = udiv i32 %thread, %ex
  %ty = urem i32 %row, %ey
  %tz = udiv i32 %row, %ey
  %x = add i32 %ox, %tx
  %y = add i32 %oy, %ty
  %z = add i32 %oz, %tz
  %location.i64 = lshr i64 %where, 32
  %location = trunc i64 %location.i64 to i32
  %param.i64 = lshr i64 %where, 16
  %param.i16 = trunc i64 %param.i64 to i16
  %param = zext i16 %param.i16 to i32
)";

void fault_function(Text& t, const std::string& symbol) {
  t.add("\ndefine internal void @", symbol,
        ".fault(i64 %record, i32 %kind, i64 %where, ptr %list, i64 %base, i64 %stride, i64 %size, "
        "i32 %mask, i32 %simd, i32 %ox, i32 %oy, i32 %oz, i32 %ex, i32 %ey) ");
  std::string body(kFault);
  body.replace(body.find("$claimed"), 8, concat(offsetof(Fault, claimed)));
  t.add(body);
  auto store = [&](const char* type, const char* name, size_t offset) {
    t.line("%", name, ".p = getelementptr i8, ptr %fault, i64 ", offset);
    t.line("store ", type, " %", name, ", ptr %", name, ".p");
  };
  store("i32", "location", offsetof(Fault, location));
  store("i32", "param", offsetof(Fault, param));
  store("i64", "index", offsetof(Fault, index));
  store("i64", "size", offsetof(Fault, size));
  store("i32", "x", offsetof(Fault, thread));
  store("i32", "y", offsetof(Fault, thread) + 4);
  store("i32", "z", offsetof(Fault, thread) + 8);
  t.line("store atomic i32 %kind, ptr %fault release, align 4");
  t.line("br label %done");
  t.add("done:\n");
  t.line("ret void");
  t.add("}\n");
}

// %e: the threads that the threadgroup really has, along each axis.
void actual_sizes(Text& t, const Dim3& threads) {
  for (int d = 0; d < 3; ++d) {
    char c = kAxes[d];
    uint32_t size = along(threads, d);
    t.line("%o", c, " = mul i32 %g", c, ", ", size);
    t.line("%left", c, " = sub i32 %grid", c, ", %o", c);
    t.line("%e", c, " = call i32 @llvm.umin.i32(i32 %left", c, ", i32 ", size, ")");
  }
}

// From one threadgroup to the next, x fastest.
void next_group(Text& t) {
  t.line("%group.next = add i64 %group, 1");
  t.line("%more = icmp slt i64 %group.next, %end");
  t.line("%x1 = add i32 %gx, 1");
  t.line("%xend = icmp eq i32 %x1, %groupsx");
  t.line("%gx.next = select i1 %xend, i32 0, i32 %x1");
  t.line("%y0 = zext i1 %xend to i32");
  t.line("%y1 = add i32 %gy, %y0");
  t.line("%yend = icmp eq i32 %y1, %groupsy");
  t.line("%gy.next = select i1 %yend, i32 0, i32 %y1");
  t.line("%z0 = zext i1 %yend to i32");
  t.line("%gz.next = add i32 %gz, %z0");
  t.line("br i1 %more, label %threadgroup, label %exit");
}

// The kernel: the loop over threadgroups. `main` runs inside of it, `edge` is called for those that
// are not whole (null: there are none, or main takes them all).
void kernel_function(Text& t, const std::string& symbol, const CpuVariant& variant, Body& main,
                     const GroupShape& shape, bool edge) {
  const Dim3& threads = variant.threads;
  t.add("define void @", symbol, "(ptr %args, i64 %begin, i64 %end, ptr %scratch) {\nentry:\n");
  for (uint32_t k = 0; k < 3; ++k) {
    main.word(cpu_abi::kGridX + k);
    main.word(cpu_abi::kGroupsX + k);
  }
  t.add(main.entry());
  for (uint32_t k = 0; k < 3; ++k) {
    char c = kAxes[k];
    t.line("%grid", c, " = trunc i64 %word", cpu_abi::kGridX + k, " to i32");
    t.line("%groups", c, " = trunc i64 %word", cpu_abi::kGroupsX + k, " to i32");
  }
  t.line("%some = icmp slt i64 %begin, %end");
  t.line("br i1 %some, label %start, label %exit");
  t.add("start:\n");
  t.line("%wx = zext i32 %groupsx to i64");
  t.line("%wy = zext i32 %groupsy to i64");
  t.line("%sx = urem i64 %begin, %wx");
  t.line("%row = udiv i64 %begin, %wx");
  t.line("%sy = urem i64 %row, %wy");
  t.line("%sz = udiv i64 %row, %wy");
  for (char c : {'x', 'y', 'z'}) t.line("%s", c, ".i32 = trunc i64 %s", c, " to i32");
  t.line("br label %threadgroup");
  t.add("threadgroup:\n");
  t.line("%group = phi i64 [ %begin, %start ], [ %group.next, %advance ]");
  for (char c : {'x', 'y', 'z'}) {
    t.line("%g", c, " = phi i32 [ %s", c, ".i32, %start ], [ %g", c, ".next, %advance ]");
  }
  if (edge || !shape.whole) actual_sizes(t, threads);
  if (edge) {
    for (int d = 0; d < 3; ++d) {
      char c = kAxes[d];
      t.line("%full", c, " = icmp eq i32 %e", c, ", ", along(threads, d));
    }
    t.line("%fullxy = and i1 %fullx, %fully");
    t.line("%full = and i1 %fullxy, %fullz");
    t.line("br i1 %full, label %whole, label %edge");
    t.add("edge:\n");
    t.line("%fault = call i1 @", symbol,
           ".edge(ptr %args, ptr %scratch, i32 %gx, i32 %gy, i32 %gz, i32 %ex, i32 %ey, i32 %ez)");
    t.line("br i1 %fault, label %failed, label %advance");
  } else {
    t.line("br label %whole");
  }
  // The body may be tens of megabytes: what comes before it goes in front of it.
  std::string body = main.take_text();
  t.str() = std::move(body.insert(0, t.str()));
  t.add("advance:\n");
  next_group(t);
  t.add("failed:\n");
  t.line("br label %exit");
  t.add("exit:\n");
  // Stores past the caches are ordered by nothing else.
  if (variant.streams) t.line("fence seq_cst");
  t.line("ret void");
  t.add("}\n");
}

void edge_function(Text& t, const std::string& symbol, Body& body) {
  t.add("\ndefine internal i1 @", symbol,
        ".edge(ptr %args, ptr %scratch, i32 %gx, i32 %gy, i32 %gz, i32 %ex, i32 %ey, i32 %ez) "
        "noinline {\nentry:\n");
  t.add(body.entry());
  t.line("br label %part");
  t.add(body.text());
  t.add("finished:\n");
  t.line("ret i1 false");
  t.add("failed:\n");
  t.line("ret i1 true");
  t.add("}\n");
}

}  // namespace

CpuCode emit_cpu(const Verified& kernel, const CpuVariant& variant) {
  const Module& m = kernel.module();
  CpuCode code;
  code.symbol = symbol_of(m);
  cpu::ScratchLayout scratch = cpu::lay_out_scratch(m);
  // Where the last SIMD-group is never full, one masked body runs all threadgroups.
  GroupShape whole{variant.threads, variant.threads.total() % cpu::kLanes == 0};
  bool edge = variant.edges && whole.whole;

  Text t(2);
  Body main(kernel, whole, variant, scratch, code.symbol);
  main.write("whole", "advance");
  code.scratch_bytes = main.scratch_bytes();
  t.indent();
  kernel_function(t, code.symbol, variant, main, whole, edge);
  if (edge) {
    Body part(kernel, GroupShape{variant.threads, false}, variant, scratch, code.symbol);
    part.write("part", "finished");
    code.scratch_bytes = std::max<size_t>(code.scratch_bytes, part.scratch_bytes());
    edge_function(t, code.symbol, part);
  }
  fault_function(t, code.symbol);
  t.add("\n!0 = !{!\"branch_weights\", i32 2000, i32 1}\n!1 = !{i32 1}\n");
  code.llvm_ir = std::move(t.str());
  return code;
}

}  // namespace enigma
