// Runtimes and prepared kernels. What is on the path of a dispatch looks at its arguments by hand.
#include "enigma/runtime.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <cstring>
#include <optional>
#include <utility>

#include "arrays.h"
#include "compiled.h"

namespace enigma {
namespace {

/// Where the device's compiler finds the Python function: borrowed from the Python object of the
/// runtime, so that only Python objects hold Python objects, and the garbage collector sees them
/// all.
struct CompilerBox {
  PyObject* function;
};

struct PyRuntime {
  nb::object compiler;  ///< empty on Metal
  std::shared_ptr<CompilerBox> box;
  std::shared_ptr<Runtime> runtime;

  void drop_compiler() {
    if (box) box->function = nullptr;
    compiler.reset();
  }
  PyRuntime() = default;
  PyRuntime(PyRuntime&&) = default;
  ~PyRuntime() { drop_compiler(); }
};

struct PyPrepared {
  std::shared_ptr<const Artifact> artifact;
  Sizes sizes;
  std::vector<int64_t> values;         ///< of the sizes
  nb::object runtime;                  // declared before `prepared`, since it must go last
  std::shared_ptr<Prepared> prepared;  ///< null after release()
};

Runtime& runtime_of(nb::handle runtime) { return *nb::inst_ptr<PyRuntime>(runtime)->runtime; }

/// The prepared kernel, held by the caller: another thread may release it meanwhile.
std::shared_ptr<Prepared> alive(const PyPrepared& p) {
  if (p.prepared) return p.prepared;
  throw Error("kernel '" + p.artifact->kernel_name +
              "' was prepared, but has been released; prepare it again");
}

PyRuntime cpu_runtime(nb::callable compiler, uint32_t threads, const std::string& identity) {
  PyRuntime out;
  out.box = std::make_shared<CompilerBox>(compiler.ptr());
  out.compiler = std::move(compiler);
  CpuCompiler compile = [box = out.box](const std::string& llvm_ir) {
    nb::gil_scoped_acquire gil;  // a dispatch has released it
    if (!box->function) throw Error("the runtime of this kernel has been deleted");
    nb::object function = nb::borrow(box->function);
    nb::object object = function(nb::str(llvm_ir.data(), llvm_ir.size()));
    if (!PyBytes_Check(object.ptr())) {
      throw Error("the compiler of a CPU runtime must return bytes, but returned " +
                  describe(object));
    }
    nb::bytes bytes = nb::borrow<nb::bytes>(object);
    return std::string(bytes.c_str(), bytes.size());
  };
  if (!identity.empty()) compile = cached_compiler(std::move(compile), identity);
  out.runtime = make_cpu_runtime(std::move(compile), threads);
  return out;
}

/// Without the GIL, as everything that may wait for a lock: who holds that lock may want the GIL.
std::shared_ptr<Prepared> prepare_released(Runtime& runtime, const Compiled& kernel,
                                           std::vector<Binding> bindings,
                                           std::vector<ConstantValue> constants = {}) {
  nb::gil_scoped_release release;
  if (kernel.program.parts.empty()) {
    return runtime.prepare(kernel.artifact, std::move(bindings), std::move(constants));
  }
  return prepare_program(runtime, *kernel.artifact, kernel.program, std::move(bindings), constants);
}

/// The bytes that output_sizes gives for each parameter; none for those that it does not name.
std::vector<std::optional<size_t>> bytes_of_outputs(const Artifact& artifact, nb::dict output_sizes,
                                                    const DeviceCapabilities& device) {
  std::vector<std::optional<size_t>> sizes(artifact.params.size());
  for (auto [key, value] : output_sizes) {
    int64_t index = 0, bytes = 0;
    if (!to_int64(key, index) || index < 0 || index >= static_cast<int64_t>(sizes.size())) {
      throw Error("output_sizes has the key " + describe(key) +
                  ", which is no parameter of kernel '" + artifact.kernel_name + "'");
    }
    const ParamInfo& param = artifact.params[static_cast<size_t>(index)];
    if (param.is_scalar) refuse(artifact, param, "it is a scalar, so it cannot be an output");
    if (!to_int64(value, bytes)) {
      refuse(artifact, param,
             "the output size must be an int, a number of bytes, but is " + describe(value));
    }
    std::string is = "the output size is " + std::to_string(bytes) + " bytes";
    if (bytes < 1) refuse(artifact, param, is + ": it must be at least 1");
    if (bytes % byte_size(param.dtype)) {
      refuse(artifact, param,
             is + ", which is no multiple of the " + std::to_string(byte_size(param.dtype)) +
                 " bytes of " + info(param.dtype).numpy);
    }
    uint64_t most = device.max_buffer_bytes;
    if (most && static_cast<uint64_t>(bytes) > most) {
      refuse(artifact, param,
             is + ", but " + device.name + " takes at most " + std::to_string(most));
    }
    sizes[static_cast<size_t>(index)] = static_cast<size_t>(bytes);
  }
  return sizes;
}

/// What the sizes of a call look at.
Sizes::Array array_of(const Artifact& artifact, uint32_t p, nb::handle x, size_t bytes) {
  return {p, x.is_none() ? std::nullopt : shape_of_array(x),
          bytes / static_cast<size_t>(byte_size(artifact.params[p].dtype))};
}

/// A grid of threads; None is the one that a jit function's kernels bring.
Dim3 grid_in(nb::handle grid) { return grid.is_none() ? kOwnGrid : dim3(grid, "grid"); }

PyPrepared prepare(nb::handle_t<PyRuntime> self, const Compiled& kernel, nb::sequence arguments,
                   nb::dict output_sizes, nb::dict constants) {
  const Artifact& artifact = *kernel.artifact;
  Runtime& runtime = runtime_of(self);
  check_count(artifact, nb::len(arguments), {});
  auto sizes = bytes_of_outputs(artifact, output_sizes, runtime.capabilities());
  const Sizes& symbols = kernel.program.sizes;
  std::vector<Binding> bindings(artifact.params.size());
  std::vector<Sizes::Array> arrays;
  nb::dict given;
  for (uint32_t p = 0; p < artifact.params.size(); ++p) {
    nb::object x = arguments[p];
    if (sizes[p] && !x.is_none()) {
      refuse(artifact, artifact.params[p], "both an argument and an output size are given");
    }
    if (symbols.is_size(p)) {
      if (!x.is_none()) given[artifact.params[p].name.c_str()] = x;
      continue;
    }
    bindings[p] = sizes[p] ? zeros(*sizes[p]) : own(artifact, p, x);
    if (!symbols.empty()) arrays.push_back(array_of(artifact, p, x, bindings[p].bytes));
  }
  PyPrepared out;
  if (!symbols.empty()) {
    out.values = symbols.solve(arrays, given);
    for (size_t s = 0; s < out.values.size(); ++s) {
      const uint32_t p = symbols.params()[s];
      bindings[p] = own(artifact, p, nb::int_(out.values[s]));
    }
    out.sizes = symbols;
  }
  out.artifact = kernel.artifact;
  out.runtime = nb::borrow(self);
  out.prepared =
      prepare_released(runtime, kernel, std::move(bindings), constant_values(artifact, constants));
  return out;
}

void dispatch(const PyPrepared& self, nb::handle grid, nb::handle threads, bool wait) {
  std::shared_ptr<Prepared> prepared = alive(self);
  Dim3 g = grid_in(grid), t = dim3(threads, "threads");
  nb::gil_scoped_release release;
  prepared->dispatch(g, t, wait);
}

double dispatch_timed(const PyPrepared& self, nb::handle grid, nb::handle threads) {
  std::shared_ptr<Prepared> prepared = alive(self);
  Dim3 g = grid_in(grid), t = dim3(threads, "threads");
  nb::gil_scoped_release release;
  return prepared->dispatch_timed(g, t);
}

/// The number of a parameter; Error when there is none.
uint32_t param_of(const PyPrepared& self, nb::handle x) {
  const Artifact& artifact = *self.artifact;
  int64_t p = 0;
  if (to_int64(x, p) && p >= 0 && p < static_cast<int64_t>(artifact.params.size())) {
    return static_cast<uint32_t>(p);
  }
  throw Error("kernel '" + artifact.kernel_name + "' has " +
              std::to_string(artifact.params.size()) + " parameters, and none has the number " +
              describe(x));
}

Binding wait_for(Prepared& prepared, uint32_t param) {
  nb::gil_scoped_release release;
  return prepared.read(param);
}

nb::bytes read(const PyPrepared& self, nb::handle param) {
  std::shared_ptr<Prepared> prepared = alive(self);
  uint32_t index = param_of(self, param);
  Binding memory = wait_for(*prepared, index);
  return nb::bytes(memory.data, memory.bytes);
}

/// The memory itself, which lives as long as the array does.
nb::object output(const PyPrepared& self, nb::handle param) {
  std::shared_ptr<Prepared> prepared = alive(self);
  uint32_t index = param_of(self, param);
  Binding memory = wait_for(*prepared, index);
  auto* owner = new std::shared_ptr<void>(memory.owner);
  nb::capsule keeps(owner, [](void* p) noexcept { delete static_cast<std::shared_ptr<void>*>(p); });
  nb::ndarray<nb::numpy, const uint8_t> raw(memory.data, {memory.bytes}, keeps);
  return nb::cast(raw).attr("view")(dtype_object(self.artifact->params[index].dtype).attr("numpy"));
}

void set_input(const PyPrepared& self, nb::handle param, nb::handle x) {
  std::shared_ptr<Prepared> prepared = alive(self);
  uint32_t index = param_of(self, param);
  if (self.sizes.is_size(index)) {
    refuse(*self.artifact, self.artifact->params[index],
           "it is a size of the arrays that were prepared; prepare others with theirs");
  }
  Binding memory = own(*self.artifact, index, x);
  if (!self.sizes.empty()) {
    self.sizes.check(array_of(*self.artifact, index, x, memory.bytes), self.values);
  }
  nb::gil_scoped_release release;
  prepared->bind(index, std::move(memory));
}

void dispatch_batch(nb::handle_t<PyRuntime> self, nb::iterable launches) {
  std::vector<std::shared_ptr<Prepared>> held;
  std::vector<Launch> batch;
  for (nb::handle item : launches) {
    if (!PyTuple_Check(item.ptr()) || PyTuple_Size(item.ptr()) != 3 ||
        !nb::isinstance<PyPrepared>(nb::handle(PyTuple_GetItem(item.ptr(), 0)))) {
      throw Error("dispatch_batch takes tuples (prepared, grid, threads), but got " +
                  describe(item));
    }
    const auto& p = nb::cast<const PyPrepared&>(nb::handle(PyTuple_GetItem(item.ptr(), 0)));
    held.push_back(alive(p));
    if (!p.runtime.is(self)) {
      throw Error("kernel '" + p.artifact->kernel_name +
                  "' was prepared by another runtime than the one of this dispatch_batch");
    }
    add_launch(batch, {held.back().get(), grid_in(PyTuple_GetItem(item.ptr(), 1)),
                       dim3(PyTuple_GetItem(item.ptr(), 2), "threads")});
  }
  Runtime& runtime = runtime_of(self);
  nb::gil_scoped_release release;
  runtime.dispatch_batch(batch);
}

/// The arguments of a call in the order of the parameters; sizes among them are left open.
void add_all(Arguments& all, const Artifact& artifact, const Sizes& sizes, nb::handle arguments,
             std::vector<Sizes::Array>& arrays) {
  PyObject* p = arguments.ptr();
  nb::object tuple = PyTuple_Check(p) ? nb::borrow(p) : nb::steal(PySequence_Tuple(p));
  if (!tuple.is_valid()) throw nb::python_error();
  auto n = static_cast<size_t>(PyTuple_Size(tuple.ptr()));
  check_count(artifact, n, sizes.params());
  n += sizes.count();
  if (n > kMaxParams) throw InternalError("an artifact of more than 31 parameters");
  Py_ssize_t next = 0;
  for (uint32_t i = 0; i < n; ++i) {
    if (!sizes.empty() && sizes.is_size(i)) {
      add_number(all, artifact, 0);
      continue;
    }
    nb::handle x = PyTuple_GetItem(tuple.ptr(), next++);
    add_argument(all, artifact, x);
    if (!sizes.empty()) arrays.push_back(array_of(artifact, i, x, all.arrays[i].bytes));
  }
}

/// A call has no place for the values of function constants.
[[noreturn]] void refuse_call(const Artifact& artifact) {
  std::string given;
  for (const ConstantInfo& c : artifact.constants) {
    given += (given.empty() ? "" : ", ") + std::to_string(c.index) + ": " +
             (c.name.empty() ? "value" : c.name);
  }
  throw Error("kernel '" + artifact.kernel_name +
              "' has function constants, which a direct call cannot give: run it with a runtime's "
              "execute() or prepare(), and constants={" +
              given + "}");
}

void call(nb::handle_t<PyRuntime> rt, Compiled& kernel, nb::handle arguments, nb::handle grid,
          nb::handle threads, nb::handle scalars) {
  Dim3 g = grid_in(grid), t = dim3(threads, "threads");
  if (!kernel.artifact->constants.empty()) refuse_call(*kernel.artifact);
  Arguments all;
  const Sizes& sizes = kernel.program.sizes;
  std::vector<Sizes::Array> arrays;
  add_all(all, *kernel.artifact, sizes, arguments, arrays);
  if (!sizes.empty()) {
    const std::vector<int64_t> values = sizes.solve(arrays, scalars);
    for (size_t s = 0; s < values.size(); ++s) {
      all.scalars[sizes.params()[s]] = static_cast<uint64_t>(values[s]);
    }
  }
  // The last call's prepared kernel is taken out while it runs, so that a second thread makes one
  // of its own. It goes back only when all went well, and only on the CPU: on Metal it would hold
  // the pages of arrays that are free to go, and take those of other arrays there for the same.
  std::shared_ptr<Prepared> prepared;
  if (kernel.runtime.is(rt)) prepared = std::move(kernel.prepared);
  auto binding = [&](size_t p) { return Binding{all.arrays[p].data, all.arrays[p].bytes, {}}; };
  if (prepared) {
    for (uint32_t p = 0; p < all.count; ++p) prepared->bind(p, binding(p));
  } else {
    std::vector<Binding> bindings;
    for (size_t p = 0; p < all.count; ++p) bindings.push_back(binding(p));
    prepared = prepare_released(runtime_of(rt), kernel, std::move(bindings));
  }
  {
    nb::gil_scoped_release release;
    prepared->dispatch(g, t);
    prepared->unbind();  // the arrays are lent until here
  }
  if (kernel.prepared || runtime_of(rt).capabilities().backend != "cpu") return;
  kernel.runtime = nb::borrow(rt);
  kernel.prepared = std::move(prepared);
}

int traverse_runtime(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (nb::inst_ready(self)) Py_VISIT(nb::inst_ptr<PyRuntime>(self)->compiler.ptr());
  return 0;
}

int clear_runtime(PyObject* self) {
  nb::inst_ptr<PyRuntime>(self)->drop_compiler();
  return 0;
}

PyType_Slot kRuntimeSlots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse_runtime)},
                               {Py_tp_clear, reinterpret_cast<void*>(clear_runtime)},
                               {0, nullptr}};

