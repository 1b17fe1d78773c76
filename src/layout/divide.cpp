// Divides and products: a layout taken apart by a tiler, and a block repeated by one.

#include <algorithm>

#include "layout/operation.h"

namespace enigma {
namespace {

Layout pair_of(const Layout& a, const Layout& b) {
  Nested<Mode> out = Nested<Mode>::blank();
  return Layout(std::move(out.open().push(a.root()).push(b.root()).close()));
}

Layout divide(const Layout& l, const Layout& tiler, const Operation& op) {
  return compose(l, pair_of(tiler, complement_of(tiler, l.size(), op)), op);
}

Layout multiply(const Layout& block, const Layout& tiler, const Operation& op) {
  int64_t reach = checked_mul(block.size(), tiler.cosize());
  return pair_of(block, compose(complement_of(block, reach, op), tiler, op));
}

using Step = Layout (*)(const Layout&, const Layout&, const Operation&);

/// The two modes of what a step gave, gathered: the first modes of all leaves of a tiler, and the
/// others with all that the tiler does not name.
struct Halves {
  Nested<Mode> first = Nested<Mode>::blank();
  Nested<Mode> second = Nested<Mode>::blank();
};

void gather(Halves& out, Node<Mode> l, const Tiler& t) {
  if (std::holds_alternative<Tiler::Whole>(t.value)) {
    out.first.push(Mode{1, 0});
    out.second.push(l);
    return;
  }
  if (std::holds_alternative<Layout>(t.value)) {
    out.first.push(l.mode(0));
    out.second.push(l.mode(1));
    return;
  }
  const auto& modes = std::get<std::vector<Tiler>>(t.value);
  out.first.open();
  out.second.open();
  size_t i = 0;
  for (Node<Mode> m : l) {
    if (i < modes.size()) {
      gather(out, m, modes[i]);
    } else {
      out.second.push(m);
    }
    ++i;
  }
  out.first.close();
  out.second.close();
}

void unpack(Nested<Mode>& out, Node<Mode> l) {
  if (!l.is_tuple()) {
    out.push(l);
  } else {
    for (Node<Mode> m : l) out.push(m);
  }
}

enum class Form { Logical, Zipped, Tiled, Flat };

Layout apply(const char* name, Step step, Form form, const Layout& l, const Tiler& t) {
  Operation op{name, l, &t, nullptr};
  Nested<Mode> paired = Nested<Mode>::blank();
  by_mode(paired, l.root(), t, true, op,
          [&](const Layout& a, const Layout& b) { return step(a, b, op); });
  if (form == Form::Logical) return Layout(std::move(paired));
  Halves halves;
  gather(halves, paired.root(), t);
  Nested<Mode> out = Nested<Mode>::blank();
  out.open();
  if (form == Form::Flat) {
    unpack(out, halves.first.root());
  } else {
    out.push(halves.first.root());
  }
  if (form == Form::Zipped) {
    out.push(halves.second.root());
  } else {
    unpack(out, halves.second.root());
  }
  return Layout(std::move(out.close()));
}

/// As many modes as asked for: modes of size 1 are appended.
Layout padded(const Layout& l, size_t rank) {
  Nested<Mode> out = Nested<Mode>::blank();
  out.open();
  unpack(out, l.root());
  for (size_t i = l.rank(); i < rank; ++i) out.push(Mode{1, 0});
  return Layout(std::move(out.close()));
}

/// The product with the modes of both sides paired and coalesced; `raked` puts the tiler's first.
Layout paired_product(const char* name, const Layout& block, const Layout& tiler, bool raked) {
  Operation op{name, block, nullptr, &tiler};
  size_t rank = std::max(block.rank(), tiler.rank());
  Layout product = multiply(padded(block, rank), padded(tiler, rank), op);
  Nested<Mode> out = Nested<Mode>::blank();
  out.open();
  for (size_t i = 0; i < rank; ++i) {
    Node<Mode> inner = product.root().mode(raked ? 1 : 0).mode(i);
    Node<Mode> outer = product.root().mode(raked ? 0 : 1).mode(i);
    Nested<Mode> both = Nested<Mode>::blank();
    both.open().push(inner).push(outer).close();
    out.push(layout_of(coalesced(both.root(), false)).root());
  }
  return Layout(std::move(out.close()));
}

Tiler tiler_of(Node<int64_t> t) {
  if (t.is_none()) return {};
  if (!t.is_tuple()) return Layout(t.leaf());
  std::vector<Tiler> modes;
  for (Node<int64_t> e : t) modes.push_back(tiler_of(e));
  return modes;
}

}  // namespace

Tiler::Tiler(const IntTuple& shape) : Tiler(tiler_of(shape.root())) {}

std::string str(const Tiler& t) {
  if (const Layout* l = std::get_if<Layout>(&t.value)) return str(*l);
  if (std::holds_alternative<Tiler::Whole>(t.value)) return "None";
  Text out;
  const char* separator = "<";
  for (const Tiler& m : std::get<std::vector<Tiler>>(t.value)) {
    out.add(separator, str(m));
    separator = ",";
  }
  return out.str().empty() ? "<>" : out.add(">").str();
}

Layout logical_divide(const Layout& l, const Tiler& t) {
  return apply("logical_divide", divide, Form::Logical, l, t);
}
Layout zipped_divide(const Layout& l, const Tiler& t) {
  return apply("zipped_divide", divide, Form::Zipped, l, t);
}
Layout tiled_divide(const Layout& l, const Tiler& t) {
  return apply("tiled_divide", divide, Form::Tiled, l, t);
}
Layout flat_divide(const Layout& l, const Tiler& t) {
  return apply("flat_divide", divide, Form::Flat, l, t);
}
Layout logical_product(const Layout& l, const Tiler& t) {
  return apply("logical_product", multiply, Form::Logical, l, t);
}
Layout zipped_product(const Layout& l, const Tiler& t) {
  return apply("zipped_product", multiply, Form::Zipped, l, t);
}
Layout tiled_product(const Layout& l, const Tiler& t) {
  return apply("tiled_product", multiply, Form::Tiled, l, t);
}
Layout flat_product(const Layout& l, const Tiler& t) {
  return apply("flat_product", multiply, Form::Flat, l, t);
}
Layout blocked_product(const Layout& block, const Layout& tiler) {
  return paired_product("blocked_product", block, tiler, false);
}
Layout raked_product(const Layout& block, const Layout& tiler) {
  return paired_product("raked_product", block, tiler, true);
}

}  // namespace enigma
