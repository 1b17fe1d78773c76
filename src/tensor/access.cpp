// Access through views: the index of each element, whether it exists, and loads and stores.

#include <algorithm>
#include <functional>
#include <span>
#include <tuple>

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

/// The index where the strides are not all known: what is traced first, since the rest is the same
/// in every thread.
Operand index_by_axes(Builder& b, const View& v, const std::vector<int64_t>& steps) {
  std::optional<Operand> all;
  auto add = [&](Operand x) { all = all ? Operand(b.apply("+", {*all, x})) : x; };
  auto times = [&](Operand x, const Size& stride) {
    return stride == 1 ? x : Operand(b.apply("*", {x, value(b, stride)}));
  };
  Size rest = v.base;
  for (size_t k = 0; k < steps.size(); ++k) {
    const Origin& o = v.steps.origins[k];
    if (o.traced && !(v.axes[k].stride == 0)) add(times(o.traced, v.axes[k].stride));
    rest = rest + (o.known + steps[k]) * v.axes[k].stride;
  }
  if (!all || !(rest == 0)) add(value(b, rest));
  return *all;
}

Operand index_at(Builder& b, const View& v, int64_t c) {
  const std::vector<int64_t> steps = steps_at(v.steps, c);
  if (!v.axes.empty()) return index_by_axes(b, v, steps);
  const int64_t step = steps[0];
  if (!v.swizzle) return sum(b, v.steps.origins[0], step + v.base);
  Operand x = swizzled(b, *v.swizzle, sum(b, v.steps.origins[0], step));
  return v.base ? Operand(b.apply("+", {x, Literal(v.base)})) : x;
}

ValueId number(Builder& b, const Operand& x) {
  const Literal* known = std::get_if<Literal>(&x);
  return known ? b.constant(DType::U32, *known) : std::get<ValueId>(x);
}

/// Whether an element exists: certain either way, or a value.
std::optional<Operand> exists_at(Builder& b, const View& v, int64_t c) {
  std::optional<Operand> all;
  for (const Guard& g : v.guards) {
    const std::vector<int64_t> steps = steps_at(g.steps, c);
    for (size_t k = 0; k < steps.size(); ++k) {
      if (!g.limits[k]) continue;
      const Origin& o = g.steps.origins[k];
      const Size& limit = *g.limits[k];
      const int64_t known = o.known + steps[k];
      const int64_t left = limit.least() - known;  // exists if traced < left
      if (limit.is_known() && left <= 0) return Operand(false);
      if (o.traced ? b.bounds(o.traced).greatest < left : left > 0) continue;
      ValueId below = limit.is_known()
                          ? b.apply("cmp_lt", {o.traced, Literal(left)})
                          : b.apply("cmp_lt", {number(b, sum(b, o, steps[k])), value(b, limit)});
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
      const Size& limit = *g.limits[k];
      const bool aligned = (o.known + steps[0][k]) % count == 0 && limit.multiple() % count == 0 &&
                           (!o.traced || o.multiple % count == 0);
      const int64_t traced = o.traced ? b.bounds(o.traced).greatest : 0;
      const bool all = traced < limit.least() - o.known - most;
      if (!equal && !(ascend && aligned) && !all) return false;
    }
  }
  return true;
}

/// Where an element lies, as far as it is known: the coordinates along axes whose strides are not,
/// and the rest of its index.
struct Spot {
  std::vector<int64_t> apart;
  int64_t at = 0;
  int64_t element = 0;
  bool same_place(const Spot& o) const { return apart == o.apart && at == o.at; }
};

Spot spot_of(const View& v, int64_t element) {
  Spot out{{}, 0, element};
  const std::vector<int64_t> steps = steps_at(v.steps, element);
  for (size_t k = 0; k < steps.size(); ++k) {
    const int64_t x = v.steps.origins[k].known + steps[k];
    if (v.axes.empty()) {
      out.at += x;
    } else if (v.axes[k].stride.is_known()) {
      out.at += x * v.axes[k].stride.known();
    } else {
      out.apart.push_back(x);
    }
  }
  return out;
}

/// Whether the index of an element is a multiple of `lanes`, whatever is traced.
bool is_aligned(const View& v, const Spot& s, int64_t lanes) {
  if ((s.at + (v.swizzle ? 0 : v.base)) % lanes != 0) return false;
  auto apart = s.apart.begin();
  for (size_t k = 0; k < v.steps.origins.size(); ++k) {
    const Origin& o = v.steps.origins[k];
    const Size stride = v.axes.empty() ? Size(1) : v.axes[k].stride;
    if (stride == 0) continue;
    const int64_t power = std::min(power_in(stride.multiple()), lanes);
    if (o.traced && std::min(o.multiple, lanes) * power % lanes != 0) return false;
    if (!stride.is_known() && *apart++ % lanes * power % lanes != 0) return false;
  }
  // A swizzle moves no bits below its base.
  return !v.swizzle ||
         (v.base % lanes == 0 && (!v.swizzle->bits() || lanes <= int64_t{1} << v.swizzle->base()));
}

