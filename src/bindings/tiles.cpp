// Tensors taken apart: tiles, compositions, partitions among threads, and identity tensors.
#include "layouts.h"
#include "sizes.h"
#include "views.h"

namespace enigma {
namespace {

/// The tensor that an argument of `what` must be.
const Tensor& tensor_in(nb::handle x, const char* what) {
  if (nb::isinstance<Tensor>(x)) return *nb::inst_ptr<Tensor>(x);
  throw Error(std::string(what) + " takes an enigma.Tensor, memory through a layout, not " +
              describe(x) +
              (nb::isinstance<TracingTensor>(x)
                   ? "; the kernels of a jit function have tensors, and threadgroup_alloc(dtype, "
                     "layout) makes one"
                   : ""));
}

View identity_view(nb::handle shape) {
  const char* what = "a size of an identity tensor";
  if (has_symbols(shape)) return make_identity_view(sizes_in(shape, what));
  return make_identity_view(int_tuple(shape, "the shape of a tensor"));
}

/// The modes that a projection keeps, those where it has no None (CuTe's Step<_1, X, _1>); all
/// where there is none.
std::vector<bool> kept(nb::handle proj, size_t rank, const char* what) {
  if (proj.is_none()) return std::vector<bool>(rank, true);
  if (!PyTuple_Check(proj.ptr()) || nb::len(proj) != rank) {
    throw Error(std::string(what) + ": proj is a tuple that has 1 or None for each of the " +
                std::to_string(rank) + " modes, as (1, None), but is " + describe(proj));
  }
  std::vector<bool> out;
  for (nb::handle mode : proj) out.push_back(!mode.is_none());
  return out;
}

Tensor local_tile(nb::handle tensor, nb::handle shape, nb::handle coord, nb::handle proj) {
  const Tensor& t = tensor_in(tensor, "local_tile");
  const Tiler by = tiler(shape, "the tile of local_tile");
  const Coord rest = coordinate_in(coord, "local_tile");
  Coord c;
  c.trace = rest.trace;
  c.coord.open();
  const auto* modes = std::get_if<std::vector<Tiler>>(&by.value);
  if (proj.is_none()) {
    if (modes) c.coord.open();
    for (size_t k = 0; k < (modes ? modes->size() : 1); ++k) c.coord.push_none();
    if (modes) c.coord.close();
    c.coord.push(rest.coord.root()).close();
    return sliced(with_view(t, zipped_divide(t.view, by)), c);
  }
  const Node<Index> at = rest.coord.root();
  if (!modes || !at.is_tuple() || at.rank() != modes->size()) {
    throw Error(
        "local_tile: with proj the tile and the coordinate are tuples of as many modes, as "
        "(bM, bN, bK) and (i, j, None)");
  }
  const std::vector<bool> keep = kept(proj, modes->size(), "local_tile");
  std::vector<Tiler> mine;
  Coordinate place = Coordinate::blank();
  c.coord.open();
  place.open();
  for (size_t k = 0; k < keep.size(); ++k) {
    if (!keep[k]) continue;
    mine.push_back((*modes)[k]);
    c.coord.push_none();
    place.push(at.mode(k));
  }
  c.coord.close().push(place.close().root()).close();
  return sliced(with_view(t, zipped_divide(t.view, Tiler(mine))), c);
}

Tensor local_partition(nb::handle tensor, nb::handle layout, nb::handle index, nb::handle proj) {
  const Tensor& t = tensor_in(tensor, "local_partition");
  const Layout& threads = layout_in(layout, "local_partition: the threads");
  const Coord c = coordinate_in(index, "local_partition");
  if (c.coord.is_tuple() || c.coord.is_none()) {
    throw Error("local_partition takes the number of a thread, an int or a traced integer, not " +
                describe(index));
  }
  if (c.trace) {
    check_alive(t, c.trace);
    c.trace->use(t);
  }
  Tensor out =
      with_view(t, partition(c.trace ? &c.trace->builder : nullptr, t.view, threads,
                             c.coord.leaves()[0], kept(proj, threads.rank(), "local_partition")));
  if (c.trace) out.trace = c.trace->shared_from_this();
  return out;
}

Tensor composed(nb::handle tensor, nb::handle layout, nb::handle tile) {
  const Tensor& t = tensor_in(tensor, "tensor_composition");
  Tiler by = tiler(layout, "the layout of tensor_composition");
  if (!tile.is_none()) {
    IntTuple shape = int_tuple(tile, "the tile of tensor_composition");
    if (!agree(shape, t.view.layout().shape())) {
      throw Error("tensor_composition: '" + (t.storage ? t.storage->name : "identity") +
                  "' has the shape " + shape_text(t.view) + ", but the tile is " + str(shape) +
                  "; compose one tile: tensor[(None, ...), tile's number]");
    }
  }
  return with_view(t, composition(t.view, by));
}

}  // namespace

void bind_tiles(nb::module_& m) {
  m.def(
      "tensor_zipped_divide",
      [](nb::handle tensor, nb::handle by) {
        const Tensor& t = tensor_in(tensor, "tensor_zipped_divide");
        return with_view(t, zipped_divide(t.view, tiler(by, "the tiler of a tensor")));
      },
      nb::arg("tensor").none(), nb::arg("tiler").none(),
      nb::sig("def tensor_zipped_divide(tensor: Tensor, tiler: " ENIGMA_TILER ") -> Tensor"),
      R"(The tensor as ((tile), (tiles)): zipped_divide of its layout.

Where a tile does not divide the tensor, elements beyond the tensor's end are neither read nor
written: a load gives 0 for them.)");
  m.def("tensor_composition", &composed, nb::arg("tensor").none(), nb::arg("layout").none(),
        nb::arg("tile").none() = nb::none(),
        nb::sig("def tensor_composition(tensor: Tensor, layout: " ENIGMA_TILER
                ", tile: " ENIGMA_INT_TUPLE " | None = None) -> Tensor"),
        R"(The tensor at the places that a layout gives: composition of its layout with that one.

`tile`, where given, is the shape that the tensor must have. Error where the layout reaches
beyond the tensor.)");
  m.def(
      "make_identity_tensor", [](nb::handle shape) { return Tensor{{}, identity_view(shape), {}}; },
      nb::arg("shape"),
      nb::sig("def make_identity_tensor(shape: " ENIGMA_INT_TUPLE " | SymInt) -> Tensor"),
      "A tensor whose elements are their own coordinates, for predicates: it is divided, composed "
      "and\nsliced as the tensor of data is.");
#define PROJ "proj: tuple[int | None, ...] | None = None"
  m.def("local_tile", &local_tile, nb::arg("tensor").none(), nb::arg("tiler").none(),
        nb::arg("coord").none(), nb::arg("proj").none() = nb::none(),
        nb::sig("def local_tile(tensor: Tensor, tiler: " ENIGMA_TILER ", coord: " ENIGMA_COORD
                ", " PROJ ") -> Tensor"),
        R"(The tile at a coordinate among the tiles; with None in it, its modes follow those of the
tile.

`proj` has None for each mode of the tiler and the coordinate that this tensor does not have: of
one tile of (m, n, k) a matrix of (m, k) has the projection (1, None, 1).)");
  m.def("local_partition", &local_partition, nb::arg("tensor").none(), nb::arg("threads").none(),
        nb::arg("index").none(), nb::arg("proj").none() = nb::none(),
        nb::sig("def local_partition(tensor: Tensor, threads: Layout, index: IRValue | int, " PROJ
                ") -> Tensor"),
        R"(The elements of one of the threads that a layout numbers: those at its place in each tile
of the layout's shape.

`proj` has None for each mode of the threads whose threads share elements: of threads (16, 16) the
projection (1, None) deals out the first mode to 16 of them.)");
#undef PROJ
}

}  // namespace enigma
