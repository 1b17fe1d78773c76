// CuTe's layouts and their algebra, with CuTe's answers: functions from coordinates to indices,
// written shape:stride. Shapes and strides are known numbers, what CuTe calls static. Where an
// operation is not defined it throws an Error that names the mode; a result is always exact.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "enigma/error.h"
#include "enigma/int_tuple.h"

namespace enigma {

/// The mode of a coordinate that a stride steps along, as a path from the top; empty for indices.
class Basis {
 public:
  Basis() = default;
  explicit Basis(const std::vector<int64_t>& path);
  bool empty() const { return path_ == 0; }
  std::vector<int64_t> path() const;
  /// The basis one level below.
  Basis deeper(int64_t mode) const;
  bool operator==(const Basis&) const = default;
  uint64_t bits() const { return path_; }

 private:
  uint64_t path_ = 0;  // a byte per level, the top one lowest: the mode plus 1
};

/// A step: an integer, or in layouts that give coordinates `value@mode` (CuTe's ScaledBasis).
struct Stride {
  int64_t value = 0;
  Basis basis;
  Stride() = default;
  template <std::integral I>
  Stride(I v) : value(v) {}
  Stride(int64_t v, Basis b) : value(v), basis(v == 0 ? Basis() : b) {}
  bool operator==(const Stride&) const = default;
};

using Strides = Nested<Stride>;

/// Size and stride of a mode that is not divided further.
struct Mode {
  int64_t size;
  Stride stride;
  bool operator==(const Mode&) const = default;
};

/// A function from the coordinates of a shape to indices. Immutable and cheap to copy.
class Layout {
 public:
  Layout() : Layout(1) {}
  /// Compact and column-major: the first mode is innermost. Modes of size 1 get stride 0.
  Layout(const IntTuple& shape);
  /// `Layout({4, 8})`, as with IntTuple.
  Layout(std::initializer_list<IntTuple> shape) : Layout(IntTuple(shape)) {}
  template <std::integral I>
  Layout(I shape) : Layout(IntTuple(shape)) {}
  Layout(const IntTuple& shape, const Strides& stride);
  explicit Layout(Nested<Mode> modes) : modes_(std::move(modes)) {}

  IntTuple shape() const;
  Strides stride() const;
  /// All modes that are not divided further, first to last.
  const SmallVector<Mode, 4>& leaves() const& { return modes_.leaves(); }
  /// Of a layout that is about to end: a copy, so that `for (Mode m : layout[k].leaves())` is
  /// right.
  SmallVector<Mode, 4> leaves() && { return modes_.leaves(); }
  const Nested<Mode>& modes() const { return modes_; }
  Node<Mode> root() const { return modes_.root(); }
  bool operator==(const Layout&) const = default;

  size_t rank() const { return modes_.rank(); }
  int depth() const;
  int64_t size() const;
  /// One more than the largest index; strides count by their absolute values, as in CuTe.
  int64_t cosize() const;
  /// Mode `i`. A layout without modes of its own is its mode 0.
  Layout operator[](size_t i) const;

  /// The index of a coordinate: nested, or with integers that count through modes. As in CuTe
  /// nothing is checked against the shape: the last mode goes on without end.
  int64_t operator()(const IntTuple& coord) const;
  int64_t operator()(int64_t coord) const;
  /// The same for layouts whose strides have a basis: the coordinate that they map to.
  IntTuple coordinate(const IntTuple& coord) const;
  bool gives_coordinates() const;