#define ARRAYS "collections.abc.Sequence[object]"

void bind_prepared(nb::module_& m) {
  nb::class_<PyPrepared>(m, "Prepared", nb::is_final(),
                         nb::type_slots(RuntimeHolder<PyPrepared>::slots),
                         "A kernel with its arguments bound.")
      .def(
          "dispatch", &dispatch, nb::arg("grid").none(), nb::arg("threads").none(),
          nb::arg("wait") = true,
          nb::sig("def dispatch(self, grid: " ENIGMA_SIZE " | None, threads: " ENIGMA_SIZE
                  ", wait: bool = True) -> None"),
          "Runs the kernel over `grid` threads in threadgroups of `threads`; None is the grid of a "
          "jit\nfunction's own launches.")
      .def("dispatch_timed", &dispatch_timed, nb::arg("grid").none(), nb::arg("threads").none(),
           nb::sig("def dispatch_timed(self, grid: " ENIGMA_SIZE " | None, threads: " ENIGMA_SIZE
                   ") -> float"),
           "The same; the milliseconds that it took on the device.")
      .def("read", &read, nb::arg("param").none(), nb::sig("def read(self, param: int) -> bytes"),
           "A copy of a parameter's memory, after all dispatches so far.")
      .def("output", &output, nb::arg("param").none(),
           nb::sig("def output(self, param: int) -> typing.Any"),
           "The memory bound to a parameter as a numpy array that cannot be written.")
      .def("set_input", &set_input, nb::arg("param").none(), nb::arg("array").none(),
           nb::sig("def set_input(self, param: int, array: object) -> None"),
           "Binds a parameter to another array or number.")
      .def(
          "release", [](PyPrepared& p) { p.prepared.reset(); },
          "Gives back the arguments; nothing else can be done with it afterwards.")
      .def_prop_ro(
          "artifact", [](const PyPrepared& p) { return Compiled{p.artifact, {}, {}, {}}; },
          nb::sig("def artifact(self) -> Artifact"))
      .def("__repr__", [](const PyPrepared& p) {
        return "<enigma prepared kernel '" + p.artifact->kernel_name + "'" +
               (p.prepared ? ">" : ", released>");
      });
}

