// Asynchronous copies; python/enigma/async_copy.py has their public names.
#include <array>

#include "trace.h"

namespace enigma {
namespace {

/// What a copy was called as, and the sizes of its tile.
struct Call {
  std::string_view what;
  nb::handle pitch, columns, rows;
  const char* pitch_name;

  Error error(Trace& trace, const std::string& message) const {
    return Error(std::string(what) + ": " + message, trace.builder.location());
  }
};

/// The memory behind a tensor, from its first element on. Error unless the copy's rows are its own.
nb::object memory_behind(Trace& trace, const Call& call, const Tensor& t) {
  const ValueId memory = memory_of(trace, t, std::string(call.what).c_str());
  const std::string name = t.storage->name.empty() ? "the tensor" : "'" + t.storage->name + "'";
  const std::string has =
      name + " has the layout " +
      (t.view.axes.empty() ? std::visit([](const auto& l) { return str(l); }, t.view.shown())
                           : shape_text(t.view) + ":" + stride_text(t.view));
  const std::optional<Rows> of = rows(t.view);
  if (!t.view.guards.empty()) {
    throw call.error(trace, name +
                                " may reach beyond the end of its tensor, which a copy of this "
                                "kind cannot leave out; use enigma.copy, which does");
  }
  if (!of) {
    throw call.error(trace, has +
                                ": its elements do not fill rows of memory; use enigma.copy, "
                                "which goes from element to element");
  }
  const bool is_line = call.pitch.is_none();
  if (of->count > 1 && is_line) {
    throw call.error(trace, has +
                                ", whose elements are not all side by side; slice a row of it, "
                                "or copy it with async_copy_2d_" +
                                std::string(call.what.substr(14)) + " and " + call.pitch_name +
                                "=" + std::to_string(of->pitch));
  }
  int64_t pitch = 0, columns = 0, lines = 0;
  if (of->count > 1 && (!to_int64(call.pitch, pitch) || pitch != of->pitch)) {
    throw call.error(trace, has + ", whose rows begin " + std::to_string(of->pitch) +
                                " elements apart: " + call.pitch_name + " must be the int " +
                                std::to_string(of->pitch));
  }
  const std::array limits{std::tuple("tile_cols", call.columns, &columns, of->width),
                          std::tuple("tile_rows", call.rows, &lines, of->count)};
  for (const auto& [size_name, given, size, limit] : limits) {
    if (of->count == 1 || !to_int64(given, *size) || *size <= limit) continue;
    throw call.error(trace, has + ", with " + std::to_string(of->count) + " rows of " +
                                std::to_string(of->width) + " elements, and " + size_name + " is " +
                                std::to_string(*size));
  }
  return make_tensor(trace, memory, t.storage->name, {}, element(trace.builder, t.view).index);
}

/// Memory of one kind, given itself, by a tensor, or by a parameter's name.
nb::object memory(std::string_view what, nb::handle x, bool device, bool source, nb::handle pitch,
                  nb::handle columns, nb::handle rows) {
  Trace& trace = Trace::here(std::string(what).c_str());
  const Call call{what, pitch, columns, rows, source ? "src_epr" : "dst_epr"};
  nb::object found = nb::borrow(x);
  if (PyUnicode_Check(x.ptr())) {
    std::string_view name = nb::cast<std::string_view>(x);
    std::vector<std::string> names;
    found = nb::object();
    for (const Param& p : trace.builder.module().params) {
      if (p.is_scalar) continue;
      names.push_back("'" + p.name + "'");
      if (p.name == name) found = make_tensor(trace, p.value, p.name, {});
    }
    if (!found.is_valid()) {
      throw call.error(trace, "no buffer of the kernel is called " + describe(x) +
                                  (names.empty() ? "; it has none" : "; it has " + listed(names)));
    }
  }
  const char* kind = device ? "a buffer" : "threadgroup memory";
  if (nb::isinstance<Tensor>(found)) {
    found = memory_behind(trace, call, *nb::inst_ptr<Tensor>(found));
  }
  if (!nb::isinstance<TracingTensor>(found)) {
    throw call.error(trace, std::string("expected ") + kind + ", but got " + describe(found));
  }
  const TracingTensor& t = tensor(trace, found, std::string(what).c_str());
  if ((t.type.space() == AddressSpace::Device) != device) {
    throw call.error(trace, std::string("expected ") + kind + ", but " +
                                (t.name.empty() ? "this" : "'" + t.name + "'") + " is " +
                                (device ? "threadgroup memory" : "a buffer"));
  }
  return found;
}

nb::object begin(nb::handle to, nb::handle to_offset, nb::handle to_pitch, nb::handle from,
                 nb::handle from_offset, nb::handle from_pitch, nb::handle columns,
                 nb::handle rows) {
  constexpr const char* kWhat = "async_copy";
  Trace& trace = Trace::here(kWhat);
  auto tile = [&](nb::handle x, nb::handle offset, nb::handle pitch) {
    const TracingTensor& t = tensor(trace, x, kWhat);
    return Builder::Tile{t.id, linear_index(trace, t, offset), operand(trace, pitch, kWhat)};
  };
  return value_object(trace, trace.builder.async_copy(
                                 tile(to, to_offset, to_pitch), tile(from, from_offset, from_pitch),
                                 operand(trace, columns, kWhat), operand(trace, rows, kWhat)));
}

void wait(nb::handle event) {
  Trace& trace = Trace::here("async_copy_wait");
  trace.builder.async_wait(operand(trace, event, "async_copy_wait"));
}

}  // namespace

void bind_async_copies(nb::module_& m) {
  m.attr("COPY_DONE") = Builder::kCopyDone;
#define NUMBER "IRValue | int"
  m.def("async_memory", &memory, nb::arg("what"), nb::arg("x").none(), nb::arg("device"),
        nb::arg("source"), nb::arg("pitch").none(), nb::arg("columns").none(),
        nb::arg("rows").none(),
        nb::sig("def async_memory(what: str, x: object, device: bool, source: bool, pitch: "
                "object, columns: object, rows: object) -> TracingTensor"),
        "The buffer, or the threadgroup memory, that a copy called `what` was given; its pitch is "
        "None\nfor a line.");
  m.def("async_begin", &begin, nb::arg("to"), nb::arg("to_offset").none(),
        nb::arg("to_pitch").none(), nb::arg("source"), nb::arg("offset").none(),
        nb::arg("pitch").none(), nb::arg("columns").none(), nb::arg("rows").none(),
        nb::sig("def async_begin(to: TracingTensor, to_offset: " NUMBER ", to_pitch: " NUMBER
                ", source: TracingTensor, offset: " NUMBER ", pitch: " NUMBER ", columns: " NUMBER
                ", rows: " NUMBER ") -> IRValue"),
        "Begins the copy of a tile; its event.");
  m.def("async_wait", &wait, nb::arg("event").none(),
        nb::sig("def async_wait(event: IRValue) -> None"), "Waits for one copy.");
#undef NUMBER
}

}  // namespace enigma
