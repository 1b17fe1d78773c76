// Views as data: making, dividing, composing, and the slices that fix some of their coordinates.

#include <algorithm>

#include "enigma/limits.h"
#include "enigma/tensor.h"
#include "support/text.h"
#include "tensor/index.h"

namespace enigma {
namespace {

// The size of a mode without an end, and what is left of it at least where tiles are taken out.
constexpr int64_t kEndless = int64_t{1} << 60, kStillEndless = int64_t{1} << 40;

bool is_endless(const Mode& m) { return m.size >= kStillEndless; }

bool is_endless(const Layout& l) {
  return std::any_of(l.leaves().begin(), l.leaves().end(),
                     [](const Mode& m) { return is_endless(m); });
}

/// The largest index above the origin, and the lowest, which is at most 0.
std::pair<int64_t, int64_t> reach(const Layout& l) {
  int64_t low = 0, high = 0;
  for (const Mode& m : l.leaves()) {
    (m.stride.value < 0 ? low : high) += m.stride.value * (m.size - 1);
  }
  return {low, high};
}

/// Each coordinate of a shape as itself.
Steps coordinates_of(const IntTuple& shape) {
  Steps out{make_identity_layout(shape), {}};
  for (const Mode& m : out.layout.leaves()) out.origins.emplace_back().basis = m.stride.basis;
  return out;
}

/// The modes of a layout that a tiler takes apart, without the bounds between what follows each
/// other in memory; those that it leaves alone as they are.
Layout merged(const Layout& l, const Tiler& tiler) {
  if (std::holds_alternative<Layout>(tiler.value)) return coalesce(l);
  const auto* modes = std::get_if<std::vector<Tiler>>(&tiler.value);
  if (!modes) return l;
  std::vector<Layout> out;
  for (size_t k = 0; k < l.rank(); ++k) {
    out.push_back(k < modes->size() ? merged(l[k], (*modes)[k]) : l[k]);
  }
  return make_layout(out);
}

/// Marks the components of the modes that a tiler covers beyond their end. Both layouts have a mode
/// for each of the tiler.
void limit(Guard& g, const Layout& coords, const Tiler& tiler) {
  if (const auto* modes = std::get_if<std::vector<Tiler>>(&tiler.value)) {
    for (size_t k = 0; k < modes->size(); ++k) limit(g, coords[k], (*modes)[k]);
    return;
  }
  if (std::holds_alternative<Tiler::Whole>(tiler.value) || is_endless(coords)) return;
  if (logical_divide(coords, tiler).size() == coords.size()) return;
  const Mode& last = coords.leaves().back();  // the one that a layout has no end in
  g.limits[g.steps.component(last.stride)] = last.size;
}

[[noreturn]] void refuse_base(const View& v, int64_t least) {
  throw Error(concat(called(v), " begins at element ", least,
                     " of its memory; give a base_offset of at least ", v.base - least));
}

template <class F>
View transformed(const View& v, const F& f) {
  View out = v;
  out.steps.layout = f(v.steps.layout);
  for (Guard& g : out.guards) g.steps.layout = f(g.steps.layout);
  return out;
}

/// Error for what coordinates in 32 bits cannot count through.
void check_size(const View& v, const Size& s) {
  if (!s.is_known() || (s.known() >= 1 && s.known() <= kMaxSize)) return;
  throw Error(concat(called(v), " has the size ", str(s), "; give sizes from 1 to ", kMaxSize));
}

void check_builder(const Builder* b, bool is_known) {
  if (!b && !is_known) throw Error("a traced coordinate needs the Builder of its kernel");
}

/// Error unless a tiler stays within a layout, mode by mode.
void check_fits(const View& v, const Layout& l, const Tiler& tiler) {
  if (const auto* modes = std::get_if<std::vector<Tiler>>(&tiler.value)) {
    if (modes->size() > l.rank()) return;  // the algebra's own message is better
    for (size_t k = 0; k < modes->size(); ++k) check_fits(v, l[k], (*modes)[k]);
    return;
  }
  const Layout* t = std::get_if<Layout>(&tiler.value);
  if (!t || t->cosize() <= l.size()) return;
  throw Error(concat("the layout ", str(*t), " reaches index ", t->cosize() - 1, ", but ",
                     called(v), " has ", l.size(), " elements there, of shape ", str(l.shape()),
                     "; compose it with a layout of at most as many"));
}

/// Error where a tiler has more modes than what it takes apart, or counts through modes of which
/// one but the last has no end. The algebra's own messages would show numbers in place of sizes.
void check_counts(const View& v, const Layout& l, const Tiler& tiler) {
  if (v.axes.empty() || !is_endless(l)) return;
  if (const auto* modes = std::get_if<std::vector<Tiler>>(&tiler.value)) {
    if (modes->size() > l.rank()) {
      throw Error(concat("the tiler ", str(tiler), " has ", modes->size(), " modes, but ",
                         called(v), " has only ", l.rank(), " there; its shape is ",
                         shape_text(v)));
    }
    for (size_t k = 0; k < modes->size(); ++k) check_counts(v, l[k], (*modes)[k]);
    return;
  }
  const auto& leaves = l.leaves();
  if (std::holds_alternative<Tiler::Whole>(tiler.value) || leaves.empty()) return;
  if (std::none_of(leaves.begin(), leaves.end() - 1, [](const Mode& m) { return is_endless(m); }))
    return;
  throw Error(concat("the tiler ", str(tiler), " counts through modes of ", called(v),
                     " whose sizes only a run knows; give a tiler for each mode"));
}

template <class F>
std::string nested_text(Node<Mode> l, const F& f) {
  if (!l.is_tuple()) return str(f(l.leaf()));
  std::string out;
  for (Node<Mode> mode : l) out += (out.empty() ? "(" : ",") + nested_text(mode, f);
  return out + (out.empty() ? "()" : ")");
}

// ---- Slices ----

class Slicer {
 public:
  Slicer(Builder* b, const View& v) : b_(b), v_(v) {}

