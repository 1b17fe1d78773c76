// The ring of tiles behind enigma.pipeline; python/enigma/pipeline.py keeps its slot.
#include "enigma/pipeline.h"

#include "trace.h"

namespace enigma {
namespace {

/// A ring in the kernel that is traced, with the tile's shape.
struct Ring {
  std::shared_ptr<Trace> trace;
  Pipeline pipeline;
  std::vector<int64_t> shape;
  std::string name;

  Trace& here(const char* what) const {
    Trace& current = Trace::here(what);
    if (&current == trace.get()) return current;
    throw Error(std::string(what) + ": the pipeline belongs to kernel '" + trace->kernel +
                    "' and is used in kernel '" + current.kernel + "'",
                current.builder.location());
  }
};

Ring make(nb::handle dtype, nb::handle size, nb::handle stages) {
  Trace& trace = Trace::here("pipeline");
  DType type = dtype_of(dtype);
  std::vector<int64_t> shape = shape_of(trace, size, "pipeline");
  int64_t count = 0;
  if (!to_int64(stages, count)) {
    throw Error("pipeline: stages is an int that is known while tracing, not " + describe(stages),
                trace.builder.location());
  }
  return {trace.shared_from_this(),
          Pipeline(trace.builder, type, count_of(trace, shape, "pipeline"), count), shape, ""};
}

nb::object next(const Ring& ring, nb::handle slot) {
  Trace& trace = ring.here("advance");
  Operand after = ring.pipeline.next(operand(trace, slot, "advance"));
  if (const ValueId* v = std::get_if<ValueId>(&after)) return value_object(trace, *v);
  return nb::int_(std::get<int64_t>(std::get<Literal>(after)));
}

nb::object tile(const Ring& ring, nb::handle slot, nb::handle stage) {
  Trace& trace = ring.here("stage");
  int64_t k = 0;
  if (!to_int64(stage, k)) {
    throw Error("pipeline: the stage is an int that is known while tracing, not " + describe(stage),
                trace.builder.location());
  }
  Operand at = ring.pipeline.offset(operand(trace, slot, "stage"), k);
  return make_tensor(trace, ring.pipeline.memory(), ring.name, ring.shape, at);
}

}  // namespace

void bind_pipeline(nb::module_& m) {
  nb::class_<Ring>(m, "Ring", nb::is_final(), "The tiles of a pipeline, without its slot.")
      .def(nb::new_(&make), nb::arg("dtype").none(), nb::arg("size").none(),
           nb::arg("stages").none())
      .def("next", &next, nb::arg("slot"),
           nb::sig("def next(self, slot: IRValue | int) -> IRValue | int"),
           "The slot after an advance.")
      .def("tile", &tile, nb::arg("slot"), nb::arg("stage").none(),
           nb::sig("def tile(self, slot: IRValue | int, stage: int) -> TracingTensor"),
           "The tile of a stage.")
      .def_prop_ro("stages", [](const Ring& r) { return r.pipeline.stages(); })
      .def_prop_rw(
          "name", [](const Ring& r) { return r.name; },
          [](Ring& r, std::string name) {
            if (!r.name.empty() || r.trace->ended) return;  // the first name wins
            r.trace->builder.set_name(r.pipeline.memory(), name);
            r.name = std::move(name);
          },
          "The Python name, \"\" when none is known; the first one given stays.");
}

}  // namespace enigma
