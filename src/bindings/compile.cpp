// Modules and compiled kernels.
#include "enigma/compile.h"

#include <nanobind/stl/function.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "compiled.h"
#include "trace.h"

namespace enigma {
namespace {

Compiled compile_module(const Module& traced, bool fast_math, nb::object dump) {
  CompileOptions options;
  options.fast_math = fast_math;
  Compiled out;
  Module module = traced;
  if (dump.is_none()) {
    nb::gil_scoped_release release;
    out.artifact = compile(std::move(module), options);
  } else {
    options.dump = [&dump](std::string_view pass, const std::string& ir) { dump(pass, ir); };
    out.artifact = compile(std::move(module), options);
  }
  return out;
}

/// One compiled object of the launches (artifact, grid, block) of a jit function, whose tensors
/// tell the sizes that only a run knows.
Compiled join(std::string name, nb::list arguments, nb::list launches, nb::list tensors) {
  std::vector<ParamInfo> params;
  for (nb::handle item : arguments) {
    auto [param, index, dtype, is_scalar] =
        nb::cast<std::tuple<std::string, uint32_t, nb::object, bool>>(item);
    params.push_back({param, index, dtype_of(dtype), is_scalar, false, false});
  }
  Compiled out;
  for (nb::handle item : launches) {
    std::array<Size, 3> grid{0, 0, 0};
    for (size_t d = 0; d < 3; ++d) grid[d] = size_in(item[1][d], "a number of threads");
    out.program.parts.push_back(
        {nb::cast<const Compiled&>(item[0]).artifact, {}, grid, dim3(item[2], "block")});
  }
  std::vector<Sizes::Sized> sized;
  for (nb::handle item : tensors) {
    const auto& t = nb::cast<const Tensor&>(item);
    if (t.view.axes.empty()) continue;
    auto mine = [&](const ParamInfo& p) { return p.name == t.storage->name; };
    auto found = std::find_if(params.begin(), params.end(), mine);
    sized.push_back({static_cast<uint32_t>(found - params.begin()), t.view});
  }
  out.program.sizes = Sizes(name, params, std::move(sized));
  out.artifact = face_of(std::move(name), std::move(params), out.program.parts);
  return out;
}

/// Its launches: artifact, the numbers of the parameters, grid, threads.
nb::list launches(const Compiled& c) {
  nb::list out;
  for (const Part& p : c.program.parts) {
    const auto& [x, y, z] = p.grid;
    out.append(nb::make_tuple(Compiled{p.kernel, {}, {}, {}}, p.params,
                              nb::make_tuple(to_python(x), to_python(y), to_python(z)),
                              nb::make_tuple(p.threads.x, p.threads.y, p.threads.z)));
  }
  return out;
}

nb::dict solve(const Compiled& c, nb::sequence arguments, nb::handle scalars) {
  const Sizes& sizes = c.program.sizes;
  std::vector<Sizes::Array> arrays;
  uint32_t p = 0;
  for (nb::handle x : arguments) {
    while (sizes.is_size(p)) ++p;
    arrays.push_back({p++, shape_of_array(x), UINT64_MAX});
  }
  return sizes.named(sizes.solve(arrays, scalars));
}

nb::tuple cpu_code(const Compiled& c, nb::handle threads, bool edges) {
  const Artifact& a = *c.artifact;
  CpuCode code = a.cpu(a.ir, {dim3(threads, "threads"), edges});
  return nb::make_tuple(code.llvm_ir, code.symbol, code.scratch_bytes);
}

nb::list warnings(const Compiled& c) {
  nb::list out;
  for (const Warning& w : c.artifact->warnings) {
    out.append(nb::make_tuple(w.message, w.where.file, w.where.line));
  }
  return out;
}

nb::list params(nb::object self) {
  nb::list out;
  for (const ParamInfo& p : nb::cast<const Compiled&>(self).artifact->params) {
    out.append(nb::cast(&p, nb::rv_policy::reference_internal, self));
  }
  return out;
}

nb::list constants(nb::object self) {
  nb::list out;
  for (const ConstantInfo& c : nb::cast<const Compiled&>(self).artifact->constants) {
    out.append(nb::cast(&c, nb::rv_policy::reference_internal, self));
  }
  return out;
}

#define GRID ENIGMA_SYMBOLIC ", " ENIGMA_SYMBOLIC ", " ENIGMA_SYMBOLIC

std::string describe_param(const ParamInfo& p) {
  return "ParamInfo(" + p.name + ", index=" + std::to_string(p.index) + ", " +
         info(p.dtype).mnemonic + (p.is_scalar ? ", scalar" : ", buffer") +
         (p.read ? ", read" : "") + (p.written ? ", written" : "") + ")";
}

}  // namespace

void bind_compile(nb::module_& m) {
  nb::class_<Module>(m, "Module", nb::is_final(), "A traced kernel in the IR.")
      .def_ro("name", &Module::name)
      .def_prop_ro(
          "text", [](const Module& module) { return print(module); },
          "The text form; parse_module reads it.")
      .def("__repr__",
           [](const Module& module) { return "<enigma module of kernel '" + module.name + "'>"; });
  m.def("parse_module", &parse, nb::arg("text"), "The module of a text form.");

  nb::class_<ParamInfo>(m, "ParamInfo", nb::is_final(), "A parameter of a compiled kernel.")
      .def_ro("name", &ParamInfo::name)
      .def_ro("index", &ParamInfo::index, "The MSL buffer index.")
      .def_prop_ro(
          "dtype", [](const ParamInfo& p) { return dtype_object(p.dtype); },
          nb::sig("def dtype(self) -> DType"))
      .def_ro("is_scalar", &ParamInfo::is_scalar)
      .def_ro("read", &ParamInfo::read)
      .def_ro("written", &ParamInfo::written)
      .def("__repr__", &describe_param);

  nb::class_<ConstantInfo>(m, "ConstantInfo", nb::is_final(),
                           "A function constant of a compiled kernel.")
      .def_ro("index", &ConstantInfo::index)
      .def_prop_ro(
          "dtype", [](const ConstantInfo& c) { return dtype_object(c.dtype); },
          nb::sig("def dtype(self) -> DType"))
      .def_ro("name", &ConstantInfo::name, "The Python name, \"\" where it has none.")
      .def("__repr__", [](const ConstantInfo& c) {
        return "ConstantInfo(" + std::to_string(c.index) + ", " + info(c.dtype).mnemonic +
               (c.name.empty() ? "" : ", " + c.name) + ")";
      });

  nb::class_<Compiled>(m, "Artifact", nb::is_final(),
                       nb::type_slots(RuntimeHolder<Compiled>::slots), "A compiled kernel.")
      .def_prop_ro("kernel_name", [](const Compiled& c) { return c.artifact->kernel_name; })
      .def_prop_ro(
          "msl_name", [](const Compiled& c) { return c.artifact->msl_name; },
          "The name of the function in the MSL text.")
      .def_prop_ro("msl", [](const Compiled& c) { return c.artifact->msl; })
      .def_prop_ro(
          "air_msl",
          [](const Compiled& c) { return c.artifact->air ? c.artifact->air->msl : std::string(); },
          "The MSL with AIR's own asynchronous copies; \"\" where there is none.")
      .def_prop_ro(
          "ir", [](const Compiled& c) { return c.artifact->ir; },
          "The IR after the passes, as text.")
      .def_prop_ro("launches", &launches,
                   nb::sig("def launches(self) -> list[tuple[Artifact, list[int], tuple[" GRID
                           "], tuple[int, int, int]]]"),
                   "What a jit function launches: kernel, the numbers of its parameters, grid, "
                   "block; empty for\na kernel by itself.")
      .def_prop_ro(
          "sizes", [](const Compiled& c) { return c.program.sizes.params(); },
          "The numbers of the parameters that are sizes of a jit function's tensors.")
      .def("solve", &solve, nb::arg("arguments"), nb::arg("scalars") = nb::none(),
           nb::sig("def solve(self, arguments: collections.abc.Sequence[object], scalars: dict[str,"
                   " int] | None = None) -> dict[str, int]"),
           "The sizes that a call with these arguments has, by name.")
      .def_prop_ro("params", &params, nb::sig("def params(self) -> list[ParamInfo]"))
      .def_prop_ro("constants", &constants, nb::sig("def constants(self) -> list[ConstantInfo]"))
      .def_prop_ro("threadgroup_bytes",
                   [](const Compiled& c) { return c.artifact->threadgroup_bytes; })
      .def_prop_ro(
          "msl_version", [](const Compiled& c) { return c.artifact->msl_version; },
          "The language version that the MSL needs: 310 is MSL 3.1.")
      .def_prop_ro("fast_math", [](const Compiled& c) { return c.artifact->fast_math; })
      .def_prop_ro("warnings", &warnings,
                   nb::sig("def warnings(self) -> list[tuple[str, str, int]]"),
                   "Message, file and line of each.")
      .def("cpu_code", &cpu_code, nb::arg("threads") = 256, nb::arg("edges") = false,
           nb::sig("def cpu_code(self, threads: " ENIGMA_SIZE
                   " = 256, edges: bool = False) -> tuple[str, str, int]"),
           "LLVM IR, symbol and scratch bytes of the variant for this threadgroup.")
      .def("__repr__", [](const Compiled& c) {
        return "<enigma artifact of kernel '" + c.artifact->kernel_name + "'>";
      });

  m.def("compile", &compile_module, nb::arg("module"), nb::arg("fast_math") = false,
        nb::arg("dump") = nb::none(),
        nb::sig("def compile(module: Module, fast_math: bool = False, dump: "
                "collections.abc.Callable[[str, str], object] | None = None) -> Artifact"),
        "Passes, verification and MSL. `dump(pass, ir)` is called after each pass.");
  m.def("join", &join, nb::arg("name"), nb::arg("params"), nb::arg("launches"), nb::arg("tensors"),
        nb::sig("def join(name: str, params: list[tuple[str, int, DType, bool]], launches: "
                "list[tuple[Artifact, tuple[" GRID
                "], tuple[int, int, int]]], tensors: list[Tensor]) -> Artifact"),
        "The kernels that a jit function launches, as one compiled object with these parameters. "
        "`tensors`\nare those that it was given.");
}

}  // namespace enigma
