// LLVM IR values with arithmetic: code that emits a polynomial reads as the polynomial.
//
// A `V` is the name (or literal) of an LLVM value with its element type and number of lanes; lanes
// is 1 for a scalar, 32 for the lanes of a SIMD-group. Operators append instructions to the
// function being written and give the new value. Mixing a scalar with a vector splats the scalar;
// mixing element types is a bug of ours and throws InternalError.
//
// f16 and bf16 never appear as element types: narrow floats live in registers as f32 that holds a
// representable value, and are rounded after each operation (round_to) by the caller.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "enigma/ops.h"
#include "enigma/types.h"
#include "support/text.h"

namespace enigma::cpu {

enum class Elem : uint8_t { I1, I8, I16, I32, I64, F32, F64, Ptr };
constexpr bool is_float(Elem e) { return e == Elem::F32 || e == Elem::F64; }
int bits(Elem e);
/// The element that a value of this dtype has in registers: F32 for all floats, I1 for bool.
Elem elem_of(DType t);
Elem int_elem(int bits);  ///< 8, 16, 32 or 64
/// "float", "<32 x i1>".
std::string llvm_type(Elem e, int lanes);

class Expr;

struct V {
  Expr* e = nullptr;
  std::string text;  ///< "%v17", "42", "splat (float 0x3FF0000000000000)", "zeroinitializer"
  Elem elem = Elem::I32;
  int lanes = 1;
  explicit operator bool() const { return e != nullptr; }
  std::string type() const { return llvm_type(elem, lanes); }
  std::string typed() const { return type() + " " + text; }  ///< "float %v17"
};

/// Writes instructions into the current basic block of one function.
class Expr {
 public:
  /// `scalef` is CpuVariant's.
  explicit Expr(Text& out, bool scalef = false) : out_(&out), scalef_(scalef) {}
  Expr(const Expr&) = delete;

  // ---- constants ----
  V f32(double x, int lanes = 1);  ///< x rounded to float, printed exactly (NaN and infinity too)
  V f64(double x, int lanes = 1);
  V integer(Elem e, int64_t x, int lanes = 1);
  V i32(int64_t x, int lanes = 1) { return integer(Elem::I32, x, lanes); }
  V i64(int64_t x, int lanes = 1) { return integer(Elem::I64, x, lanes); }
  V boolean(bool x, int lanes = 1) { return integer(Elem::I1, x, lanes); }
  V iota(Elem e, int lanes, int64_t step = 1);  ///< <0, step, 2 * step, ...>
  /// The constant like(x): same element and lanes as `shape`.
  V like(const V& shape, double x);

  // ---- instructions ----
  /// A new name, for a value whose instruction the caller writes (a phi).
  V fresh(Elem e, int lanes);
  /// "%vN = <rhs>"; the general way for anything not listed here.
  V emit(Elem e, int lanes, std::string_view rhs);
  /// An instruction without a result.
  void stmt(std::string_view text);
  V splat(const V& x, int lanes);
  V select(const V& cond, const V& then, const V& otherwise);
  V fma(const V& a, const V& b, const V& c);
  /// call @llvm.<name>.<suffix>(args...) with the type of the first argument as result.
  V intrinsic(std::string_view name, std::initializer_list<V> args);
  /// The same with another result type: @llvm.<name>.<result's suffix>.<suffix>.
  V intrinsic(std::string_view name, Elem result, std::initializer_list<V> args);
  /// icmp/fcmp: predicate as in LLVM ("slt", "olt").
  V cmp(std::string_view predicate, const V& a, const V& b);
  V cmp(std::string_view predicate, const V& a, double b) { return cmp(predicate, a, like(a, b)); }
  V bitcast(const V& x, Elem to);
  /// zext sext trunc fpext fptrunc sitofp ...
  V convert(std::string_view opcode, const V& x, Elem to);
  V extract(const V& x, int lane);
  V half(const V& x, int which);  ///< the first (0) or second (1) half of the lanes
  V least(const V& x);            ///< of the lanes, as unsigned integers
  V any(const V& cond);           ///< scalar i1: whether a lane of the i1 vector holds
  bool has_scalef() const { return scalef_; }
  /// x * 2^n for f32 and a whole number n that is an f32 too, rounded once, whatever comes of it; x
  /// may be NaN where n is infinite, and the result is then 0 or infinity.
  V scalef(const V& x, const V& n);

