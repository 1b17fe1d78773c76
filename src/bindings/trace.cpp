// Traces: the stack of kernels being traced, the user's line of each operation, regions.
#include "trace.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>

#include <algorithm>

#include "sizes.h"

namespace enigma {
namespace {

// The innermost trace of this thread. A raw pointer, since a thread may end after the interpreter:
// an entered trace holds itself.
thread_local Trace* current_trace = nullptr;

}  // namespace

Trace* Trace::current() { return current_trace; }

void Trace::enter() {
  if (self_) throw Error("the trace of kernel '" + kernel + "' is already entered");
  self_ = shared_from_this();
  outer_ = current_trace;
  current_trace = this;
}

void Trace::exit() {
  if (current_trace != this) {
    throw Error("the trace of kernel '" + kernel + "' is not the one that this thread is in");
  }
  current_trace = outer_;
  outer_ = nullptr;
  self_.reset();
}

Trace& Trace::here(const char* what) {
  if (!current_trace) {
    throw Error(std::string(what) +
                " is used outside a kernel: it needs the body of a function decorated with "
                "@enigma.kernel, while enigma.compile traces it");
  }
  if (current_trace->ended) {
    throw Error(std::string(what) + " is used after kernel '" + current_trace->kernel +
                "' has ended");
  }
  return current_trace->locate();
}

const Trace::Source& Trace::source(PyObject* code, PyObject* frame) {
  if (last_source_ < sources_.size() && sources_[last_source_].code.is(code)) {
    return sources_[last_source_];
  }
  for (last_source_ = 0; last_source_ < sources_.size(); ++last_source_) {
    if (sources_[last_source_].code.is(code)) return sources_[last_source_];
  }
  nb::object held = nb::borrow(code);
  std::string file = nb::cast<std::string>(held.attr("co_filename"));
  sources_.push_back({std::move(held), std::move(file), is_ours(frame)});
  return sources_.back();
}

Trace& Trace::locate() {
  // A borrowed frame; stepping out of our own frames goes through Python, but only helpers of the
  // package need that.
  PyFrameObject* frame = PyEval_GetFrame();
  nb::object held;
  while (frame) {
    nb::object code = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
    const Source& s = source(code.ptr(), reinterpret_cast<PyObject*>(frame));
    if (!s.ours) {
      int line = PyFrame_GetLineNumber(frame);
      builder.set_location(s.file, line > 0 ? static_cast<uint32_t>(line) : 0);
      break;
    }
    held = attribute(reinterpret_cast<PyObject*>(frame), "f_back");
    frame =
        held.is_valid() && !held.is_none() ? reinterpret_cast<PyFrameObject*>(held.ptr()) : nullptr;
  }
  return *this;
}

ValueId Trace::memory(const Storage& s) {
  if (s.trace) {
    if (s.trace.get() == this) return s.memory;
    throw Error("threadgroup memory of kernel '" + s.trace->kernel + "' is used in kernel '" +
                    kernel +
                    "'; it lasts for one kernel, so write what the other needs to a buffer",
                builder.location());
  }
  auto found = buffers_.find(s.index);
  if (found == buffers_.end()) {
    ValueId id = builder.buffer(s.name, s.dtype, s.index);
    found = buffers_.emplace(s.index, Buffer{s.name, s.dtype, id}).first;
  } else if (found->second.name != s.name || found->second.dtype != s.dtype) {
    const Buffer& other = found->second;
    throw Error("tensors '" + other.name + "' (" + info(other.dtype).mnemonic + ") and '" + s.name +
                    "' (" + info(s.dtype).mnemonic + ") both have the buffer index " +
                    std::to_string(s.index) + "; give one of them another",
                builder.location());
  }
  builder.set_elements(found->second.memory, s.elements);
  return found->second.memory;
}

void Trace::set_sizes(std::map<std::string, uint32_t> indices, std::set<uint32_t> buffers) {
  sizes_ = std::move(indices);
  sized_ = std::move(buffers);
}

void Trace::declare(const std::vector<Symbol>& symbols) {
  for (const Symbol& s : symbols) {
    const std::vector<Param>& params = builder.module().params;
    if (std::any_of(params.begin(), params.end(), [&](const Param& p) { return p.name == s.name; }))
      continue;
    auto found = sizes_.find(s.name);
    if (found == sizes_.end()) {
      throw Error("the size " + s.name +
                      " is that of no argument of this jit function, so no run "
                      "can give it",
                  builder.location());
    }
    builder.size(s.name, static_cast<uint32_t>(s.multiple), found->second);
  }
}

void Trace::use(const Tensor& t) {
  if (t.view.axes.empty()) return;
  if (t.storage) {
    if (!sized_.contains(t.storage->index)) {
      throw Error("tensor '" + t.storage->name +
                      "' has sizes that only a run knows: it must be an "
                      "argument of the jit function, whose arrays give them",
                  builder.location());
    }
    memory(*t.storage);
  }
  declare(symbols(t.view));
}

void Trace::close() {
  ended = true;
  sources_.clear();
}

nb::object value_object(Trace& trace, ValueId id) {
  return nb::cast(IRValue{trace.shared_from_this(), id, trace.builder.type(id)});
}

nb::list value_list(Trace& trace, const std::vector<ValueId>& ids) {
  nb::list out;
  for (ValueId id : ids) out.append(value_object(trace, id));
  return out;
}

namespace {

/// The trace behind a method of the Python object, which needs no `with`: alive, and located.
Trace& open(Trace& t, const char* what) {
  if (t.ended) throw Error(std::string(what) + ": kernel '" + t.kernel + "' has ended");
  return t.locate();
}

DType index_type(Trace& t, nb::handle dtype) {
  DType out = dtype_of(dtype);
  if (!is_integer(out)) {
    throw Error("a loop counts in an integer type, not " + std::string(info(out).mnemonic),
                t.builder.location());
  }
  return out;
}

nb::object begin_for(Trace& trace, nb::handle lo, nb::handle hi, nb::handle step, nb::handle dtype,
                     nb::handle inits) {
  Trace& t = open(trace, "for_range");
  Operand first = operand(t, lo, "for_range"), end = operand(t, hi, "for_range");
  Operand by = operand(t, step, "for_range");
  DType type = index_type(t, dtype);
  auto carried = operands(t, inits, "for_range");
  Builder::Loop loop = t.builder.begin_for(first, end, by, type, carried);
  return nb::make_tuple(value_object(t, loop.index), value_list(t, loop.args));
}

}  // namespace

void bind_trace(nb::module_& m) {
  nb::class_<Trace> trace(
      m, "Trace", nb::is_final(),
      "The trace of one kernel. As a context manager it becomes the current trace of "
      "this thread.");
  // IRValue is bound after this class and named by it.
#define VALUES "collections.abc.Sequence[" ENIGMA_VALUE "]"
  trace
      .def(nb::new_([](std::string name) { return std::make_shared<Trace>(std::move(name)); }),
           nb::arg("name"))
      .def(
          "__enter__",
          [](nb::object self) {
            nb::cast<Trace&>(self).enter();
            return self;
          },
          nb::sig("def __enter__(self) -> Trace"))
      .def(
          "__exit__", [](Trace& t, nb::handle, nb::handle, nb::handle) { t.exit(); },
          nb::arg("type").none(), nb::arg("value").none(), nb::arg("traceback").none(),
          nb::sig("def __exit__(self, type: object, value: object, traceback: object) -> None"))
      .def_prop_ro("name", [](const Trace& t) { return t.kernel; })
      .def(
          "buffer",
          [](Trace& t, std::string name, nb::handle dtype) {
            ValueId v = open(t, "a parameter").builder.buffer(name, dtype_of(dtype));
            return make_tensor(t, v, std::move(name), {});
          },
          nb::arg("name"), nb::arg("dtype"),
          nb::sig("def buffer(self, name: str, dtype: " ENIGMA_DTYPE ") -> TracingTensor"),
          "Declares the next parameter, a buffer.")
      .def(
          "scalar",
          [](Trace& t, std::string_view name, nb::handle dtype, std::optional<uint32_t> index) {
            Builder& b = open(t, "a parameter").builder;
            return value_object(t, b.scalar(name, dtype_of(dtype), index));
          },
          nb::arg("name"), nb::arg("dtype"), nb::arg("index") = nb::none(),
          nb::sig("def scalar(self, name: str, dtype: " ENIGMA_DTYPE
                  ", index: int | None = None) -> IRValue"),
          "Declares the next parameter, a number that each dispatch gives.")
      .def("begin_for", &begin_for, nb::arg("lo").none(), nb::arg("hi").none(),
           nb::arg("step").none(), nb::arg("dtype"), nb::arg("inits"),
           nb::sig("def begin_for(self, lo: " ENIGMA_VALUE ", hi: " ENIGMA_VALUE
                   ", step: " ENIGMA_VALUE ", dtype: " ENIGMA_DTYPE ", inits: " VALUES
                   ") -> tuple[IRValue, list[IRValue]]"),
           "Opens a counting loop: its index and the carried values inside of it.")
      .def(
          "end_for",
          [](Trace& trace, nb::handle next) {
            Trace& t = open(trace, "for_range");
            return value_list(t, t.builder.end_for(operands(t, next, "for_range")));
          },
          nb::arg("next"), nb::sig("def end_for(self, next: " VALUES ") -> list[IRValue]"),
          "Closes the loop; the carried values after it.")
      .def(
          "begin_while",
          [](Trace& trace, nb::handle inits) {
            Trace& t = open(trace, "while_");
            return value_list(t, t.builder.begin_while(operands(t, inits, "while_")).args);
          },
          nb::arg("inits"), nb::sig("def begin_while(self, inits: " VALUES ") -> list[IRValue]"),
          "Opens the condition of a loop: the carried values inside of it.")
      .def(
          "while_body",
          [](Trace& trace, nb::handle condition) {
            Trace& t = open(trace, "while_");
            return value_list(t, t.builder.while_body(operand(t, condition, "while_")).args);
          },
          nb::arg("condition").none(),
          nb::sig("def while_body(self, condition: " ENIGMA_VALUE ") -> list[IRValue]"),
          "Closes the condition and opens the body: the carried values inside of it.")
      .def(
          "end_while",
          [](Trace& trace, nb::handle next) {
            Trace& t = open(trace, "while_");
            return value_list(t, t.builder.end_while(operands(t, next, "while_")));
          },
          nb::arg("next"), nb::sig("def end_while(self, next: " VALUES ") -> list[IRValue]"),
          "Closes the loop; the carried values after it.")
      .def(
          "begin_if",
          [](Trace& trace, nb::handle condition) {
            Trace& t = open(trace, "if_");
            t.builder.begin_if(operand(t, condition, "if_"));
          },
          nb::arg("condition").none(),
          nb::sig("def begin_if(self, condition: " ENIGMA_VALUE ") -> None"),
          "Opens the arm that runs where the condition holds.")
      .def(
          "begin_else", [](Trace& t) { open(t, "if_").builder.begin_else(); },
          "Opens the other arm.")
      .def(
          "end_if",
          [](Trace& trace, nb::handle then, nb::handle otherwise) {
            Trace& t = open(trace, "if_");
            auto a = operands(t, then, "if_"), b = operands(t, otherwise, "if_");
            return value_list(t, t.builder.end_if(a, b));
          },
          nb::arg("then"), nb::arg("otherwise"),
          nb::sig("def end_if(self, then: " VALUES ", otherwise: " VALUES ") -> list[IRValue]"),
          "Closes the arms; a value for each pair that they hand over.")
      .def(
          "memory",
          [](Trace& t, const Tensor& x) {
            ValueId id = open(t, "a parameter").memory(*x.storage);
            return make_tensor(t, id, x.storage->name, {});
          },
          nb::arg("tensor"), "The whole memory behind a tensor of a jit function.")
      .def(
          "set_launch",
          [](Trace& t, nb::tuple grid, nb::handle threads) {
            const Dim3 b = dim3(threads, "block");
            std::array<uint32_t, 3> g{};
            for (size_t k = 0; k < 3; ++k) {
              const Size n = size_in(grid[k], "a number of threads");
              g[k] = n.is_known() ? static_cast<uint32_t>(n.known()) : 0;
            }
            open(t, "launch").builder.set_launch(g, {b.x, b.y, b.z});
          },
          nb::arg("grid"), nb::arg("threads"),
          nb::sig("def set_launch(self, grid: tuple[" ENIGMA_SYMBOLIC
                  ", ...], threads: " ENIGMA_SIZE ") -> None"),
          "Tells the one launch that the kernel is for.")
      .def(
          "set_sizes",
          [](Trace& t, std::map<std::string, uint32_t> indices, nb::list tensors) {
            std::set<uint32_t> buffers;
            for (nb::handle x : tensors) buffers.insert(nb::cast<const Tensor&>(x).storage->index);
            t.set_sizes(std::move(indices), std::move(buffers));
          },
          nb::arg("indices"), nb::arg("tensors"),
          nb::sig("def set_sizes(self, indices: dict[str, int], tensors: list[Tensor]) -> None"),
          "Tells the parameter indices of sizes that only a run knows, and the tensors that have "
          "them.")
      .def_prop_ro(
          "value_count",
          [](const Trace& t) { return t.ended ? 0 : t.builder.module().values.size(); },
          "The number that the next value will have.")
      .def_prop_ro(
          "depth", [](const Trace& t) { return t.ended ? 0 : t.builder.depth(); },
          "Regions open at the moment.")
      .def(
          "abandon",
          [](Trace& t) {
            if (!t.ended) t.builder.abandon();
          },
          "Drops open regions and all that was built, for a trace that failed inside of one.")
      .def(
          "set_name",
          [](Trace& t, const IRValue& value, std::string_view name) {
            if (!t.ended && value.trace.get() == &t) t.builder.set_name(value.id, name);
          },
          nb::arg("value"), nb::arg("name"), "Gives a value its Python name; the first name wins.")
      .def(
          "warn",
          [](Trace& t, std::string message) {
            open(t, "warn");
            t.warnings.push_back({std::move(message), t.builder.location()});
          },
          nb::arg("message"), "Notes a warning about the line that runs.")
      .def(
          "finish",
          [](Trace& t) {
            open(t, "finish");
            Module module = t.builder.finish();
            for (Warning& w : t.warnings) {
              module.warnings.emplace_back(std::move(w.message), std::move(w.where));
            }
            t.close();
            return module;
          },
          nb::sig("def finish(self) -> Module"), "Ends the kernel and gives its module.")
      .def("__repr__",
           [](const Trace& t) { return "<enigma trace of kernel '" + t.kernel + "'>"; });
#undef VALUES

  m.def(
      "current_trace", [](const char* what) { return Trace::here(what).shared_from_this(); },
      nb::arg("what") = "this operation",
      "The trace that this thread is in; EnigmaError, which names `what`, when there is none.");
  m.def(
      "has_trace", []() { return Trace::current() != nullptr; },
      "Whether this thread is tracing a kernel.");
  m.def(
      "same_objects",
      [](const nb::list& a, const nb::list& b, size_t count) {
        if (a.size() < count || b.size() < count) return false;
        for (Py_ssize_t k = 0; k < static_cast<Py_ssize_t>(count); ++k) {
          if (PyList_GetItem(a.ptr(), k) != PyList_GetItem(b.ptr(), k)) return false;
        }
        return true;
      },
      nb::arg("a"), nb::arg("b"), nb::arg("count"),
      "Whether two lists begin with the same objects, `count` of them.");
}

}  // namespace enigma
