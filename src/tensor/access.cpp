// Access through views: the index of each element, whether it exists, and loads and stores.

#include <algorithm>
#include <functional>
#include <span>

#include "enigma/limits.h"
#include "enigma/tensor.h"
#include "support/text.h"
#include "tensor/index.h"

namespace enigma {
namespace {

/// What the coordinate of a linear number adds to each component.
std::vector<int64_t> steps_at(const Steps& s, int64_t c) {
  std::vector<int64_t> out(s.origins.size());
  for (const Mode& m : s.layout.leaves()) {
    out[s.component(m.stride)] += c % m.size * m.stride.value;
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

/// Whether elements that lie side by side from a multiple of their number on are all inside or all
/// outside.
bool exist_together(Builder& b, const View& v, std::span<const int64_t> elements) {
  const auto count = static_cast<int64_t>(elements.size());
  for (const Guard& g : v.guards) {
    std::vector<std::vector<int64_t>> steps;
    for (int64_t c : elements) steps.push_back(steps_at(g.steps, c));
    for (size_t k = 0; k < g.limits.size(); ++k) {
      if (!g.limits[k]) continue;
      const Origin& o = g.steps.origins[k];
      bool equal = true, ascend = true;
      int64_t most = 0;
      for (int64_t j = 0; j < count; ++j) {
        const int64_t step = steps[static_cast<size_t>(j)][k];
        equal = equal && step == steps[0][k];
        ascend = ascend && step == steps[0][k] + j;
        most = std::max(most, step);
      }
      const bool aligned = (o.known + steps[0][k]) % count == 0 && *g.limits[k] % count == 0 &&
                           (!o.traced || o.multiple % count == 0);
      const int64_t traced = o.traced ? b.bounds(o.traced).greatest : 0;
      const bool all = traced < *g.limits[k] - o.known - most;
      if (!equal && !(ascend && aligned) && !all) return false;
    }
  }
  return true;
}

/// The elements of each access: as many as lie side by side at a multiple of them, up to what a
/// vector holds. Where elements share a place, one at a time in order, so that the last one stays.
std::vector<std::vector<int64_t>> chunks(Builder& b, const View& v, DType type) {
  const Origin& o = v.steps.origins[0];
  std::vector<std::pair<int64_t, int64_t>> places;
  for (int64_t c = 0; c < v.size(); ++c) places.emplace_back(o.known + steps_at(v.steps, c)[0], c);
  std::sort(places.begin(), places.end());
  const bool shared = std::adjacent_find(places.begin(), places.end(), [](auto& x, auto& y) {
                        return x.first == y.first;
                      }) != places.end();
  if (shared) {
    std::sort(places.begin(), places.end(), [](auto& x, auto& y) { return x.second < y.second; });
  }
  const bool vectors = !shared && type != DType::B1;
  auto fits = [&](size_t at, int64_t lanes) {
    const int64_t begin = places[at].first + (v.swizzle ? 0 : v.base);
    if (lanes * byte_size(type) > kMaxVectorBytes || begin % lanes != 0) return false;
    if (o.traced && o.multiple % lanes != 0) return false;
    // A swizzle moves no bits below its base.
    if (v.swizzle && (v.base % lanes != 0 || (v.swizzle->bits() && lanes > 1 << v.swizzle->base())))
      return false;
    if (at + static_cast<size_t>(lanes) > places.size()) return false;
    std::vector<int64_t> elements;
    for (int64_t j = 0; j < lanes; ++j) {
      const auto& [place, c] = places[at + static_cast<size_t>(j)];
      if (place != places[at].first + j) return false;
      elements.push_back(c);
    }
    return exist_together(b, v, elements);
  };
  std::vector<std::vector<int64_t>> out;
  for (size_t at = 0; at < places.size(); at += out.back().size()) {
    const int64_t lanes = vectors && fits(at, 4) ? 4 : vectors && fits(at, 2) ? 2 : 1;
    out.emplace_back();
    for (int64_t j = 0; j < lanes; ++j) {
      out.back().push_back(places[at + static_cast<size_t>(j)].second);
    }
  }
  return out;
}

/// Values of a fragment as others group them; taken apart once, where they are grouped otherwise.
class Grouping {
 public:
  Grouping(Builder& b, const std::vector<Piece>& pieces) : b_(b), pieces_(pieces) {}

  ValueId operator()(const std::vector<int64_t>& group) {
    for (const Piece& p : pieces_) {
      if (p.elements == group) return p.value;
    }
    if (single_.empty()) single_ = split(b_, pieces_);
    std::vector<Operand> parts;
    for (int64_t c : group) parts.push_back(single_[static_cast<size_t>(c)].value);
    return parts.size() == 1 ? std::get<ValueId>(parts[0]) : b_.make_vec(parts);
  }

 private:
  Builder& b_;
  const std::vector<Piece>& pieces_;
  std::vector<Piece> single_;
};

bool is_never(const std::optional<Operand>& exists) {
  return exists && std::holds_alternative<Literal>(*exists);
}

void store(Builder& b, ValueId memory, const View& v,
           const std::function<Operand(const std::vector<int64_t>&)>& value) {
  for (const std::vector<int64_t>& chunk : chunks(b, v, b.type(memory).dtype)) {
    const auto lanes = static_cast<int>(chunk.size());
    const std::optional<Operand> exists = exists_at(b, v, chunk[0]);
    if (is_never(exists)) continue;
    if (exists) {
      b.store_if(memory, index_at(b, v, chunk[0]), value(chunk), *exists, lanes);
    } else {
      b.store(memory, index_at(b, v, chunk[0]), value(chunk), lanes);
    }
  }
}

}  // namespace

Element element(Builder& b, const View& v) { return {index_at(b, v, 0), exists_at(b, v, 0)}; }

std::vector<Operand> coordinate(Builder& b, const View& v) {
  std::vector<int64_t> steps = steps_at(v.steps, 0);
  std::vector<Operand> out;
  for (size_t k = 0; k < steps.size(); ++k) out.push_back(sum(b, v.steps.origins[k], steps[k]));
  return out;
}

std::vector<Piece> load(Builder& b, ValueId memory, const View& v) {
  const DType type = b.type(memory).dtype;
  std::vector<Piece> out;
  for (std::vector<int64_t>& chunk : chunks(b, v, type)) {
    const auto lanes = static_cast<int>(chunk.size());
    const int64_t c = chunk[0];
    const std::optional<Operand> exists = exists_at(b, v, c);
    if (is_never(exists)) {
      for (int64_t each : chunk) out.push_back({b.constant(type, 0), {each}});
    } else if (exists) {
      out.push_back({b.load_if(memory, index_at(b, v, c), *exists, 0, lanes), std::move(chunk)});
    } else {
      out.push_back({b.load(memory, index_at(b, v, c), lanes), std::move(chunk)});
    }
  }
  return out;
}

std::vector<Piece> split(Builder& b, const std::vector<Piece>& pieces) {
  std::vector<Piece> out;
  for (const Piece& p : pieces) {
    for (size_t k = 0; k < p.elements.size(); ++k) {
      const bool vector = p.elements.size() > 1;
      out.push_back(
          {vector ? b.extract(p.value, static_cast<int64_t>(k)) : p.value, {p.elements[k]}});
    }
  }
  std::sort(out.begin(), out.end(),
            [](const Piece& x, const Piece& y) { return x.elements < y.elements; });
  return out;
}

std::vector<Piece> regroup(Builder& b, const std::vector<Piece>& pieces,
                           const std::vector<std::vector<int64_t>>& groups) {
  Grouping grouping(b, pieces);
  std::vector<Piece> out;
  for (const std::vector<int64_t>& group : groups) out.push_back({grouping(group), group});
  return out;
}

void store(Builder& b, ValueId memory, const View& v, const std::vector<Piece>& values) {
  Grouping grouping(b, values);
  store(b, memory, v, [&](const std::vector<int64_t>& chunk) { return grouping(chunk); });
}

void store(Builder& b, ValueId memory, const View& v, Operand value) {
  store(b, memory, v, [&](const std::vector<int64_t>&) { return value; });
}

}  // namespace enigma
