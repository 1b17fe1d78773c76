// Access through views: the index of each element, whether it exists, and loads and stores.

#include "enigma/tensor.h"
#include "support/text.h"
#include "tensor/index.h"

namespace enigma {
namespace {

/// What the coordinate of a linear number adds to each component.
std::vector<int64_t> steps_at(const Steps& s, int64_t c) {
  std::vector<int64_t> out(s.origins.size());
  for (const Mode& m : s.layout.leaves()) {
    const size_t k = m.stride.basis.empty() ? 0 : static_cast<size_t>(m.stride.basis.path()[0]);
    out[k] += c % m.size * m.stride.value;
    c /= m.size;
  }
  return out;
}

Operand swizzled(Builder& b, const Swizzle& s, Operand x) {
  if (const Literal* l = std::get_if<Literal>(&x)) return Literal(s(std::get<int64_t>(*l)));
  if (s.bits() == 0) return x;
  // The bits that change the others, brought to where those are.
  const int low = s.base() + std::max(s.shift(), 0);
  const int64_t mask = ((int64_t{1} << s.bits()) - 1) << low;
  ValueId bits = b.apply("&", {x, Literal(mask)});
  bits = b.apply(s.shift() >= 0 ? ">>" : "<<", {bits, Literal(std::abs(s.shift()))});
  return b.apply("^", {x, bits});
}

Operand index_at(Builder& b, const View& v, int64_t c) {
  const int64_t step = steps_at(v.steps, c)[0];
  if (!v.swizzle) return sum(b, v.steps.origins[0], step + v.base);
  Operand x = swizzled(b, *v.swizzle, sum(b, v.steps.origins[0], step));
  return v.base ? Operand(b.apply("+", {x, Literal(v.base)})) : x;
}

/// Whether an element exists: certain either way, or a value.
std::optional<Operand> exists_at(Builder& b, const View& v, int64_t c) {
  std::optional<Operand> all;
  for (const Guard& g : v.guards) {
    const std::vector<int64_t> steps = steps_at(g.steps, c);
    for (size_t k = 0; k < steps.size(); ++k) {
      if (!g.limits[k]) continue;
      const Origin& o = g.steps.origins[k];
      const int64_t left = *g.limits[k] - o.known - steps[k];  // exists if traced < left
      if (left <= 0) return Operand(false);
      if (!o.traced || b.bounds(o.traced).greatest < left) continue;
      ValueId below = b.apply("cmp_lt", {o.traced, Literal(left)});
      all = all ? b.apply("&", {*all, below}) : below;
    }
  }
  return all;
}

bool is_never(const std::optional<Operand>& exists) {
  return exists && std::holds_alternative<Literal>(*exists);
}

}  // namespace

Element element(Builder& b, const View& v) { return {index_at(b, v, 0), exists_at(b, v, 0)}; }

std::vector<Operand> coordinate(Builder& b, const View& v) {
  std::vector<int64_t> steps = steps_at(v.steps, 0);
  std::vector<Operand> out;
  for (size_t k = 0; k < steps.size(); ++k) out.push_back(sum(b, v.steps.origins[k], steps[k]));
  return out;
}

std::vector<ValueId> load(Builder& b, ValueId memory, const View& v) {
  const DType type = b.type(memory).dtype;
  std::vector<ValueId> out;
  for (int64_t c = 0; c < v.size(); ++c) {
    const std::optional<Operand> exists = exists_at(b, v, c);
    if (is_never(exists)) {
      out.push_back(b.constant(type, 0));
    } else if (exists) {
      out.push_back(b.load_if(memory, index_at(b, v, c), *exists, 0));
    } else {
      out.push_back(b.load(memory, index_at(b, v, c)));
    }
  }
  return out;
}

void store(Builder& b, ValueId memory, const View& v, Operands values) {
  for (int64_t c = 0; c < v.size(); ++c) {
    const Operand& x = values[values.size() == 1 ? 0 : static_cast<size_t>(c)];
    const std::optional<Operand> exists = exists_at(b, v, c);
    if (is_never(exists)) continue;
    if (exists) {
      b.store_if(memory, index_at(b, v, c), x, *exists);
    } else {
      b.store(memory, index_at(b, v, c), x);
    }
  }
}

}  // namespace enigma