  Steps run(const Steps& steps, const Coordinate& coord) {
    Steps out = steps;
    walk(steps.layout.root(), coord.root(), out);
    out.layout = slice(steps.layout, known(coord));
    return out;
  }

  /// The coordinate with 0 for what is traced.
  static IntTuple known(const Coordinate& coord) {
    SmallVector<int64_t, 4> leaves;
    for (const Index& i : coord.leaves()) leaves.push_back(i.is_known() ? i.known : 0);
    return {coord.profile(), leaves};
  }

 private:
  void walk(Node<Mode> l, Node<Index> c, Steps& out) {
    if (c.is_none()) return;
    if (c.is_leaf()) return step(l, c.leaf(), out);
    if (!l.is_tuple() || l.rank() != c.rank()) {
      if (c.rank() == 1) return walk(l, c.mode(0), out);
      throw Error(concat(called(v_), " is indexed by ", c.rank(), " coordinates where it has ",
                         l.is_tuple() ? l.rank() : 1, ": its shape is ", shape_text(v_)));
    }
    auto part = c.begin();
    for (Node<Mode> mode : l) {
      walk(mode, *part, out);
      ++part;
    }
  }

  void step(Node<Mode> l, const Index& x, Steps& out) {
    if (!v_.axes.empty() && is_endless(Layout(Nested<Mode>(l)))) return count(l, x, out);
    const Layout modes = coalesce(Layout(Nested<Mode>(l)));
    int64_t size = modes.size(), place = 1;
    if (x.is_known() && (x.known < 0 || x.known >= size)) {
      throw Error(concat("the coordinate ", x.known, " is outside of ", called(v_), ": it counts ",
                         size, size == 1 ? " element" : " elements", " there, from 0"));
    }
    Digits digits(b_, x, size, v_.wide);
    for (const Mode& m : modes.leaves()) {
      if (m.stride.value != 0) {
        add(b_, out.origins[out.component(m.stride)], digits.at(place, m.size), m.stride.value);
      }
      place *= m.size;
    }
  }

  /// The same where sizes are not known: what counts through the last mode has no end.
  void count(Node<Mode> l, Index x, Steps& out) {
    if (x.is_known() && x.known < 0) {
      throw Error(
          concat("the coordinate ", x.known, " is outside of ", called(v_), ": it counts from 0"));
    }
    const size_t n = l.leaf_count();
    for (size_t k = 0; k < n; ++k) {
      const Mode& m = l.leaves()[k];
      Index digit = x;
      if (k + 1 < n) {
        const Size size = size_of(v_, m);
        digit = divided(x, size, "%");
        x = divided(x, size, "//");
      } else if (!x.is_known() && b_->type(x.value).dtype != DType::U32) {
        digit = b_->cast(x.value, DType::U32);
      }
      add(b_, out.origins[out.component(m.stride)], digit, m.stride.value);
    }
  }