void bind_capabilities(nb::module_& m) {
  using C = DeviceCapabilities;
  nb::class_<C>(m, "DeviceCapabilities", nb::is_final(), "What a device is and can hold.")
      .def_ro("name", &C::name)
      .def_ro("backend", &C::backend, "\"metal\" or \"cpu\".")
      .def_ro("family", &C::family, "The GPU family; the instruction set on the CPU.")
      .def_ro("max_threads_per_threadgroup", &C::max_threads_per_threadgroup)
      .def_ro("threadgroup_memory", &C::threadgroup_memory, "Bytes.")
      .def_ro("simd_width", &C::simd_width)
      .def_ro("max_buffer_bytes", &C::max_buffer_bytes)
      .def_ro("unified_memory", &C::unified_memory)
      .def_prop_ro(
          "async_copy",
          [](const C& c) {
            std::string_view name = to_string(c.async_copy);
            return nb::str(name.data(), name.size());
          },
          nb::sig("def async_copy(self) -> str"),
          "How async_copy_* are done: \"air\" or \"escaped air\" where Metal's undocumented "
          "functions, under one of two names, were tried and found to work; \"cooperative\", by "
          "the lanes of a SIMD-group, everywhere else.")
      .def("__repr__", [](const C& c) {
        return "DeviceCapabilities(name='" + c.name + "', backend='" + c.backend + "', family='" +
               c.family + "')";
      });
}

}  // namespace

