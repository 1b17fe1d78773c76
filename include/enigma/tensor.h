// Tensors: memory of a kernel through a layout. A view is a place in memory, known or traced, and
// the layout of what lies there. What coordinates mean is settled here, and reaches the IR as index
// arithmetic that is as short as the sizes, strides and bounds allow.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "enigma/builder.h"
#include "enigma/layout.h"
#include "enigma/size.h"

namespace enigma {

/// A number of a coordinate: known now, or a value of the kernel.
struct Index {
  int64_t known = 0;
  ValueId value;
  Index() = default;
  template <std::integral I>
  Index(I n) : known(n) {}
  Index(ValueId v) : value(v) {}
  bool is_known() const { return !value; }
};

/// Nested as the shape is; None keeps a mode, an index in place of a tuple counts through it.
using Coordinate = Nested<Index>;

/// Where a view begins: a known number, and a traced one that `multiple`, a power of two, divides.
struct Origin {
  int64_t known = 0;
  ValueId traced;
  int64_t multiple = 0;
  Basis basis = {};  ///< the component of coordinates that it is; empty for indices
};

/// A layout from its origin on: one for indices, one for each component of coordinates.
struct Steps {
  Layout layout;
  std::vector<Origin> origins;
  /// The number of the origin that a stride steps from.
  size_t component(const Stride& stride) const;
};

/// Coordinates in a tensor that its tiles do not divide, as large as the view's layout: an element
/// exists where each component is below its limit.
struct Guard {
  Steps steps;
  std::vector<std::optional<Size>> limits;
};

/// A mode of a tensor whose sizes are not all known.
struct Axis {
  Size size, stride;
};

/// Memory through a layout: base + swizzle(origin + layout(c)). A view without memory, an identity
/// tensor, has coordinates for elements. With axes the layout gives coordinates in the whole
/// tensor, and a mode without an end stands for what only a run knows the size of; the index is
/// base + the sum of the coordinates times the axes' strides.
struct View {
  std::string name;  ///< for messages
  Steps steps;
  std::optional<Swizzle> swizzle;
  int64_t base = 0;
  bool wide = false;  ///< indices need 64 bits
  std::vector<Axis> axes;
  std::vector<Guard> guards;
  std::optional<std::string> profile;  ///< of an identity tensor's elements

  const Layout& layout() const { return steps.layout; }
  int64_t size() const { return steps.layout.size(); }
  /// The layout as the user gave it or made it.
  AnyLayout shown() const;
};

/// `base` counts elements from the beginning of the memory. Error where indices would be negative.
View make_view(std::string name, const AnyLayout& layout, int64_t base = 0);
/// With sizes and strides that are not all known: a mode for each axis. Where a size is a symbol,
/// no known coordinate is outside, and elements beyond the end are not touched. Kernels that use it
/// have its symbols among their parameters.
View make_view(std::string name, std::vector<Axis> axes, int64_t base = 0);
/// Of memory whose size nobody knows: no coordinate is outside.
View make_endless_view(std::string name, int64_t base = 0);
/// The view whose elements are the coordinates of a shape.
View make_identity_view(const IntTuple& shape);
View make_identity_view(const std::vector<Size>& shape);
/// The symbols in its sizes and strides, each once.
std::vector<Symbol> symbols(const View& v);
/// Whether there is a mode whose size is not known.
bool is_endless(const View& v);
/// The size of a mode of the view's layout that is not divided further, and its stride.
Size size_of(const View& v, const Mode& leaf);
Size stride_of(const View& v, const Mode& leaf);
/// "((16,256),(ceil_div(M, 16),ceil_div(N, 256)))", and the same of strides.
std::string shape_text(const View& v);
std::string stride_text(const View& v);
/// The number that a size has in the kernel. Error for a symbol that is none of its parameters.
Operand value(Builder& b, const Size& s);
/// One more than the largest index that the view reaches; 0 where its size is not known.
int64_t elements(const View& v);

/// ((tiles), (rests)). What the tiler does not divide is guarded: elements outside are not touched.
View zipped_divide(const View& v, const Tiler& tiler);
/// The view at tiler(c). Error where the tiler reaches further than the view.
View composition(const View& v, const Tiler& tiler);
/// The modes that a coordinate leaves open, at the place that it fixes; all fixed leave one
/// element. A traced index is taken modulo the size of what it indexes, unless its bounds prove
/// that idle, or the size is not known; a known one outside is an Error. `b` may be null where all
/// is known.
View slice(Builder* b, const View& v, const Coordinate& coord);

/// The elements of thread `index` of a layout of threads: those at its place in each tile of the
/// layout's shape. `keep` names the modes of the threads that tell them apart, where not all do.
View partition(Builder* b, const View& v, const Layout& threads, const Index& index,
               const std::vector<bool>& keep = {});

/// `count` elements of memory that follow each other, from an index on.
View make_row(const Builder& b, std::string name, ValueId first, int64_t count);
/// The elements of a view from number `first` on, in the order of their coordinates; nothing where
/// they are not provably at equal distances, which `first`, a multiple of their count, begins.
std::optional<View> row(Builder& b, const View& v, const Index& first, int64_t count);

/// Rows of memory: `count` of them, of `width` elements side by side, that begin `pitch` apart.
struct Rows {
  int64_t width = 1, count = 1, pitch = 0;
};
/// What a view fills of its memory from its first element on; nothing where that is not made of
/// such rows, in whatever order, or where some elements may not exist.
std::optional<Rows> rows(const View& v);

/// Values of elements: one, or the components of a vector. Elements are numbered in the order of
/// their coordinates, the first mode fastest.
struct Piece {
  ValueId value;
  std::vector<int64_t> elements;
};
/// The most elements of one load or store: more than the registers of a thread hold.
constexpr int64_t kMaxFragment = 1024;
/// All elements, 0 for those outside. Vectors of 2 or 4, of up to 16 bytes, where sizes, strides,
/// origin and guards prove that elements lie side by side at a multiple of them, and exist
/// together. Error, as store() gives, for views of more elements than kMaxFragment, or nobody knows
/// how many, and for identity views, which have no memory.
std::vector<Piece> load(Builder& b, ValueId memory, const View& v);
/// Writes the values of as many elements, but for those outside; vectors as above. Error where
/// there are more or fewer.
void store(Builder& b, ValueId memory, const View& v, const std::vector<Piece>& values);
/// Whether load() and store() access a view of memory of this type by vectors.
bool has_vectors(Builder& b, const View& v, DType type);
/// One number to all elements.
void store(Builder& b, ValueId memory, const View& v, Operand value);
/// The pieces, one for each element, in order.
std::vector<Piece> split(Builder& b, const std::vector<Piece>& pieces);
/// The same elements as pieces of these groups.
std::vector<Piece> regroup(Builder& b, const std::vector<Piece>& pieces,
                           const std::vector<std::vector<int64_t>>& groups);
/// The one element of a view that has no others: its index, and whether it exists, where that is
/// not certain.
struct Element {
  Operand index;
  std::optional<Operand> exists;
};
Element element(Builder& b, const View& v);
/// The coordinate that is the only element of an identity view, as leaves of its profile.
std::vector<Operand> coordinate(Builder& b, const View& v);

}  // namespace enigma