  Index divided(const Index& x, const Size& size, const char* operation) {
    if (x.is_known() && x.known == 0) return 0;
    if (x.is_known() && size.is_known()) {
      return *operation == '%' ? x.known % size.known() : x.known / size.known();
    }
    if (!b_) {
      throw Error(concat("the number ", x.known, " counts through modes of ", called(v_),
                         " whose sizes only a run knows; give a coordinate for each mode"));
    }
    ValueId of = x.is_known() ? b_->constant(DType::U32, x.known) : b_->cast(x.value, DType::U32);
    return b_->apply(operation, {of, value(*b_, size)});
  }

  Builder* b_;
  const View& v_;
};

/// Coordinates with a mode for each size, without an end where it is not known.
Steps coordinates_of(const std::vector<Size>& sizes) {
  IntTuple shape = IntTuple::blank();
  shape.open();
  for (const Size& s : sizes) shape.push(s.is_known() ? s.known() : kEndless);
  return coordinates_of(shape.close());
}

}  // namespace

std::string called(const View& v) {
  if (v.profile) return "an identity tensor";
  return v.name.empty() ? "a tensor" : concat("'", v.name, "'");
}

size_t Steps::component(const Stride& stride) const {
  for (size_t k = 0; k < origins.size(); ++k) {
    if (origins[k].basis == stride.basis) return k;
  }
  return 0;  // a stride of 0 is of none
}

AnyLayout View::shown() const {
  if (!swizzle) return steps.layout;
  return SwizzledLayout{*swizzle, steps.origins[0].known, steps.layout};
}

View make_view(std::string name, const AnyLayout& layout, int64_t base) {
  View v;
  v.name = std::move(name);
  v.base = base;
  v.steps.origins.resize(1);
  if (const auto* s = std::get_if<SwizzledLayout>(&layout)) {
    v.steps.layout = s->layout;
    v.steps.origins[0].known = s->offset;
    v.swizzle = s->swizzle;
  } else {
    v.steps.layout = std::get<Layout>(layout);
  }
  const Layout& l = v.steps.layout;
  if (l.gives_coordinates()) {
    throw Error(concat(called(v), " cannot have the layout ", str(l),
                       ", which gives coordinates; use strides without a basis, or "
                       "make_identity_tensor for a tensor of coordinates"));
  }
  if (l.size() < 1)
    throw Error(concat(called(v), " is empty: its shape is ", str(l.shape()),
                       "; give sizes of at least 1"));
  const int64_t least = base + v.steps.origins[0].known + reach(l).first;
  if (least < 0 || (v.swizzle && base < 0)) refuse_base(v, least);
  v.wide = elements(v) > int64_t{UINT32_MAX};
  return v;
}

View make_view(std::string name, std::vector<Axis> axes, int64_t base) {
  std::vector<Size> sizes;
  Guard end;
  for (const Axis& a : axes) {
    sizes.push_back(a.size);
    end.limits.push_back(a.size.is_known() ? std::optional<Size>() : a.size);
  }
  View v;
  v.name = std::move(name);
  v.base = base;
  v.steps = coordinates_of(sizes);
  for (const Axis& a : axes) {
    if (!a.size.is_known() && !a.size.symbol()) {
      throw Error(concat(called(v), " has the size ", str(a.size),
                         "; a size is a number or a symbol by itself"));
    }
    check_size(v, a.size);
    if (a.stride.least() < 0) {
      throw Error(concat(called(v), " has the stride ", str(a.stride),
                         "; beside sizes that only a run knows strides cannot be negative"));
    }
  }
  if (base < 0) refuse_base(v, base);
  v.axes = std::move(axes);
  end.steps = v.steps;
  v.guards.push_back(std::move(end));
  return v;
}

View make_endless_view(std::string name, int64_t base) {
  View v = make_view(std::move(name), Layout(IntTuple(kEndless), Strides(Stride(1))), base);
  v.wide = false;
  return v;
}

View make_identity_view(const IntTuple& shape) {
  View v;
  v.steps = coordinates_of(shape);
  v.profile = shape.profile();
  return v;
}

View make_identity_view(const std::vector<Size>& shape) {
  View v;
  v.profile = "";
  for (const Size& s : shape) {
    check_size(v, s);
    v.axes.push_back({s, 0});
  }
  v.steps = coordinates_of(shape);
  v.profile = v.layout().shape().profile();
  return v;
}

std::vector<Symbol> symbols(const View& v) {
  std::vector<Symbol> out;
  for (const Axis& a : v.axes) {
    for (const Size& s : {a.size, a.stride}) {
      for (const Symbol& symbol : s.symbols()) {
        if (std::find(out.begin(), out.end(), symbol) == out.end()) out.push_back(symbol);
      }
    }
  }
  return out;
}

bool is_endless(const View& v) { return is_endless(v.layout()); }

std::string shape_text(const View& v) {
  return nested_text(v.layout().root(), [&](const Mode& m) { return size_of(v, m); });
}

std::string stride_text(const View& v) {
  return nested_text(v.layout().root(), [&](const Mode& m) { return stride_of(v, m); });
}

Size size_of(const View& v, const Mode& leaf) {
  if (v.axes.empty() || !is_endless(leaf)) return leaf.size;
  return ceil_div(v.axes[v.steps.component(leaf.stride)].size, leaf.stride.value);
}

Size stride_of(const View& v, const Mode& leaf) {
  if (v.axes.empty()) return leaf.stride.value;
  return leaf.stride.value * v.axes[v.steps.component(leaf.stride)].stride;
}

int64_t elements(const View& v) {
  const Layout& l = v.steps.layout;
  if (v.profile || !v.axes.empty() || is_endless(v)) return 0;
  if (v.swizzle) return v.base + SwizzledLayout{*v.swizzle, v.steps.origins[0].known, l}.cosize();
  return v.base + v.steps.origins[0].known + reach(l).second + 1;
}

View zipped_divide(const View& v, const Tiler& tiler) {
  check_counts(v, v.layout(), tiler);
  View out = transformed(v, [&](const Layout& l) { return zipped_divide(l, tiler); });
  if (v.profile || (v.axes.empty() && out.size() == v.size())) return out;
  Guard g;
  g.steps = coordinates_of(merged(v.layout(), tiler).shape());
  g.limits.resize(g.steps.origins.size());
  const Layout coords = g.steps.layout;
  limit(g, coords, tiler);
  if (std::none_of(g.limits.begin(), g.limits.end(), [](const auto& l) { return l.has_value(); })) {
    return out;
  }
  g.steps.layout = zipped_divide(coords, tiler);
  out.guards.push_back(std::move(g));
  return out;
}

View composition(const View& v, const Tiler& tiler) {
  check_counts(v, v.layout(), tiler);
  check_fits(v, v.layout(), tiler);
  return transformed(v, [&](const Layout& l) {
    if (const Layout* r = std::get_if<Layout>(&tiler.value)) return composition(l, *r);
    return composition(l, tiler);
  });
}

View partition(Builder* b, const View& v, const Layout& threads, const Index& index,
               const std::vector<bool>& keep) {
  if (index.is_known() && (index.known < 0 || index.known >= threads.size())) {
    throw Error(concat("local_partition: the threads ", str(threads), " are numbered from 0 to ",
                       threads.size() - 1, ", and none is ", index.known));
  }
  check_builder(b, index.is_known());
  if (!keep.empty() && keep.size() != threads.rank()) {
    throw Error(concat("local_partition: the threads ", str(threads), " have ", threads.rank(),
                       " modes, and ", keep.size(), " are told to be kept or not; tell all"));
  }
  const Digits digits(b, index, threads.size(), v.wide);
  const bool by_mode = threads.root().is_tuple();
  Coordinate coord = Coordinate::blank();
  IntTuple tile = IntTuple::blank();
  coord.open();
  if (by_mode) {
    coord.open();
    tile.open();
  }
  for (size_t k = 0; k < threads.rank(); ++k) {
    Origin at;
    int64_t place = 1;
    for (const Mode& m : threads[k].leaves()) {
      if (m.size > 1 && m.stride.value < 1) {
        throw Error(concat("local_partition: the threads ", str(threads),
                           " are not numbered one by one; use a compact layout"));
      }
      if (m.size > 1) add(b, at, digits.at(m.stride.value, m.size), place);
      place *= m.size;
    }
    if (!keep.empty() && !keep[k]) continue;
    coord.push(at.traced ? Index(at.traced) : Index(at.known));
    tile.push(place);
  }
  if (by_mode) {
    coord.close();
    tile.close();
  }
  const View tiles = zipped_divide(v, Tiler(tile));
  const Layout rests = tiles.layout()[1];
  if (rests.root().is_tuple()) coord.open();
  for (size_t k = 0; k < rests.rank(); ++k) coord.push_none();
  if (rests.root().is_tuple()) coord.close();
  coord.close();
  return slice(b, tiles, coord);
}

View slice(Builder* b, const View& v, const Coordinate& coord) {
  check_builder(b, std::all_of(coord.leaves().begin(), coord.leaves().end(),
                               [](const Index& i) { return i.is_known(); }));
  Slicer slicer(b, v);
  View out = v;
  out.steps = slicer.run(v.steps, coord);
  for (Guard& g : out.guards) g.steps = slicer.run(g.steps, coord);
  return out;
}

}  // namespace enigma
