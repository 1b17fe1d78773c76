// TracingTensor: elements of buffers and of threadgroup memory, by index.

#include "trace.h"

namespace enigma {
namespace {

const char* space_name(AddressSpace s) {
  switch (s) {
    case AddressSpace::Device:
      return "device";
    case AddressSpace::Constant:
      return "constant";
    case AddressSpace::Threadgroup:
      return "threadgroup";
    case AddressSpace::Thread:
      return "thread";
  }
  return "";
}

[[noreturn]] void fail(const Trace& trace, const std::string& message) {
  throw Error(message, trace.builder.location());
}

std::string called(const TracingTensor& t) {
  return t.name.empty() ? "memory" : "'" + t.name + "'";
}

/// One index: a number known now, or a traced value.
struct Subscript {
  int64_t known = 0;
  std::optional<Operand> traced;
};

Subscript one_index(Trace& trace, const TracingTensor& t, nb::handle x, int64_t size) {
  Subscript out;
  if (nb::isinstance<IRValue>(x)) {
    DType type = nb::inst_ptr<IRValue>(x)->type.dtype;
    if (!is_integer(type)) {
      fail(trace, "the index of " + called(t) + " is " + info(type).mnemonic +
                      ": it must be an integer; convert it with enigma.metal_cast(i, \"uint\")");
    }
    out.traced = operand(trace, x, "index");
    return out;
  }
  if (!to_int64(x, out.known)) {
    if (PySlice_Check(x.ptr())) {
      fail(trace, called(t) +
                      " takes one element at a time, not a slice: index it with an int or a "
                      "traced integer, in a loop over enigma.for_range");
    }
    if (PyTuple_Check(x.ptr())) {
      fail(trace, called(t) + " has one dimension: index it with one int or traced integer");
    }
    fail(trace, "the index of " + called(t) + " must be an int or a traced integer, but is " +
                    describe(x));
  }
  if (out.known < 0) {
    fail(trace, "the index of " + called(t) + " is " + std::to_string(out.known) +
                    ": indices count from 0, and negative ones have no meaning in a kernel");
  }
  if (size >= 0 && out.known >= size) {
    fail(trace, "index " + std::to_string(out.known) + " is outside of " + called(t) +
                    ", of size " + std::to_string(size));
  }
  return out;
}

Operand constant_index(Trace& trace, int64_t i) {
  return i <= UINT32_MAX ? trace.builder.constant(DType::U32, Literal(i))
                         : trace.builder.constant(DType::U64, Literal(i));
}

int64_t elements(const TracingTensor& t) {
  int64_t n = 1;
  for (int64_t extent : t.shape) n *= extent;
  return t.shape.empty() ? -1 : n;
}

/// The element of the memory that is the tensor's element `known + sum`.
Operand placed(Trace& trace, const TracingTensor& t, int64_t known, std::optional<Operand> sum) {
  auto plus = [&](Operand a, Operand b) { return Operand(trace.builder.apply("+", {a, b})); };
  if (const Literal* begin = std::get_if<Literal>(&t.offset)) {
    known += std::get<int64_t>(*begin);
  } else {
    sum = sum ? plus(t.offset, *sum) : t.offset;
  }
  if (!sum) return constant_index(trace, known);
  return known ? plus(*sum, Literal(known)) : *sum;
}

/// Whether all traced indices have 32 bits, in which sums may be taken in any order.
bool in_32_bits(nb::handle index) {
  for (nb::handle x : index) {
    if (nb::isinstance<IRValue>(x) && info(nb::inst_ptr<IRValue>(x)->type.dtype).bits != 32) {
      return false;
    }
  }
  return true;
}

}  // namespace

Operand linear_index(Trace& trace, const TracingTensor& t, nb::handle index) {
  if (!PyTuple_Check(index.ptr()) || t.shape.empty()) {
    Subscript i = one_index(trace, t, index, elements(t));
    return placed(trace, t, i.known, i.traced);
  }
  size_t rank = static_cast<size_t>(PyTuple_Size(index.ptr()));
  if (rank != t.shape.size()) {
    fail(trace, called(t) + " has " + std::to_string(t.shape.size()) + " dimension" +
                    (t.shape.size() == 1 ? "" : "s") + ", but is indexed by " +
                    std::to_string(rank) + "; give an index for each");
  }
  // Each traced index adds its product with the stride. The known part is one number, and comes
  // last: indices of elements near each other then differ by nothing else.
  const bool any_order = in_32_bits(index);
  int64_t known = 0, stride = elements(t);
  std::optional<Operand> sum;
  for (size_t k = 0; k < rank; ++k) {
    stride /= t.shape[k];
    PyObject* item = PyTuple_GetItem(index.ptr(), static_cast<Py_ssize_t>(k));
    Subscript i = one_index(trace, t, item, t.shape[k]);
    if (!i.traced) {
      known += i.known * stride;
      continue;
    }
    Operand term = *i.traced;
    if (any_order) {
      const auto [rest, more] = trace.builder.apart(std::get<ValueId>(term));
      term = rest;
      known += more * stride;
    }
    DType type = trace.builder.type(std::get<ValueId>(term)).dtype;
    if (info(type).bits < 32) {  // the product would wrap
      term = trace.builder.cast(term, is_signed(type) ? DType::I32 : DType::U32);
    }
    if (stride != 1) term = trace.builder.apply("*", {term, stride});
    sum = sum ? trace.builder.apply("+", {*sum, term}) : term;
  }
  return placed(trace, t, known, sum);
}

const TracingTensor& tensor(Trace& trace, nb::handle x, const char* what) {
  if (!nb::isinstance<TracingTensor>(x)) {
    fail(trace,
         std::string(what) + ": expected a buffer or threadgroup memory, but got " + describe(x));
  }
  const TracingTensor& t = *nb::inst_ptr<TracingTensor>(x);
  if (t.trace.get() != &trace) {
    fail(trace, std::string(what) + ": " + called(t) + " belongs to kernel '" + t.trace->kernel +
                    (t.trace->ended ? "', which has ended," : "',") + " and is used in kernel '" +
                    trace.kernel + "'; pass it as a parameter");
  }
  return t;
}

Place place(Trace& trace, nb::handle memory, nb::handle index, const char* what) {
  if (nb::isinstance<Tensor>(memory)) {
    return place_in(trace, *nb::inst_ptr<Tensor>(memory), index);
  }
  const TracingTensor& t = tensor(trace, memory, what);
  return {t.id, linear_index(trace, t, index)};
}

nb::object make_tensor(Trace& trace, ValueId id, std::string name, std::vector<int64_t> shape,
                       Operand offset) {
  return nb::cast(TracingTensor{trace.shared_from_this(), id, trace.builder.type(id),
                                std::move(name), std::move(shape), offset});
}

std::vector<int64_t> shape_of(Trace& trace, nb::handle size, const std::string& user) {
  std::vector<int64_t> shape;
  auto add = [&](nb::handle x) {
    int64_t n = 0;
    if (nb::isinstance<IRValue>(x)) {
      fail(trace,
           user + ": the size must be known while tracing, so it is an int, not a traced value");
    }
    if (!to_int64(x, n)) {
      fail(trace, user + ": the size must be an int or a tuple of ints, but is " + describe(x));
    }
    if (n < 1) {
      fail(trace, user + ": the size is " + std::to_string(n) + ": it must be at least 1");
    }
    shape.push_back(n);
  };
  if (PyTuple_Check(size.ptr()) || PyList_Check(size.ptr())) {
    for (nb::handle x : size) add(x);
    if (shape.empty()) fail(trace, user + ": the shape is empty");
  } else {
    add(size);
  }
  return shape;
}

int64_t count_of(Trace& trace, const std::vector<int64_t>& shape, const std::string& user) {
  int64_t n = 1;
  for (int64_t extent : shape) {
    if (extent > INT32_MAX / n) fail(trace, user + ": the shape is far over 32 KiB");
    n *= extent;
  }
  return n;
}

namespace {

nb::object threadgroup_alloc(nb::handle dtype, nb::handle size) {
  Trace& trace = Trace::here("threadgroup_alloc");
  DType type = dtype_of(dtype);
  if (nb::isinstance<Layout>(size)) {
    return threadgroup_tensor(trace, type, *nb::inst_ptr<Layout>(size));
  }
  if (nb::isinstance<SwizzledLayout>(size)) {
    return threadgroup_tensor(trace, type, *nb::inst_ptr<SwizzledLayout>(size));
  }
  std::vector<int64_t> shape = shape_of(trace, size, "threadgroup_alloc");
  int64_t n = count_of(trace, shape, "threadgroup_alloc");
  return make_tensor(trace, trace.builder.threadgroup_alloc(type, n), "", std::move(shape));
}

nb::object get_item(nb::handle self, nb::handle index) {
  Trace& trace = Trace::here("indexing");
  const TracingTensor& t = tensor(trace, self, "indexing");
  return value_object(trace, trace.builder.load(t.id, linear_index(trace, t, index)));
}

void set_item(nb::handle self, nb::handle index, nb::handle value) {
  Trace& trace = Trace::here("a store");
  const TracingTensor& t = tensor(trace, self, "a store");
  Operand at = linear_index(trace, t, index);
  trace.builder.store(t.id, at, operand(trace, value, "a store"));
}

nb::object load_if(nb::handle buf, nb::handle index, nb::handle mask, nb::handle otherwise) {
  Trace& trace = Trace::here("load_if");
  Place at = place(trace, buf, index, "load_if");
  Operand where = operand(trace, mask, "load_if"), rest = operand(trace, otherwise, "load_if");
  if (at.exists) where = trace.builder.apply("&", {where, *at.exists});
  return value_object(trace, trace.builder.load_if(at.memory, at.index, where, rest));
}

void store_if(nb::handle buf, nb::handle index, nb::handle value, nb::handle mask) {
  Trace& trace = Trace::here("store_if");
  Place at = place(trace, buf, index, "store_if");
  Operand x = operand(trace, value, "store_if"), where = operand(trace, mask, "store_if");
  if (at.exists) where = trace.builder.apply("&", {where, *at.exists});
  trace.builder.store_if(at.memory, at.index, x, where);
}

/// The sizes of threadgroup memory; how long a buffer is only a launch knows.
const std::vector<int64_t>& known_shape(const TracingTensor& t, const char* what) {
  if (!t.shape.empty()) return t.shape;
  throw Error(std::string("the ") + what + " of buffer " + called(t) +
              " is not known while tracing; pass it as a parameter, enigma.Scalar(...)");
}

nb::object shape_object(const TracingTensor& t) {
  nb::list sizes;
  for (int64_t n : known_shape(t, "shape")) sizes.append(n);
  return nb::tuple(sizes);
}

nb::object refuse_operator(const TracingTensor& t, nb::handle) {
  std::string name = t.name.empty() ? "memory" : t.name;
  throw Error(called(t) + " is memory, not a value; read an element of it: " + name + "[i]");
}

}  // namespace

void bind_tensors(nb::module_& m) {
  nb::class_<TracingTensor> c(
      m, "TracingTensor", nb::is_final(),
      "Memory in the kernel that is traced: a buffer or threadgroup memory.");
#define INDEX "IRValue | int | tuple[IRValue | int, ...]"
  c.def("__getitem__", &get_item, nb::arg("index").none(),
        nb::sig("def __getitem__(self, index: " INDEX ", /) -> IRValue"))
      .def("__setitem__", &set_item, nb::arg("index").none(), nb::arg("value").none(),
           nb::sig("def __setitem__(self, index: " INDEX ", value: " ENIGMA_VALUE ", /) -> None"))
      .def(
          "__iter__",
          [](const TracingTensor& t) -> nb::object {
            throw Error(
                called(t) +
                " cannot be iterated over in Python; use `with enigma.for_range(0, n) as i:` "
                "and index it");
          },
          nb::sig("def __iter__(self) -> typing.NoReturn"))
      .def("__len__", [](const TracingTensor& t) { return known_shape(t, "length")[0]; })
      .def("__bool__", [](const TracingTensor&) { return true; })
      .def_prop_ro(
          "dtype", [](const TracingTensor& t) { return dtype_object(t.type.dtype); },
          nb::sig("def dtype(self) -> DType"))
      .def_prop_rw(
          "name", [](const TracingTensor& t) { return t.name; },
          [](TracingTensor& t, std::string name) {
            if (!t.name.empty() || t.trace->ended) return;  // the first name wins
            t.trace->builder.set_name(t.id, name);
            t.name = std::move(name);
          },
          "The Python name, \"\" when none is known; the first one given stays.")
      .def_prop_ro("shape", &shape_object, nb::sig("def shape(self) -> tuple[int, ...]"),
                   "Sizes of threadgroup memory; EnigmaError for a buffer.")
      .def_prop_ro(
          "size",
          [](const TracingTensor& t) {
            known_shape(t, "size");
            return elements(t);
          },
          "Number of elements of threadgroup memory; EnigmaError for a buffer.")
      .def_prop_ro(
          "space", [](const TracingTensor& t) { return space_name(t.type.space()); },
          "\"device\" or \"threadgroup\".")
      .def("__repr__", [](const TracingTensor& t) {
        return "<TracingTensor " + (t.name.empty() ? "" : t.name + ": ") + to_string(t.type) +
               " in kernel '" + t.trace->kernel + "'>";
      });

  refuse_operators(c, &refuse_operator);

  m.def("threadgroup_alloc", &threadgroup_alloc, nb::arg("dtype").none(), nb::arg("size").none(),
        nb::sig("def threadgroup_alloc(dtype: " ENIGMA_DTYPE ", size: " ENIGMA_SIZE
                " | Layout | SwizzledLayout) -> typing.Any"),
        "Memory that the threads of a threadgroup share: a TracingTensor of a size or a row-major "
        "shape,\nor a Tensor of a layout.");
  m.def("load_if", &load_if, nb::arg("buf").none(), nb::arg("index").none(), nb::arg("mask").none(),
        nb::arg("default") = 0,
        nb::sig("def load_if(buf: TracingTensor | Tensor, index: " INDEX ", mask: " ENIGMA_VALUE
                ", default: " ENIGMA_VALUE " = 0) -> IRValue"),
        "buf[index] where the mask holds, the default elsewhere.");
  m.def("store_if", &store_if, nb::arg("buf").none(), nb::arg("index").none(),
        nb::arg("value").none(), nb::arg("mask").none(),
        nb::sig("def store_if(buf: TracingTensor | Tensor, index: " INDEX ", value: " ENIGMA_VALUE
                ", mask: " ENIGMA_VALUE ") -> None"),
        "buf[index] = value where the mask holds.");
#undef INDEX
}

}  // namespace enigma
