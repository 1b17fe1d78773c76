// Rows of memory: the few elements that enigma.copy moves at once (python/enigma/copy.py has the
// loops), and tensors that lie row after row.
#include "trace.h"

namespace enigma {
namespace {

/// Elements that follow each other, and where they are.
struct Row {
  ValueId memory;
  View view;
};

/// Nothing where they cannot be told to lie at equal distances.
std::optional<Row> row_at(Trace& trace, nb::handle memory, nb::handle first, int64_t count) {
  if (!nb::isinstance<Tensor>(memory)) {
    const TracingTensor& t = tensor(trace, memory, "copy");
    const ValueId index = std::get<ValueId>(linear_index(trace, t, first));
    return Row{t.id, make_row(trace.builder, t.name, index, count)};
  }
  const Tensor& t = *nb::inst_ptr<Tensor>(memory);
  const ValueId id = memory_of(trace, t, "copy");
  int64_t known = 0;
  const Index index = to_int64(first, known)
                          ? Index(known)
                          : Index(std::get<ValueId>(operand(trace, first, "copy")));
  std::optional<View> view = row(trace.builder, t.view, index, count);
  if (!view) return std::nullopt;
  return Row{id, std::move(*view)};
}

/// The rows of a copy, which read and write no memory that both have: what is written first may be
/// what is read next.
std::optional<std::pair<Row, Row>> rows_at(Trace& trace, nb::handle dst, nb::handle dst_first,
                                           nb::handle src, nb::handle src_first, int64_t count) {
  auto to = row_at(trace, dst, dst_first, count), from = row_at(trace, src, src_first, count);
  if (!to || !from || to->memory == from->memory) return std::nullopt;
  return std::pair(std::move(*to), std::move(*from));
}

bool copy_row(nb::handle dst, nb::handle dst_first, nb::handle src, nb::handle src_first,
              int64_t count) {
  Trace& trace = Trace::here("copy");
  const auto both = rows_at(trace, dst, dst_first, src, src_first, count);
  if (!both) return false;
  const auto& [to, from] = *both;
  store(trace.builder, to.memory, to.view, load(trace.builder, from.memory, from.view));
  return true;
}

bool copies_vectors(nb::handle dst, nb::handle dst_first, nb::handle src, nb::handle src_first,
                    int64_t count) {
  Trace& trace = Trace::here("copy");
  Builder& b = trace.builder;
  const auto both = rows_at(trace, dst, dst_first, src, src_first, count);
  if (!both) return false;
  const auto& [to, from] = *both;
  return has_vectors(b, to.view, b.type(to.memory).dtype) ||
         has_vectors(b, from.view, b.type(from.memory).dtype);
}

nb::object load_row(nb::handle src, nb::handle first, int64_t count) {
  Trace& trace = Trace::here("copy");
  auto from = row_at(trace, src, first, count);
  if (!from) return nb::none();
  std::vector<ValueId> values;
  for (const Piece& p : split(trace.builder, load(trace.builder, from->memory, from->view))) {
    values.push_back(p.value);
  }
  return value_list(trace, values);
}

bool store_row(nb::handle dst, nb::handle first, nb::list values) {
  Trace& trace = Trace::here("copy");
  auto to = row_at(trace, dst, first, static_cast<int64_t>(values.size()));
  if (!to) return false;
  std::vector<Piece> pieces;
  for (nb::handle x : values) {
    pieces.push_back(
        {std::get<ValueId>(operand(trace, x, "copy")), {static_cast<int64_t>(pieces.size())}});
  }
  store(trace.builder, to->memory, to->view, pieces);
  return true;
}

}  // namespace

Matrix matrix_in(Trace& trace, nb::handle x, const char* what) {
  if (!nb::isinstance<Tensor>(x)) {
    const TracingTensor& t = tensor(trace, x, what);
    return {t, t.shape.size() == 2 ? t.shape[1] : 0};
  }
  const Tensor& t = *nb::inst_ptr<Tensor>(x);
  const ValueId memory = memory_of(trace, t, what);
  Layout l = t.view.layout();
  while (l.rank() == 1 && l.depth() > 1) l = l[0];  // a tile keeps the mode that it was sliced in
  constexpr int64_t kNone = INT64_MAX;
  auto stride = [&](size_t k) {  // of a mode, where it has one
    const Layout mode = coalesce(l[k]);
    return mode.leaves().size() == 1 ? mode.leaves()[0].stride.value : kNone;
  };
  const bool is_row = l.rank() == 1 && stride(0) <= 1;
  const int64_t columns = l[1 % l.rank()].size(), pitch = l[0].size() == 1 ? columns : stride(0);
  const bool is_matrix = l.rank() == 2 && stride(1) <= 1 && pitch >= columns && pitch != kNone;
  if (!rows(t.view) || !(is_row || is_matrix)) {
    throw Error(
        std::string(what) + ": '" + t.view.name + "' has the layout " + shape_text(t.view) + ":" +
            stride_text(t.view) + (t.view.guards.empty() ? "" : ", and may end within it") +
            ", and rows of elements side by side are needed, all there, as in (8,16):(20,1)",
        trace.builder.location());
  }
  std::vector<int64_t> shape{l[0].size()};
  if (is_matrix) shape.push_back(pitch);
  return {{trace.shared_from_this(), memory, trace.builder.type(memory), t.storage->name,
           std::move(shape), element(trace.builder, t.view).index},
          columns};
}

void bind_rows(nb::module_& m) {
#define MEMORY "TracingTensor | Tensor"
  m.def("copy_row", &copy_row, nb::arg("dst"), nb::arg("dst_first"), nb::arg("src"),
        nb::arg("src_first"), nb::arg("count"),
        nb::sig("def copy_row(dst: " MEMORY ", dst_first: IRValue | int, src: " MEMORY
                ", src_first: IRValue | int, count: int) -> bool"),
        "Copies elements that follow each other, as vectors where they are aligned; False where "
        "they\nhave to be copied one by one.");
  m.def("copies_vectors", &copies_vectors, nb::arg("dst"), nb::arg("dst_first"), nb::arg("src"),
        nb::arg("src_first"), nb::arg("count"),
        nb::sig("def copies_vectors(dst: " MEMORY ", dst_first: IRValue | int, src: " MEMORY
                ", src_first: IRValue | int, count: int) -> bool"),
        "Whether copy_row would copy them as vectors.");
  m.def("load_row", &load_row, nb::arg("src"), nb::arg("first"), nb::arg("count"),
        nb::sig("def load_row(src: " MEMORY
                ", first: IRValue | int, count: int) -> list[IRValue] | None"),
        "Elements that follow each other, as copy_row loads them.");
  m.def("store_row", &store_row, nb::arg("dst"), nb::arg("first"), nb::arg("values"),
        nb::sig("def store_row(dst: " MEMORY
                ", first: IRValue | int, values: list[IRValue]) -> bool"),
        "Writes elements that follow each other, as copy_row does.");
#undef MEMORY
}

}  // namespace enigma
