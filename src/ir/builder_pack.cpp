// Rows that the builder writes with other rows: packed vectors. A component is rounded by adding a
// number whose last bit counts 1, which is exact but for that rounding, so that all devices agree.

#include <array>

#include "enigma/builder.h"
#include "ir/builder_state.h"
#include "ir/signature.h"

namespace enigma {
namespace {

constexpr double kFloatOfInteger = 0x1.8p23;  // its last bit counts 1, and has 22 bits below it

/// The fields of a packed word.
struct Layout {
  int count;      // of the fields
  int bits, top;  // of each but the last, and of the last
  bool is_signed;

  Type type(DType t) const { return Type::vector(t, count); }
  int width(int k) const { return k + 1 < count ? bits : top; }
};

template <class State>  // Builder::State
class Composer {
 public:
  Composer(State& state, std::string_view user) : s_(state), user_(user) {}

  ValueId run(Op op, std::span<const Operand> x) {
    switch (op) {
      case Op::PackSnorm4x8:
        return pack(signed_norm(floats(x, 4), 127), kSigned4x8);
      case Op::PackUnorm4x8:
        return pack(unsigned_norm(floats(x, 4), k4x8), k4x8);
      case Op::PackSnorm2x16:
        return pack(signed_norm(floats(x, 2), 32767), kSigned2x16);
      case Op::PackUnorm2x16:
        return pack(unsigned_norm(floats(x, 2), k2x16), k2x16);
      case Op::PackSrgb:
        return pack(unsigned_norm(to_srgb(floats(x, 4)), k4x8), k4x8);
      case Op::PackUnorm10a2:
        return pack(unsigned_norm(floats(x, 4), k10a2), k10a2);
      case Op::UnpackSnorm4x8:
        return from_signed_norm(unpack(x, kSigned4x8), 127);
      case Op::UnpackUnorm4x8:
        return from_unsigned_norm(unpack(x, k4x8), k4x8);
      case Op::UnpackSnorm2x16:
        return from_signed_norm(unpack(x, kSigned2x16), 32767);
      case Op::UnpackUnorm2x16:
        return from_unsigned_norm(unpack(x, k2x16), k2x16);
      case Op::UnpackSrgb:
        return to_linear(from_unsigned_norm(unpack(x, k4x8), k4x8));
      case Op::UnpackUnorm10a2:
        return from_unsigned_norm(unpack(x, k10a2), k10a2);
      case Op::PackUint8x4:
        return pack(s_.gather(x, k4x8.type(DType::U32), user_), k4x8);
      case Op::UnpackUint8x4:
        return unpack(x, k4x8);
      case Op::PackInt4x2:
        return pack(as_unsigned(s_.gather(x, kSigned2x4.type(DType::I32), user_)), kSigned2x4);
      case Op::UnpackInt4x2:
        return unpack(x, kSigned2x4);
      default:
        throw InternalError(concat("nothing composes ", info(op).mnemonic));
    }
  }

 private:
  static constexpr Layout k4x8{4, 8, 8, false}, kSigned4x8{4, 8, 8, true};
  static constexpr Layout k2x16{2, 16, 16, false}, kSigned2x16{2, 16, 16, true};
  static constexpr Layout k10a2{4, 10, 2, false}, kSigned2x4{2, 4, 4, true};

  ValueId apply(std::string_view name, std::initializer_list<Operand> x) {
    return s_.apply(overloads(name), std::span(x.begin(), x.size()), 0);
  }
  ValueId apply(Op op, std::initializer_list<Operand> x) {
    return s_.apply(std::span(&op, 1), std::span(x.begin(), x.size()), 0);
  }
  ValueId floats(std::span<const Operand> x, int count) {
    return s_.gather(x, Type::vector(DType::F32, count), user_);
  }
  ValueId as_unsigned(ValueId v) { return s_.cast(v, s_.type(v).with(DType::U32)); }
  ValueId as_float(ValueId v) { return s_.cast(v, s_.type(v).with(DType::F32)); }

  template <class Number>
  ValueId each(const Layout& l, DType t, Number number) {
    std::vector<Operand> parts;
    for (int k = 0; k < l.count; ++k) parts.emplace_back(number(k));
    return s_.make(Op::MakeVec, parts, Type::scalar(t));
  }
  // 2^width - 1 of each field.
  ValueId largest(const Layout& l, DType t) {
    return each(l, t, [&](int k) { return (1 << l.width(k)) - 1; });
  }

  // ---- integers to a word and back ----
  ValueId pack(ValueId fields, const Layout& l) {
    ValueId low = apply(Op::AndI, {fields, largest(l, DType::U32)}), word = s_.part(low, 0);
    for (int k = 1; k < l.count; ++k) {
      ValueId moved = apply(Op::Shl, {s_.part(low, static_cast<uint64_t>(k)), k * l.bits});
      word = apply(Op::OrI, {word, moved});
    }
    return word;
  }

