// LLVM IR values with arithmetic: every instruction of a CPU kernel is spelled here.
#include "codegen/cpu/expr.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "enigma/error.h"

namespace enigma::cpu {
namespace {

constexpr struct {
  int bits;
  const char* type;
  const char* suffix;
} kElems[] = {{1, "i1", "i1"},    {8, "i8", "i8"},      {16, "i16", "i16"},    {32, "i32", "i32"},
              {64, "i64", "i64"}, {32, "float", "f32"}, {64, "double", "f64"}, {64, "ptr", "p0"}};

const auto& row(Elem e) { return kElems[static_cast<int>(e)]; }

bool is_constant(const V& x) { return x.text[0] != '%' && x.text[0] != '@'; }

std::string constant(Elem e, std::string_view scalar, int lanes) {
  if (lanes == 1) return std::string(scalar);
  return concat("splat (", row(e).type, " ", scalar, ")");
}

/// As a signed number of the element's width.
int64_t wrapped(Elem e, uint64_t x) {
  const int unused = 64 - row(e).bits;
  return static_cast<int64_t>(x << unused) >> unused;
}

std::string hex(uint64_t bits) {
  std::string s = "0x0000000000000000";
  for (size_t i = s.size() - 1; bits != 0; --i, bits >>= 4) s[i] = "0123456789ABCDEF"[bits & 15];
  return s;
}

void check(bool ok, std::string_view what, const V& a, const V& b) {
  if (!ok) throw InternalError(concat(what, " of ", a.type(), " and ", b.type()));
}

/// Gives both the same number of lanes.
std::pair<V, V> match(std::string_view what, const V& a, const V& b) {
  check(a.elem == b.elem && (a.lanes == b.lanes || a.lanes == 1 || b.lanes == 1), what, a, b);
  int lanes = std::max(a.lanes, b.lanes);
  return {a.e->splat(a, lanes), a.e->splat(b, lanes)};
}

V binary(std::string_view opcode, const V& x, const V& y) {
  auto [a, b] = match(opcode, x, y);
  return a.e->emit(a.elem, a.lanes, concat(opcode, " ", a.typed(), ", ", b.text));
}

V arithmetic(std::string_view opcode, const V& a, const V& b) {
  return binary(concat(is_float(a.elem) ? "f" : "", opcode), a, b);
}

}  // namespace

int bits(Elem e) { return row(e).bits; }

Elem elem_of(DType t) {
  if (is_float(t)) return Elem::F32;
  if (t == DType::B1) return Elem::I1;
  return int_elem(info(t).bits);
}

Elem int_elem(int bits) {
  return bits == 8 ? Elem::I8 : bits == 16 ? Elem::I16 : bits == 32 ? Elem::I32 : Elem::I64;
}

std::string llvm_type(Elem e, int lanes) {
  return lanes == 1 ? row(e).type : concat("<", lanes, " x ", row(e).type, ">");
}

// ---- constants ----------------------------------------------------------------------------------

V Expr::f32(double x, int lanes) {
  double rounded = static_cast<float>(x);
  return {this, constant(Elem::F32, hex(std::bit_cast<uint64_t>(rounded)), lanes), Elem::F32,
          lanes};
}

V Expr::f64(double x, int lanes) {
  return {this, constant(Elem::F64, hex(std::bit_cast<uint64_t>(x)), lanes), Elem::F64, lanes};
}

V Expr::integer(Elem e, int64_t x, int lanes) {
  if (e == Elem::I1) return {this, constant(e, (x & 1) ? "true" : "false", lanes), e, lanes};
  return {this, constant(e, concat(wrapped(e, static_cast<uint64_t>(x))), lanes), e, lanes};
}

V Expr::iota(Elem e, int lanes, int64_t step) {
  if (lanes == 1) return integer(e, 0);
  Text t;
  t.add("<");
  for (uint64_t i = 0; i < static_cast<uint64_t>(lanes); ++i) {
    t.add(i ? ", " : "", row(e).type, " ", wrapped(e, i * static_cast<uint64_t>(step)));
  }
  t.add(">");
  return {this, std::move(t.str()), e, lanes};
}

V Expr::like(const V& shape, double x) {
  if (shape.elem == Elem::F32) return f32(x, shape.lanes);
  if (shape.elem == Elem::F64) return f64(x, shape.lanes);
  return integer(shape.elem, static_cast<int64_t>(x), shape.lanes);
}

// ---- instructions -------------------------------------------------------------------------------

V Expr::fresh(Elem e, int lanes) { return {this, concat("%v", next_++), e, lanes}; }

V Expr::emit(Elem e, int lanes, std::string_view rhs) {
  V v = fresh(e, lanes);
  out_->line(v.text, " = ", rhs);
  return v;
}

void Expr::stmt(std::string_view text) { out_->line(text); }

V Expr::splat(const V& x, int lanes) {
  if (x.lanes == lanes) return x;
  if (x.lanes != 1) throw InternalError(concat("splat of ", x.type()));
  if (is_constant(x)) return {this, constant(x.elem, x.text, lanes), x.elem, lanes};
  std::string type = llvm_type(x.elem, lanes);
  V one = emit(x.elem, lanes, concat("insertelement ", type, " poison, ", x.typed(), ", i64 0"));
  return emit(x.elem, lanes,
              concat("shufflevector ", one.typed(), ", ", type, " poison, <", lanes,
                     " x i32> zeroinitializer"));
}

V Expr::select(const V& cond, const V& then, const V& otherwise) {
  auto [a, b] = match("select", then, otherwise);
  check(cond.elem == Elem::I1, "select", cond, a);
  int lanes = std::max(cond.lanes, a.lanes);
  if (cond.lanes == lanes) {
    a = splat(a, lanes);
    b = splat(b, lanes);
  }
  return emit(a.elem, lanes, concat("select ", cond.typed(), ", ", a.typed(), ", ", b.typed()));
}

V Expr::fma(const V& a, const V& b, const V& c) { return intrinsic("fma", {a, b, c}); }

V Expr::intrinsic(std::string_view name, std::initializer_list<V> args) {
  return intrinsic(name, args.begin()->elem, args);
}

V Expr::intrinsic(std::string_view name, Elem result, std::initializer_list<V> args) {
  Elem first = args.begin()->elem;
  int lanes = 1;
  for (const V& x : args) lanes = std::max(lanes, x.lanes);
  auto suffix = [&](Elem e) {
    return lanes == 1 ? concat(".", row(e).suffix) : concat(".v", lanes, row(e).suffix);
  };
  Text t;
  t.add("call ", llvm_type(result, lanes), " @llvm.", name);
  if (result != first) t.add(suffix(result));
  t.add(suffix(first), "(");
  bool rest = false;
  for (const V& x : args) {
    // A flag such as cttz's stays a scalar.
    t.add(rest ? ", " : "", x.elem == first ? splat(x, lanes).typed() : x.typed());
    rest = true;
  }
  t.add(")");
  return emit(result, lanes, t.str());
}

V Expr::cmp(std::string_view predicate, const V& x, const V& y) {
  auto [a, b] = match(predicate, x, y);
  std::string_view opcode = is_float(a.elem) ? "fcmp " : "icmp ";
  return emit(Elem::I1, a.lanes, concat(opcode, predicate, " ", a.typed(), ", ", b.text));
}

V Expr::bitcast(const V& x, Elem to) { return x.elem == to ? x : convert("bitcast", x, to); }

V Expr::convert(std::string_view opcode, const V& x, Elem to) {
  return emit(to, x.lanes, concat(opcode, " ", x.typed(), " to ", llvm_type(to, x.lanes)));
}

V Expr::extract(const V& x, int lane) {
  if (x.lanes == 1) return x;
  return emit(x.elem, 1, concat("extractelement ", x.typed(), ", i64 ", lane));
}

V Expr::half(const V& x, int which) {
  int n = x.lanes / 2;
  if (n == 1) return extract(x, which);
  Text order;
  for (int k = 0; k < n; ++k) order.add(k ? ", " : "", "i32 ", which * n + k);
  return emit(x.elem, n,
              concat("shufflevector ", x.typed(), ", ", x.type(), " poison, <", n, " x i32> <",
                     order.str(), ">"));
}

V Expr::least(const V& x) {
  return emit(x.elem, 1,
              concat("call ", row(x.elem).type, " @llvm.vector.reduce.umin.v", x.lanes,
                     row(x.elem).type, "(", x.typed(), ")"));
}

V Expr::any(const V& cond) {
  // Lanes that are not active may hold anything, poison too, and a branch on that is undefined.
  V c = emit(Elem::I1, cond.lanes, concat("freeze ", cond.typed()));
  if (c.lanes == 1) return c;
  std::string word = concat("i", c.lanes);
  V mask = emit(Elem::I32, 1, concat("bitcast ", c.typed(), " to ", word));
  return emit(Elem::I1, 1, concat("icmp ne ", word, " ", mask.text, ", 0"));
}

V Expr::scalef(const V& x, const V& n) {
  constexpr int kLanes = 16;  // of the one intrinsic that there is
  if (x.lanes == 1) return extract(scalef(splat(x, kLanes), splat(n, kLanes)), 0);
  if (x.lanes > kLanes) {
    V low = scalef(half(x, 0), half(n, 0)), high = scalef(half(x, 1), half(n, 1));
    Text order;
    for (int k = 0; k < x.lanes; ++k) order.add(k ? ", " : "", "i32 ", k);
    return emit(x.elem, x.lanes,
                concat("shufflevector ", low.typed(), ", ", high.typed(), ", <", x.lanes,
                       " x i32> <", order.str(), ">"));
  }
  return emit(x.elem, kLanes,
              concat("call <16 x float> @llvm.x86.avx512.mask.scalef.ps.512(", x.typed(), ", ",
                     n.typed(), ", ", x.type(), " poison, i16 -1, i32 4)"));
}

// ---- blocks -------------------------------------------------------------------------------------

std::string Expr::new_label(std::string_view hint) { return concat(hint, ".", next_++); }

void Expr::begin_block(std::string_view label) {
  out_->add(label, ":\n");
  block_ = label;
  ++blocks_;
}

std::vector<V> Expr::when(const V& cond, const std::vector<V>& otherwise,
                          const std::function<std::vector<V>()>& then) {
  std::string body = new_label("when"), end = new_label("end"), from = block_;
  stmt(concat("br i1 ", cond.text, ", label %", body, ", label %", end));
  begin_block(body);
  std::vector<V> changed = then(), merged;
  std::string last = block_;
  stmt(concat("br label %", end));
  begin_block(end);
  for (size_t i = 0; i < changed.size(); ++i) {
    const V& a = changed[i];
    merged.push_back(emit(a.elem, a.lanes,
                          concat("phi ", a.type(), " [ ", a.text, ", %", last, " ], [ ",
                                 otherwise[i].text, ", %", from, " ]")));
  }
  return merged;
}

std::vector<V> Expr::loop(const std::vector<V>& init, const LoopBody& body) {
  std::string head = new_label("loop"), end = new_label("done"), from = block_;
  stmt(concat("br label %", head));
  begin_block(head);
  size_t phis = out_->str().size();
  std::vector<V> carried, next;
  for (const V& x : init) carried.push_back(fresh(x.elem, x.lanes));
  V again = body(carried, next);
  std::string last = block_;
  stmt(concat("br i1 ", again.text, ", label %", head, ", label %", end));

  // The phis name what the body has just computed, and belong before it.
  std::string rest = out_->str().substr(phis);
  out_->str().resize(phis);
  for (size_t i = 0; i < init.size(); ++i) {
    stmt(concat(carried[i].text, " = phi ", carried[i].type(), " [ ", init[i].text, ", %", from,
                " ], [ ", next[i].text, ", %", last, " ]"));
  }
  out_->str() += rest;
  begin_block(end);
  return next;
}

// ---- operators ----------------------------------------------------------------------------------

V operator+(const V& a, const V& b) { return arithmetic("add", a, b); }
V operator-(const V& a, const V& b) { return arithmetic("sub", a, b); }
V operator*(const V& a, const V& b) { return arithmetic("mul", a, b); }
V operator/(const V& a, const V& b) {
  check(is_float(a.elem), "division", a, b);
  return binary("fdiv", a, b);
}
V operator-(const V& a) {
  if (is_float(a.elem)) return a.e->emit(a.elem, a.lanes, concat("fneg ", a.typed()));
  return a.e->like(a, 0) - a;
}
V operator&(const V& a, const V& b) { return binary("and", a, b); }
V operator|(const V& a, const V& b) { return binary("or", a, b); }
V operator^(const V& a, const V& b) { return binary("xor", a, b); }
V operator<<(const V& a, int bits) { return binary("shl", a, a.e->like(a, bits)); }
V shr(const V& a, int bits) { return binary("lshr", a, a.e->like(a, bits)); }
V ashr(const V& a, int bits) { return binary("ashr", a, a.e->like(a, bits)); }
V shl(const V& a, const V& count) { return binary("shl", a, count); }
V shr(const V& a, const V& count) { return binary("lshr", a, count); }
V ashr(const V& a, const V& count) { return binary("ashr", a, count); }
V divide(bool is_signed, const V& a, const V& b) {
  return binary(is_signed ? "sdiv" : "udiv", a, b);
}

V part(Expr& e, const V& a, const V& b, int first, int lanes) {
  Text order;
  for (int k = 0; k < lanes; ++k) order.add(k ? ", " : "", "i32 ", first + k);
  return e.emit(a.elem, lanes,
                concat("shufflevector ", a.typed(), ", ", b.typed(), ", <", lanes, " x i32> <",
                       order.str(), ">"));
}

V joined(Expr& e, std::vector<V> xs) {
  for (; xs.size() > 1; xs.resize(xs.size() / 2)) {
    for (size_t k = 0; k < xs.size() / 2; ++k) {
      xs[k] = part(e, xs[2 * k], xs[2 * k + 1], 0, 2 * xs[2 * k].lanes);
    }
  }
  return xs[0];
}

}  // namespace enigma::cpu
