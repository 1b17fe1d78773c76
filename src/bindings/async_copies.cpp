// Asynchronous copies; python/enigma/async_copy.py has their public names.
#include "trace.h"

namespace enigma {
namespace {

/// Memory of one kind, given itself or by a parameter's name.
nb::object memory(std::string_view what, nb::handle x, bool device) {
  Trace& trace = Trace::here(std::string(what).c_str());
  auto fail = [&](const std::string& message) -> Error {
    return Error(std::string(what) + ": " + message, trace.builder.location());
  };
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
      throw fail("no buffer of the kernel is called " + describe(x) +
                 (names.empty() ? std::string("; it has none") : "; it has " + listed(names)));
    }
  }
  const char* kind = device ? "a buffer" : "threadgroup memory";
  if (!nb::isinstance<TracingTensor>(found)) {
    throw fail(std::string("expected ") + kind + ", but got " + describe(found));
  }
  const TracingTensor& t = tensor(trace, found, std::string(what).c_str());
  if ((t.type.space() == AddressSpace::Device) != device) {
    throw fail(std::string("expected ") + kind + ", but " +
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
        nb::sig("def async_memory(what: str, x: object, device: bool) -> TracingTensor"),
        "The buffer, or the threadgroup memory, that a copy called `what` was given.");
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