 private:
  Nested<Mode> modes_;
};

std::string str(const Stride& s);
std::string str(const Strides& s);
/// "(4,8):(1,4)"
std::string str(const Layout& l);
size_t hash(const Layout& l);

// ---- Making layouts ----
/// One mode for each layout.
Layout make_layout(const std::vector<Layout>& modes);
/// Compact; the mode with the smallest order is innermost.
Layout make_ordered_layout(const IntTuple& shape, const IntTuple& order);
/// Maps every coordinate of the shape to itself: (4,8):(1@0,1@1).
Layout make_identity_layout(const IntTuple& shape);

// ---- The algebra ----
/// How to take another layout apart: a layout, a size (that size with stride 1), nothing (the mode
/// stays as it is), or a tuple of tilers, one for each mode.
struct Tiler {
  struct Whole {};
  std::variant<Whole, Layout, std::vector<Tiler>> value;
  Tiler() = default;
  Tiler(Layout l) : value(std::move(l)) {}
  template <std::integral I>
  Tiler(I size) : Tiler(Layout(size)) {}
  /// `Tiler{3, Layout(4, 2)}`, a tiler for each mode.
  Tiler(std::initializer_list<Tiler> modes) : value(std::vector<Tiler>(modes)) {}
  Tiler(std::vector<Tiler> modes) : value(std::move(modes)) {}
  /// Every integer is a size, every None a mode that stays.
  explicit Tiler(const IntTuple& shape);
};
std::string str(const Tiler& t);

/// The same function with as few modes as possible.
Layout coalesce(const Layout& l);
/// The same below each integer of a profile.
Layout coalesce(const Layout& l, const IntTuple& profile);
/// Without the modes of stride 0 and of size 1; what is left is coalesced.
Layout filter(const Layout& l);
/// The same below each integer of a profile.
Layout filter(const Layout& l, const IntTuple& profile);
/// The ordered layout of what `l` leaves out of the indices below `cosize`, rounded up.
Layout complement(const Layout& l, std::optional<int64_t> cosize = {});
/// R with R(c) = a(b(c)) for every coordinate c of b. Each mode of b must meet the modes of a at
/// their bounds, and no sum of them may carry from one mode of a to the next.
Layout composition(const Layout& a, const Layout& b);
/// The same mode by mode; modes of `a` that the tiler does not name are dropped.
Layout composition(const Layout& a, const Tiler& b);

/// ((tile, rest), ...): what the tiler picks of each mode, and where its repetitions begin.
Layout logical_divide(const Layout& l, const Tiler& tiler);
/// ((tiles), (rests))
Layout zipped_divide(const Layout& l, const Tiler& tiler);
/// ((tiles), rest, rest, ...)
Layout tiled_divide(const Layout& l, const Tiler& tiler);
/// (tile, tile, ..., rest, rest, ...)
Layout flat_divide(const Layout& l, const Tiler& tiler);

/// (block, repetitions): the block, and where the tiler puts its copies.
Layout logical_product(const Layout& block, const Tiler& tiler);
Layout zipped_product(const Layout& block, const Tiler& tiler);
Layout tiled_product(const Layout& block, const Tiler& tiler);
Layout flat_product(const Layout& block, const Tiler& tiler);
/// Copies of a block side by side, mode by mode.
Layout blocked_product(const Layout& block, const Layout& tiler);
/// Copies of a block interleaved, mode by mode.
Layout raked_product(const Layout& block, const Layout& tiler);

/// R with l(R(i)) = i, as far as l reaches the indices 0, 1, 2, ... without a gap.
Layout right_inverse(const Layout& l);
/// R with R(l(i)) = i. Of modes with stride 0, the coordinate 0 is given back.
Layout left_inverse(const Layout& l);
/// The layout of the same memory when its elements have other widths.
Layout recast_layout(int64_t new_bits, int64_t old_bits, const Layout& l);
/// The tile that threads and their values cover, and the layout from (thread, value) to the
/// column-major index in it.
std::pair<IntTuple, Layout> make_layout_tv(const Layout& threads, const Layout& values);

// ---- Slices ----
/// The modes that a coordinate leaves open with None.
Layout slice(const Layout& l, const IntTuple& coord);
/// The modes that a coordinate fixes.
Layout dice(const Layout& l, const IntTuple& coord);

// ---- Swizzles ----
/// The function x -> x ^ (bits of x, shifted): the `bits` bits above `base` change by those that
/// lie `shift` higher, or lower if it is negative.
class Swizzle {
 public:
  Swizzle(int bits, int base, int shift);
  int bits() const { return bits_; }
  int base() const { return base_; }
  int shift() const { return shift_; }
  int64_t operator()(int64_t index) const;
  /// The indices below this are permuted among themselves.
  int64_t size() const;
  bool operator==(const Swizzle&) const = default;

 private:
  int bits_, base_, shift_;
};
std::string str(const Swizzle& s);

/// c -> swizzle(offset + layout(c)).
struct SwizzledLayout {
  Swizzle swizzle;
  int64_t offset = 0;
  Layout layout;
  bool operator==(const SwizzledLayout&) const = default;
  int64_t operator()(const IntTuple& coord) const;
  /// One more than the largest index that the layout gives.
  int64_t cosize() const;
};
/// The same, checked: the layout must give indices.
SwizzledLayout make_swizzled(const Swizzle& swizzle, int64_t offset, const Layout& layout);
/// "Sw<2,0,3> o 0 o (8,8):(8,1)"
std::string str(const SwizzledLayout& l);
SwizzledLayout slice(const SwizzledLayout& l, const IntTuple& coord);
SwizzledLayout recast_layout(int64_t new_bits, int64_t old_bits, const SwizzledLayout& l);

// ---- Pictures ----
/// A table of a layout: what stands in each cell, and the number of its colour.
struct Table {
  std::string title;
  int64_t rows = 0, columns = 0;
  std::vector<std::string> labels;  // row by row
  std::vector<int64_t> colours;
};
using AnyLayout = std::variant<Layout, SwizzledLayout>;
/// The values of a layout: mode 0 down, the other modes across. `colour` gives a number for each
/// coordinate; otherwise the value is the number.
Table table(const AnyLayout& l, const std::optional<Layout>& colour = {});
/// A (thread, value) layout on a tile of one or two modes: "T3 V1" where they lie, coloured by
/// thread.
Table table_tv(const Layout& tv, const IntTuple& tile);
std::string draw_text(const Table& t);
std::string draw_svg(const Table& t);
std::string draw_latex(const Table& t);

}  // namespace enigma