  // ---- blocks ----
  /// A fresh basic block label, and the start of a block.
  std::string new_label(std::string_view hint);
  void begin_block(std::string_view label);
  const std::string& block() const { return block_; }  ///< the current block's label, for phis
  uint32_t block_number() const { return blocks_; }    ///< of the current block, from 1 on
  /// What `then` returns where the scalar condition holds, `otherwise` elsewhere.
  std::vector<V> when(const V& cond, const std::vector<V>& otherwise,
                      const std::function<std::vector<V>()>& then);
  /// Fills `next` from the carried values and returns the scalar condition to go on.
  using LoopBody = std::function<V(const std::vector<V>& carried, std::vector<V>& next)>;
  /// Runs the body at least once, and again while it says so; the last `next`.
  std::vector<V> loop(const std::vector<V>& init, const LoopBody& body);
  Text& out() { return *out_; }

 private:
  Text* out_;
  const bool scalef_;
  uint32_t next_ = 0;
  std::string block_ = "entry";
  uint32_t blocks_ = 1;
};

V operator+(const V& a, const V& b);
V operator-(const V& a, const V& b);
V operator-(const V& a);
V operator*(const V& a, const V& b);
V operator/(const V& a, const V& b);  ///< floats only
V operator&(const V& a, const V& b);
V operator|(const V& a, const V& b);
V operator^(const V& a, const V& b);
V operator<<(const V& a, int bits);
V shr(const V& a, int bits);   ///< logical
V ashr(const V& a, int bits);  ///< arithmetic
V shl(const V& a, const V& count);
V shr(const V& a, const V& count);
V ashr(const V& a, const V& count);
V divide(bool is_signed, const V& a, const V& b);  ///< integers; the divisor is known to be good
// With a number that takes the type of the other side.
inline V operator+(const V& a, double b) { return a + a.e->like(a, b); }
inline V operator-(const V& a, double b) { return a - a.e->like(a, b); }
inline V operator-(double a, const V& b) { return b.e->like(b, a) - b; }
inline V operator*(const V& a, double b) { return a * a.e->like(a, b); }
inline V operator/(double a, const V& b) { return b.e->like(b, a) / b; }

/// f32 rounded to a narrower float's nearest representable value, half to even; F32 is itself.
V round_to(DType t, const V& x);
/// The storage form of a value (half bits as i16, bool as i8) and back. Exact: a narrow float has
/// been rounded before.
V to_storage(DType t, const V& x);
V from_storage(DType t, const V& x);
/// The Cast row between any two dtypes: integers wrap, float to int truncates, saturates, NaN is 0.
V cast(const V& x, DType from, DType to);
/// The AsType row: the same bits read as another type of the same width.
V as_type(const V& x, DType from, DType to);

/// The operands of a Map row on the way to its hand-written lowering. Floats come as f32 whatever
/// T is, and the caller rounds the result.
struct MapArgs {
  std::array<V, 4> x;  ///< all of the same number of lanes
  DType dtype;         ///< T
};

/// The operands of a Whole row, each with all its components, floats as f32; the caller rounds.
struct WholeArgs {
  struct Operand {
    Type type;
    std::vector<V> v;  ///< a matrix column by column; all of the same number of lanes
  };
  std::array<Operand, 4> x;
};

/// The lowering of a Whole row: the components of the result.
template <Op op>
std::vector<V> whole(Expr& e, const WholeArgs& a);

/// The lowering of a Map row that says HAND; a row without one does not link.
template <Op op>
V hand(Expr& e, const MapArgs& a);

/// Lanes from `first` on of a and, behind it, b.
V part(Expr& e, const V& a, const V& b, int first, int lanes);
/// All lanes of so many vectors, of which there are a power of two.
V joined(Expr& e, std::vector<V> xs);

}  // namespace enigma::cpu
