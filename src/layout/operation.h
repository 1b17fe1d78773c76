// What the operations of the algebra share: modes as flat lists, tilers taken mode by mode, and
// errors that name the operation that the user wrote.
#pragma once

#include "enigma/layout.h"
#include "layout/checked.h"

namespace enigma {

using ModeList = SmallVector<Mode, 4>;

/// stride * factor
inline Stride scaled(const Stride& s, int64_t factor) {
  return {checked_mul(s.value, factor), s.basis};
}

/// Whether mode b goes on where mode a ends.
inline bool continues(const Mode& a, const Mode& b) {
  int64_t end;
  return !__builtin_mul_overflow(a.size, a.stride.value, &end) &&
         Stride(end, a.stride.basis) == b.stride;
}

/// The leaves of a layout as few modes. With `open_end` the function stays the same beyond the last
/// mode, which goes on without end, too.
ModeList coalesced(Node<Mode> l, bool open_end);

/// A flat list as a layout: one mode is not put into a tuple, no modes are 1:0.
Layout layout_of(const ModeList& modes);

/// The call that an error names, and how deep in its tiler the work is.
struct Operation {
  const char* name;
  const Layout& left;
  const Tiler* tiler;   // either this
  const Layout* right;  // or this
  std::vector<size_t> path = {};

  /// "logical_divide((9,32):(59,13), <3:3,4:1>), mode 1: "
  std::string text() const;
  [[noreturn]] void fail(const std::string& reason) const { throw Error(text() + reason); }
};

/// a o b; `op` is the call to blame.
Layout compose(const Layout& a, const Layout& b, const Operation& op);
/// The complement; `op` is the call to blame.
Layout complement_of(const Layout& l, int64_t cosize, const Operation& op);

/// Applies f(layout, layout) at the layouts of a tiler; `keeps` the modes that it does not name.
template <class F>
void by_mode(Nested<Mode>& out, Node<Mode> l, const Tiler& t, bool keeps, Operation& op,
             const F& f) {
  if (std::holds_alternative<Tiler::Whole>(t.value)) {
    out.push(l);
    return;
  }
  if (const Layout* layout = std::get_if<Layout>(&t.value)) {
    out.push(f(Layout(Nested<Mode>(l)), *layout).root());
    return;
  }
  const auto& modes = std::get<std::vector<Tiler>>(t.value);
  size_t rank = l.rank();
  if (modes.size() > rank)
    op.fail(concat("the tiler has ", modes.size(), " modes, but the layout has only ", rank,
                   "; leave the others out, or give one layout for the whole"));
  out.open();
  for (size_t i = 0; i < rank; ++i) {
    if (i >= modes.size()) {
      if (keeps) out.push(l.mode(i));
      continue;
    }
    op.path.push_back(i);
    by_mode(out, l.mode(i), modes[i], keeps, op, f);
    op.path.pop_back();
  }
  out.close();
}

}  // namespace enigma