void bind_runtime(nb::module_& m) {
  bind_capabilities(m);
  bind_prepared(m);
  nb::class_<PyRuntime>(m, "Runtime", nb::is_final(), nb::type_slots(kRuntimeSlots),
                        "A device that runs kernels.")
      .def_prop_ro(
          "capabilities",
          [](const PyRuntime& r) -> DeviceCapabilities { return r.runtime->capabilities(); })
      .def("prepare", &prepare, nb::arg("artifact"), nb::arg("arguments"),
           nb::arg("output_sizes") = nb::dict(), nb::arg("constants") = nb::dict(),
           nb::sig("def prepare(self, artifact: Artifact, arguments: " ARRAYS
                   ", output_sizes: dict[int, int] = {}, constants: dict[int, object] = {}) -> "
                   "Prepared"),
           "Binds a kernel to its arguments, in the order of its parameters. A parameter in "
           "`output_sizes` has None there, and gets that many bytes of zeros. `constants` has the "
           "values of function constants by index.")
      .def("dispatch_batch", &dispatch_batch, nb::arg("launches"),
           nb::sig("def dispatch_batch(self, launches: "
                   "collections.abc.Iterable[tuple[Prepared, " ENIGMA_SIZE " | None, " ENIGMA_SIZE
                   "]]) -> None"),
           "Runs prepared kernels in order, as one submission.")
      .def(
          "synchronize",
          [](const PyRuntime& r) {
            nb::gil_scoped_release release;
            r.runtime->synchronize();
          },
          "Waits for all that runs.")
      .def("__repr__", [](const PyRuntime& r) {
        return "<enigma runtime on " + r.runtime->capabilities().name + ">";
      });
  m.attr("MAX_CPU_THREADS") = kMaxCpuThreads;
  m.def("cpu_runtime", &cpu_runtime, nb::arg("compiler"), nb::arg("threads"), nb::arg("identity"),
        nb::sig("def cpu_runtime(compiler: collections.abc.Callable[[str], bytes], threads: int, "
                "identity: str) -> Runtime"),
        "The CPU device; `compiler` turns LLVM IR into an object file. threads = 0: all cores. "
        "Objects are kept on disk under `identity`, unless it is empty.");
  m.def(
      "metal_runtime",
      []() {
        PyRuntime out;
        nb::gil_scoped_release release;  // it may compile
        out.runtime = make_metal_runtime();
        return out;
      },
      nb::sig("def metal_runtime() -> Runtime"), "The Metal GPU.");
  m.def("call", &call, nb::arg("runtime"), nb::arg("artifact"), nb::arg("arguments"),
        nb::arg("grid").none(), nb::arg("threads").none(), nb::arg("scalars") = nb::none(),
        nb::sig("def call(runtime: Runtime, artifact: Artifact, arguments: " ARRAYS
                ", grid: " ENIGMA_SIZE " | None, threads: " ENIGMA_SIZE
                ", scalars: dict[str, int] | None = None) -> None"),
        "Runs a kernel on arrays and numbers, and waits; arrays that it writes change in place. "
        "`scalars`\nhas sizes by name that the arrays' shapes do not tell.");
}

}  // namespace enigma
