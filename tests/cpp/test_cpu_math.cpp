// The structure of what the CPU math emits: exact constants, known names, no calls to libraries.
// That the numbers are right is tested from Python, where the kernels run.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "codegen/cpu/expr.h"
#include "codegen/cpu/math.h"
#include "codegen/cpu/table.h"
#include "enigma/error.h"

using namespace enigma;
using namespace enigma::cpu;

namespace {

/// Intrinsics that are instructions, or a few of them, on every CPU that we compile for. Others
/// (exp, round, pow, ...) become calls to a library, once per lane.
const std::set<std::string> kInstructions = {
    "fma",    "sqrt",   "fabs", "copysign", "floor", "ceil", "trunc", "rint",      "minnum",
    "maxnum", "smin",   "smax", "umin",     "umax",  "abs",  "ctpop", "ctlz",      "cttz",
    "fptosi", "fptoui", "sadd", "uadd",     "ssub",  "usub", "fshl",  "bitreverse"};

V operand(Elem e, int lanes, int k) { return {nullptr, concat("%x", k), e, lanes}; }

/// The element of an operand or result by its letter.
Elem elem_for(char letter, DType t) {
  return letter == 'b'   ? Elem::I1
         : letter == 'f' ? Elem::F32
         : letter == 'u' ? Elem::I32
                         : elem_of(t);
}

/// The lowering of a row for one type, as text; checks every call and that each name is defined
/// once, before it is used or as a phi.
std::string lower(Op op, DType t, int lanes) {
  Text text;
  Expr e(text);
  MapArgs args{{}, t};
  size_t count = info(op).operands.size();
  std::set<std::string> defined;
  for (size_t k = 0; k < count; ++k) {
    args.x[k] = operand(elem_for(info(op).operands[k], t), lanes, static_cast<int>(k));
    args.x[k].e = &e;
    defined.insert(args.x[k].text);
  }
  V result = lower(e, op, args);
  CHECK(result.elem == elem_for(info(op).result, t));
  CHECK(result.lanes == lanes);

  const std::string& s = text.str();
  for (size_t at = 0; (at = s.find('@', at)) != std::string::npos; ++at) {
    REQUIRE(s.compare(at, 6, "@llvm.") == 0);
    std::string name = s.substr(at + 6, s.find('.', at + 6) - at - 6);
    CHECK_MESSAGE(kInstructions.count(name) == 1, info(op).name, " calls ", s.substr(at, 24));
  }
  for (size_t begin = 0, end; begin < s.size(); begin = end + 1) {
    end = s.find('\n', begin);
    std::string line = s.substr(begin, end - begin);
    size_t equals = line.find(" = ");
    bool phi = line.find(" = phi ") != std::string::npos;
    if (equals != std::string::npos) {
      size_t name = line.find('%');
      CHECK(defined.insert(line.substr(name, equals - name)).second);
    }
    for (size_t at = line.find("%v"); !phi && at != std::string::npos;
         at = line.find("%v", at + 1)) {
      std::string used = line.substr(at, line.find_first_of(" ,)", at) - at);
      CHECK_MESSAGE(defined.count(used) == 1, used, " in: ", line);
    }
  }
  CHECK(defined.count(result.text) == (result.text[0] == '%' ? 1 : 0));
  return s;
}

}  // namespace

TEST_CASE("every Map row lowers for all its types, without calling a library") {
  for (const OpInfo& row : all_ops()) {
    if (row.shape != Shape::Map) continue;
    for (const DTypeInfo& t : kDTypes) {
      char letter = row.operands[0];
      bool takes = letter == 'F'   ? is_float(t.dtype)
                   : letter == 'I' ? is_integer(t.dtype)
                                   : t.dtype == DType::B1;
      if (!takes) continue;
      for (int lanes : {1, 32}) lower(row.op, t.dtype, lanes);
    }
  }
}

TEST_CASE("casts between all types give the element of the target") {
  for (const DTypeInfo& from : kDTypes) {
    for (const DTypeInfo& to : kDTypes) {
      for (int lanes : {1, 32}) {
        Text text;
        Expr e(text);
        V x = operand(elem_of(from.dtype), lanes, 0);
        x.e = &e;
        V y = cast(x, from.dtype, to.dtype);
        CHECK(y.elem == elem_of(to.dtype));
        CHECK(y.lanes == lanes);
        if (from.bits == to.bits) {
          CHECK(as_type(x, from.dtype, to.dtype).elem == elem_of(to.dtype));
        } else {
          CHECK_THROWS_AS(as_type(x, from.dtype, to.dtype), InternalError);
        }
      }
    }
  }
}

TEST_CASE("constants are printed exactly") {
  Text text;
  Expr e(text);
  CHECK(e.f32(1).text == "0x3FF0000000000000");
  CHECK(e.f32(0.1).text == "0x3FB99999A0000000");  // 0.1f, as a double's bits
  CHECK(e.f64(0.1).text == "0x3FB999999999999A");
  CHECK(e.f32(-0.0).text == "0x8000000000000000");
  CHECK(e.f32(INFINITY, 32).text == "splat (float 0x7FF0000000000000)");
  CHECK(e.integer(Elem::I8, 255).text == "-1");
  CHECK(e.integer(Elem::I64, INT64_MIN).text == "-9223372036854775808");
  CHECK(e.boolean(true, 32).typed() == "<32 x i1> splat (i1 true)");
  CHECK(e.iota(Elem::I32, 4).text == "<i32 0, i32 1, i32 2, i32 3>");
  CHECK(text.str().empty());
}

TEST_CASE("a scalar meets a vector as a splat, other types do not mix") {
  Text text(0);
  Expr e(text);
  V wide = operand(Elem::F32, 32, 0), one = operand(Elem::F32, 1, 1);
  wide.e = one.e = &e;
  V sum = wide + one;
  CHECK(sum.type() == "<32 x float>");
  CHECK(text.str().find("shufflevector <32 x float>") != std::string::npos);
  CHECK((wide * 2).type() == "<32 x float>");
  CHECK(text.str().find("fmul <32 x float> %x0, splat (float 0x4000000000000000)") !=
        std::string::npos);
  CHECK_THROWS_AS(wide + e.i32(1), InternalError);
  CHECK_THROWS_AS(e.splat(wide, 4), InternalError);
}

TEST_CASE("a loop's phis come first in its block and name the last block that goes back") {
  Text text(0);
  Expr e(text);
  V x = operand(Elem::I32, 1, 0);
  x.e = &e;
  V last = e.loop({x}, [&](const std::vector<V>& carried, std::vector<V>& next) {
    next = {carried[0] - 1};
    return e.cmp("ne", next[0], 0);
  })[0];
  CHECK(text.str() ==
        "br label %loop.0\n"
        "loop.0:\n"
        "%v2 = phi i32 [ %x0, %entry ], [ %v3, %loop.0 ]\n"
        "%v3 = sub i32 %v2, 1\n"
        "%v4 = icmp ne i32 %v3, 0\n"
        "br i1 %v4, label %loop.0, label %done.1\n"
        "done.1:\n");
  CHECK(last.text == "%v3");
  CHECK(e.block() == "done.1");
}