/// The elements of each access: as many as lie side by side at a multiple of them, up to what a
/// vector holds. Where elements share a place, one at a time in order, so that the last one stays.
std::vector<std::vector<int64_t>> chunks(Builder& b, const View& v, DType type) {
  std::vector<Spot> spots;
  for (int64_t c = 0; c < v.size(); ++c) spots.push_back(spot_of(v, c));
  std::sort(spots.begin(), spots.end(), [](const Spot& x, const Spot& y) {
    return std::tie(x.apart, x.at, x.element) < std::tie(y.apart, y.at, y.element);
  });
  const bool shared = std::adjacent_find(spots.begin(), spots.end(), [](auto& x, auto& y) {
                        return x.same_place(y);
                      }) != spots.end();
  if (shared) {
    std::sort(spots.begin(), spots.end(),
              [](const Spot& x, const Spot& y) { return x.element < y.element; });
  }
  auto fits = [&](size_t at, int64_t lanes) {
    if (!is_vector_access(type, static_cast<uint64_t>(lanes)) || !is_aligned(v, spots[at], lanes)) {
      return false;
    }
    if (at + static_cast<size_t>(lanes) > spots.size()) return false;
    std::vector<int64_t> elements;
    for (int64_t j = 0; j < lanes; ++j) {
      const Spot& s = spots[at + static_cast<size_t>(j)];
      if (s.apart != spots[at].apart || s.at != spots[at].at + j) return false;
      elements.push_back(s.element);
    }
    return exist_together(b, v, elements);
  };
  std::vector<std::vector<int64_t>> out;
  for (size_t at = 0; at < spots.size(); at += out.back().size()) {
    const int64_t lanes = shared ? 1 : fits(at, 4) ? 4 : fits(at, 2) ? 2 : 1;
    out.emplace_back();
    for (int64_t j = 0; j < lanes; ++j) {
      out.back().push_back(spots[at + static_cast<size_t>(j)].element);
    }
  }
  return out;
}

/// Values of a fragment as others group them; taken apart once, where they are grouped otherwise.
class Grouping {
 public:
  /// Error unless there are values for so many elements.
  Grouping(Builder& b, const std::vector<Piece>& pieces, size_t wanted) : b_(b), pieces_(pieces) {
    size_t held = 0;
    for (const Piece& p : pieces) held += p.elements.size();
    if (held == wanted) return;
    throw Error(concat(held, " values are given for ", wanted, " elements; give one for each"),
                b.location());
  }

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

/// Error where a view has no memory, more elements than a thread can hold, or nobody knows how
/// many.
void check_accessible(const Builder& b, const View& v, const char* what) {
  const bool endless = is_endless(v);
  if (!v.profile && !endless && v.size() <= kMaxFragment) return;
  if (v.profile)
    throw Error(
        concat(what, " of ", called(v), ", which has no memory; coordinate() tells an element"),
        b.location());
  const std::string most = concat(" in one thread: ", kMaxFragment, " are the most");
  throw Error(concat(what, " of ", endless ? "" : concat(v.size(), " elements of "), called(v),
                     endless ? concat(", whose shape ", shape_text(v), " only a run knows") : most,
                     "; slice the tensor to the thread's part first"),
              b.location());
}

bool is_never(const std::optional<Operand>& exists) {
  return exists && std::holds_alternative<Literal>(*exists);
}

void store(Builder& b, ValueId memory, const View& v,
           const std::function<Operand(const std::vector<int64_t>&)>& value) {
  check_accessible(b, v, "store()");
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

bool has_vectors(Builder& b, const View& v, DType type) { return chunks(b, v, type)[0].size() > 1; }

Element element(Builder& b, const View& v) { return {index_at(b, v, 0), exists_at(b, v, 0)}; }

std::vector<Operand> coordinate(Builder& b, const View& v) {
  std::vector<int64_t> steps = steps_at(v.steps, 0);
  std::vector<Operand> out;
  for (size_t k = 0; k < steps.size(); ++k) out.push_back(sum(b, v.steps.origins[k], steps[k]));
  return out;
}

std::vector<Piece> load(Builder& b, ValueId memory, const View& v) {
  check_accessible(b, v, "load()");
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
  size_t wanted = 0;
  for (const auto& group : groups) wanted += group.size();
  Grouping grouping(b, pieces, wanted);
  std::vector<Piece> out;
  for (const std::vector<int64_t>& group : groups) out.push_back({grouping(group), group});
  return out;
}

void store(Builder& b, ValueId memory, const View& v, const std::vector<Piece>& values) {
  Grouping grouping(b, values, static_cast<size_t>(v.size()));
  store(b, memory, v, [&](const std::vector<int64_t>& chunk) { return grouping(chunk); });
}

void store(Builder& b, ValueId memory, const View& v, Operand value) {
  store(b, memory, v, [&](const std::vector<int64_t>&) { return value; });
}

}  // namespace enigma
