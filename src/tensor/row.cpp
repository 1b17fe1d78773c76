// Rows: elements at equal distances, of which copies move several at a time or all together.

#include <algorithm>

#include "enigma/tensor.h"
#include "tensor/index.h"

namespace enigma {

View make_row(const Builder& b, std::string name, ValueId first, int64_t count) {
  View out = make_view(std::move(name), Layout(IntTuple(count)));
  Origin& origin = out.steps.origins[0];
  if (const auto known = b.module().constant(first)) {
    origin.known = static_cast<int64_t>(*known);
  } else {
    origin = {0, first, power_in(b.module(), first)};
  }
  return out;
}

std::optional<View> row(Builder& b, const View& v, const Index& first, int64_t count) {
  const int64_t power =
      first.is_known() ? power_in(first.known) : power_in(b.module(), first.value);
  if (power % count != 0) return std::nullopt;
  std::vector<Layout> rows;
  auto add_row = [&](const Layout& l) {
    const Mode fastest = coalesce(l).leaves()[0];
    rows.emplace_back(IntTuple(count), Strides(fastest.stride));
    return size_of(v, fastest).multiple() % count == 0;
  };
  if (!add_row(v.layout())) return std::nullopt;
  for (const Guard& g : v.guards) {
    if (!add_row(g.steps.layout)) return std::nullopt;
  }
  View out = slice(&b, v, Coordinate(first));
  out.steps.layout = rows[0];
  for (size_t k = 0; k < out.guards.size(); ++k) out.guards[k].steps.layout = rows[k + 1];
  return out;
}

std::optional<Rows> rows(const View& v) {
  if (v.profile || v.swizzle || !v.axes.empty() || !v.guards.empty()) return std::nullopt;
  std::vector<Mode> modes;
  for (const Mode& m : v.layout().leaves()) {
    if (m.size > 1) modes.push_back(m);
  }
  std::sort(modes.begin(), modes.end(),
            [](const Mode& x, const Mode& y) { return x.stride.value < y.stride.value; });
  Rows out;
  for (const Mode& m : modes) {
    const int64_t stride = m.stride.value;
    if (out.count == 1 && stride == out.width) {
      out.width *= m.size;
    } else if (out.count == 1 && stride > out.width) {
      out.count = m.size;
      out.pitch = stride;
    } else if (out.count > 1 && stride == out.count * out.pitch) {
      out.count *= m.size;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace enigma