  ValueId unpack(std::span<const Operand> x, const Layout& l) {
    if (x.size() != 1) s_.fail(user_, " takes one uint, ", x.size(), " operands were given");
    ValueId all = s_.cast(s_.lane(x[0], user_), l.type(DType::U32));
    if (!l.is_signed) {
      ValueId moved = apply(Op::Shr, {all, each(l, DType::U32, [&](int k) { return k * l.bits; })});
      return apply(Op::AndI, {moved, largest(l, DType::U32)});
    }
    // To the top, and down again with the sign.
    ValueId high = s_.cast(all, l.type(DType::I32));
    auto above = [&](int k) { return 32 - (k + 1) * l.bits; };
    return apply(Op::Shr, {apply(Op::Shl, {high, each(l, DType::I32, above)}), 32 - l.bits});
  }

  // ---- floats to integers and back ----
  ValueId unsigned_norm(ValueId v, const Layout& l) {
    ValueId sum = apply("fma", {apply("saturate", {v}), largest(l, DType::F32), kFloatOfInteger});
    return s_.emit(Op::AsType, {sum}, l.type(DType::U32));
  }
  ValueId signed_norm(ValueId v, int largest) {
    ValueId held = apply("clamp", {apply("where", {v, 0.0, apply("isnan", {v})}), -1.0, 1.0});
    ValueId sum = apply("fma", {held, static_cast<double>(largest), kFloatOfInteger});
    return s_.emit(Op::AsType, {sum}, s_.type(v).with(DType::U32));
  }
  ValueId from_unsigned_norm(ValueId fields, const Layout& l) {
    return apply(Op::DivF, {as_float(fields), largest(l, DType::F32)});
  }
  ValueId from_signed_norm(ValueId fields, int largest) {
    return apply("fmax", {apply(Op::DivF, {as_float(fields), largest}), -1.0});
  }

  // ---- sRGB: powers as Newton finds roots, by arithmetic that is exact everywhere ----
  ValueId poly(ValueId x, std::array<double, 4> c) {
    ValueId sum = apply("fma", {x, c[3], c[2]});
    sum = apply("fma", {sum, x, c[1]});
    return apply("fma", {sum, x, c[0]});
  }
  ValueId with_last(ValueId colour, ValueId v) {
    std::vector<Operand> parts;
    for (uint64_t k = 0; k < 3; ++k) parts.emplace_back(s_.part(colour, k));
    parts.emplace_back(s_.part(v, 3));
    return s_.make(Op::MakeVec, parts, Type::scalar(DType::F32));
  }
  ValueId squared(ValueId x) { return apply(Op::MulF, {x, x}); }

  // ((x + 0.055) / 1.055)^2.4, or x / 12.92 near 0. The fifth root of y^2 is z.
  ValueId to_linear(ValueId x) {
    ValueId y = apply(Op::DivF, {apply(Op::AddF, {x, 0.055}), 1.055}), y2 = squared(y);
    ValueId z = poly(y, {0.247, 1.682, -1.681, 0.7614});
    for (int step = 0; step < 2; ++step) {
      ValueId next = apply("fma", {z, 4.0, apply(Op::DivF, {y2, squared(squared(z))})});
      z = apply(Op::MulF, {next, 0.2});
    }
    ValueId low = apply(Op::DivF, {x, 12.92}), is_low = apply("cmp_le", {x, 0.04045});
    return with_last(apply("where", {apply(Op::MulF, {y2, z}), low, is_low}), x);
  }

  // 1.055 x^(1/2.4) - 0.055, or 12.92 x near 0. With s the fourth root of x, and t the third root
  // of s^2, the power is s t.
  ValueId to_srgb(ValueId given) {
    ValueId x = apply("saturate", {given});
    ValueId s = apply("sqrt", {apply("sqrt", {x})}), s2 = squared(s);
    ValueId t = poly(s, {0.1038, 1.318, -0.639, 0.2176});
    for (int step = 0; step < 2; ++step) {
      ValueId next = apply("fma", {t, 2.0, apply(Op::DivF, {s2, squared(t)})});
      t = apply(Op::DivF, {next, 3.0});
    }
    ValueId high = apply("fma", {apply(Op::MulF, {s, 1.055}), t, -0.055});
    ValueId low = apply(Op::MulF, {x, 12.92}), is_low = apply("cmp_le", {x, 0.0031308});
    return with_last(apply("where", {high, low, is_low}), x);
  }

  State& s_;
  const std::string_view user_;
};

}  // namespace

ValueId Builder::State::compose(Op op, std::span<const Operand> operands) {
  return Composer(*this, user_name(info(op))).run(op, operands);
}

}  // namespace enigma
