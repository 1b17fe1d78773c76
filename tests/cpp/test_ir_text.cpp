// The text form: what is printed parses back to the same text, and nothing crashes the parser.

#include <doctest/doctest.h>

#include <random>

#include "caught.h"
#include "ir/locations.h"
#include "ir/verify.h"
#include "ir_samples.h"

using namespace enigma;

namespace {

std::vector<std::string> locations(const Module& m) {
  const LocationTable table(m);
  std::vector<std::string> out;
  for (const Location& l : table.list()) {
    out.push_back(l.file + ":" + std::to_string(l.line));
  }
  return out;
}

void check_round_trip(const Module& m) {
  const std::string text = print(m);
  CAPTURE(text);
  CHECK(broken_rules(m) == std::vector<std::string>{});
  Module again = parse(text);
  CHECK(print(again) == text);
  CHECK(broken_rules(again) == std::vector<std::string>{});
  CHECK(locations(again) == locations(m));
  REQUIRE(again.params.size() == m.params.size());
  for (size_t k = 0; k < m.params.size(); ++k) {
    CHECK(again.params[k].name == m.params[k].name);
    CHECK(again.params[k].read == m.params[k].read);
    CHECK(again.params[k].written == m.params[k].written);
  }
}

std::string parse_error(std::string_view text) {
  const Error e = caught([&] { parse(text); });
  CHECK(e.where().line > 0);
  return e.what();
}

}  // namespace

TEST_CASE("every row of every type makes the round trip") {
  int tried = 0;
  for (const OpInfo& row : all_ops()) {
    for (const DTypeInfo& t : kDTypes) {
      if (!takes_sample(row.op, t.dtype)) continue;
      CAPTURE(row.mnemonic);
      CAPTURE(t.mnemonic);
      check_round_trip(sample(row.op, t.dtype));
      ++tried;
    }
  }
  CHECK(tried > 500);
}

TEST_CASE("the text of a kernel with all control flow") {
  Module m = nested_sample();
  check_round_trip(m);
  CHECK(print(m) ==
        R"(enigma.kernel @nested(%X: memref<f32, device>, %count: memref<u32, device>, %n: i32) {
  %shared = memref.alloc 256 : memref<f32, threadgroup> loc("k.py":1)
  %tid = gpu.thread_position_in_grid x : u32 loc("k.py":2)
  %lid = gpu.thread_position_in_threadgroup x : u32 loc("k.py":2)
  %0 = memref.load %X[%tid] : memref<f32, device> loc("k.py":3)
  memref.store %0, %shared[%lid] : memref<f32, threadgroup> loc("k.py":3)
  gpu.barrier mem_threadgroup loc("k.py":3)
  %1 = arith.constant 0 : i32 loc("k.py":4)
  %2 = arith.constant 1 : i32 loc("k.py":4)
  %3 = arith.constant 0.0 : f32 loc("k.py":4)
  %4 = arith.constant 1 : i32 loc("k.py":4)
  %acc, %5 = scf.for %i = %1 to %n step %2 iter_args(%acc_0 = %3, %last = %4) -> (f32, i32) : i32 {
    %6 = arith.constant 1 : i32 loc("k.py":5)
    %7 = arith.andi %i, %6 : i32 loc("k.py":5)
    %8 = arith.constant 1 : i32 loc("k.py":5)
    %9 = arith.cmpi_eq %7, %8 : i32 loc("k.py":5)
    %acc_1 = scf.if %9 -> (f32) {
      %10 = memref.load %shared[%i] : memref<f32, threadgroup> loc("k.py":6)
      %acc_2 = arith.addf %acc_0, %10 : f32 loc("k.py":6)
      scf.yield %acc_2 : f32 loc("k.py":9)
    } else {
      %11, %12 = scf.while (%acc_3 = %acc_0, %k = %i) : (f32, i32) {
        %13 = arith.constant 0 : i32 loc("k.py":8)
        %14 = arith.cmpi_gt %k, %13 : i32 loc("k.py":8)
        scf.condition(%14) loc("k.py":8)
      } do {
      ^bb0(%acc_4: f32, %k_0: i32):
        %15 = arith.constant 0.5 : f32 loc("k.py":8)
        %16 = arith.mulf %acc_4, %15 : f32 loc("k.py":8)
        %17 = arith.constant 1 : i32 loc("k.py":8)
        %18 = arith.subi %k_0, %17 : i32 loc("k.py":8)
        scf.yield %16, %18 : f32, i32 loc("k.py":8)
      } loc("k.py":8)
      scf.yield %11 : f32 loc("k.py":9)
    } loc("k.py":5)
    scf.yield %acc_1, %i : f32, i32 loc("k.py":9)
  } loc("k.py":4)
  %19 = arith.cast %5 : i32 to u32 loc("k.py":11)
  %20 = arith.cmpi_lt %lid, %19 : u32 loc("k.py":11)
  scf.if %20 {
    memref.store %acc, %X[%tid] : memref<f32, device> loc("k.py":11)
  } loc("k.py":11)
  %21 = arith.constant 0 : u32 loc("k.py":11)
  %22 = arith.constant 1 : u32 loc("k.py":11)
  %23 = atomic.fetch_add relaxed %count[%21], %22 : memref<u32, device> loc("k.py":11)
  gpu.simd_barrier mem_none loc("k.py":11)
}
)");
}

TEST_CASE("constants keep every bit") {
  const uint64_t patterns[] = {
      0,          1,          0x7FFFFFFF, 0x80000000,       0x7F800000, 0xFF800000,
      0x7FC00000, 0x7F800001, 0xFFC12345, 0x3DCCCCCD,       0x00800000, 0x007FFFFF,
      0x7F7FFFFF, 0x7C00,     0x7E01,     0xFC00,           0x3C01,     0x8000,
      0x7F80,     0x3F81,     UINT64_MAX, uint64_t{1} << 63};
  for (const DTypeInfo& row : kDTypes) {
    for (uint64_t pattern : patterns) {
      Module m = sample(Op::Constant, row.dtype);
      const uint64_t bits = row.dtype == DType::B1 ? pattern & 1
                            : row.bits == 64       ? pattern
                                                   : pattern & ((uint64_t{1} << row.bits) - 1);
      for (Instruction& inst : m.insts) {
        if (inst.op == Op::Constant) inst.attr = bits;
      }
      Module again = parse(print(m));
      CAPTURE(print(m));
      for (const Instruction& inst : again.insts) {
        if (inst.op == Op::Constant) CHECK(inst.attr == bits);
      }
    }
  }
}

TEST_CASE("errors name place and expectation") {
  CHECK(parse_error("") ==
        "line 1, column 1: expected \"enigma.kernel\", found the end of the text");
  const std::string head = "enigma.kernel @k(%X: memref<f32, device>, %n: i32) {\n";
  CHECK(parse_error(head) ==
        "line 2, column 1: expected an instruction, found the end of the text");
  CHECK(parse_error(head + "  %a = arith.addi %n, %m : i32\n}") ==
        "line 2, column 24: expected a value that is defined: %m is not");
  CHECK(parse_error(head + "  %a = arith.addi %n : i32\n}") ==
        "line 2, column 22: expected 2 operands of arith.addi, found 1");
  CHECK(parse_error(head + "  %a = arith.addi %n, %n : f32\n}") ==
        "line 2, column 28: expected i32, found f32");
  CHECK(parse_error(head + "  %a = arith.foo %n\n}") ==
        "line 2, column 8: expected an instruction, found \"arith.foo\"");
  CHECK(parse_error(head + "  %a = memref.load %n[%n] : i32\n}") ==
        "line 2, column 29: expected a memref, found i32");
  CHECK(parse_error(head + "  %a = arith.constant 300 : u8\n}") ==
        "line 2, column 29: expected a number of type u8, found 300");
  CHECK(parse_error(head + "  %n = arith.constant 1 : u8\n}") ==
        "line 2, column 4: expected a new name: %n is defined already");
  CHECK(parse_error("enigma.kernel @k(%X: memref<f32, device> buffer(4294967296)) {\n}") ==
        "line 1, column 49: expected an index from 0 to 30, found 4294967296");
  CHECK(parse_error("enigma.kernel @k(%n: u32 size(2147483648)) {\n}") ==
        "line 1, column 31: expected a multiple from 1 to 2147483647, found 2147483648");
  CHECK(parse_error("enigma.kernel @k(%n: i32 size(4)) {\n}") ==
        "line 1, column 32: expected u32 for a size, found i32");
  CHECK(parse_error(head + "  %a = memref.load %X[%n] lanes(3) : memref<f32, device>\n}") ==
        "line 2, column 56: expected memory of which 3 elements are a vector, found memref<f32, "
        "device>");
  CHECK(parse_error(head + "} extra") ==
        "line 2, column 3: expected the end of the text, found \"extra\"");
  std::string deep = head;
  for (int k = 0; k < 100000; ++k) deep += "scf.if %n {\n";
  CHECK(parse_error(deep) == "line 201, column 11: expected at most 200 regions in one another");
}

TEST_CASE("no text crashes parser, verifier or printer") {
  std::vector<std::string> seeds = {print(nested_sample()), print(sample(Op::LoadIf, DType::F16)),
                                    print(sample(Op::AtomicCas, DType::U32)),
                                    print(sample(Op::Select, DType::I8))};
  std::mt19937 random(12345);
  auto pick = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const std::string_view pieces[] = {"%",
                                     "{",
                                     "}",
                                     "(",
                                     ")",
                                     ":",
                                     "scf.yield",
                                     "scf.if",
                                     "scf.for",
                                     "memref.load",
                                     "vector<4xf32>",
                                     "f32",
                                     "i32",
                                     "b1",
                                     ",",
                                     "=",
                                     "%tid",
                                     "%acc",
                                     "[",
                                     "]",
                                     "loc(\"\":1)",
                                     "0x",
                                     "-1",
                                     "1e999",
                                     "matrix<4x4xf16>",
                                     "memref<f32, thread>",
                                     "\n",
                                     "else",
                                     "^bb0"};
  int parsed = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = seeds[pick(seeds.size())];
    for (size_t edits = 1 + pick(4); edits > 0; --edits) {
      const size_t at = pick(text.size());
      const size_t length = std::min(pick(12), text.size() - at);
      switch (pick(5)) {
        case 0:
          text.erase(at, length);
          break;
        case 1:
          text[at] = static_cast<char>(random());
          break;
        case 2:
          text.insert(at, pieces[pick(std::size(pieces))]);
          break;
        case 3:
          text.insert(pick(text.size()), text.substr(at, pick(60)));
          break;
        case 4:
          text.replace(at, length, pieces[pick(std::size(pieces))]);
          break;
      }
      if (text.empty()) text = " ";
    }
    try {
      Module m = parse(text);
      ++parsed;
      const bool sound = broken_rules(m).empty();
      const std::string printed = print(m);
      if (sound) CHECK(print(parse(printed)) == printed);
    } catch (const Error& e) {
      CHECK(e.where().line > 0);
    }
  }
  CHECK(parsed > 100);
}
