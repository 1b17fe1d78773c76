// Operations: a Python function for every name in ops.def, made from its row.
#include <array>
#include <set>
#include <string>
#include <utility>

#include "trace.h"

namespace enigma {
namespace {

template <size_t>
using Handle = nb::handle;

/// A function of as many operands as there are indices; `has_default`: the last may be left out.
template <bool has_default = false, size_t... I>
void bind_apply(nb::module_& m, const OpInfo& row, std::index_sequence<I...> all) {
  std::vector<std::string> names = operand_names(row);
  std::string value;
  if (size_t equals = names.back().find('='); equals != std::string::npos) {
    if constexpr (!has_default) return bind_apply<true>(m, row, all);
    value = names.back().substr(equals + 1);
    names.back().resize(equals);
  }
  std::string sig = std::string("def ") + row.python + "(";
  for (size_t i = 0; i < names.size(); ++i) {
    sig += (i ? ", " : "") + names[i] + ": " ENIGMA_VALUE;
  }
  sig += (has_default ? " = " + value : "") + ") -> IRValue";
  auto argument = [&]<size_t k>(std::integral_constant<size_t, k>) {
    auto described = nb::arg(names[k].c_str()).none();
    if constexpr (has_default && k + 1 == sizeof...(I)) {
      return described = std::stoi(value);
    } else {
      return described;
    }
  };
  m.def(
      row.python,
      [&row, name = row.python](Handle<I>... x) {
        Trace& trace = Trace::here(name);
        if ((nb::isinstance<Fragment>(x) || ...)) {
          // A condition alone says nothing of the vectors that it would choose from, and a count
          // is a number.
          bool counts = ((nb::isinstance<Fragment>(x) && row.operands[I] == 'u') || ...);
          bool others = ((nb::isinstance<Fragment>(x) && row.operands[I] != 'b') || ...);
          return elementwise(
              trace, name, std::array{x...},
              [&](Operands o) { return trace.builder.apply(name, o); },
              row.shape == Shape::Map && others && !counts);
        }
        Operand operands[] = {operand(trace, x, name)...};
        return value_object(trace, trace.builder.apply(name, operands));
      },
      argument(std::integral_constant<size_t, I>())..., nb::sig(sig.c_str()),
      docstring(row).c_str());
}

int dimension(Trace& trace, nb::handle dim) {
  if (PyUnicode_Check(dim.ptr())) {
    std::string_view name = nb::cast<std::string_view>(dim);
    if (name.size() == 1 && name[0] >= 'x' && name[0] <= 'z') return name[0] - 'x';
  }
  int64_t n = -1;
  if (to_int64(dim, n) && n >= 0 && n <= 2) return static_cast<int>(n);
  throw Error("the dimension of a grid query is \"x\", \"y\" or \"z\", not " + describe(dim),
              trace.builder.location());
}

#define DIM "typing.Literal['x', 'y', 'z', 0, 1, 2]"

void bind_query(nb::module_& m, const OpInfo& row) {
  if (row.has(flag::XYZ)) {
    std::string sig = std::string("def ") + row.python + "(dim: " DIM " = 'x') -> IRValue";
    m.def(
        row.python,
        [&row](nb::handle dim) {
          Trace& trace = Trace::here(row.python);
          return value_object(trace, trace.builder.query(row.op, dimension(trace, dim)));
        },
        nb::arg("dim").none() = "x", nb::sig(sig.c_str()), docstring(row).c_str());
  } else {
    std::string sig = std::string("def ") + row.python + "() -> IRValue";
    m.def(
        row.python,
        [&row]() {
          Trace& trace = Trace::here(row.python);
          return value_object(trace, trace.builder.query(row.op));
        },
        nb::sig(sig.c_str()), docstring(row).c_str());
  }
}

nb::object query(std::string_view name, nb::handle dim) {
  Trace& trace = Trace::here("a grid query");
  for (Op op : overloads(name)) {
    if (info(op).shape == Shape::Query) {
      return value_object(trace, trace.builder.query(op, dimension(trace, dim)));
    }
  }
  throw Error("there is no grid query of the name '" + std::string(name) + "'",
              trace.builder.location());
}

/// metal_cast and as_type: the type of the result is an argument.
void bind_cast(nb::module_& m, const OpInfo& row) {
  std::string sig = std::string("def ") + row.python +
                    "(x: " ENIGMA_VALUE ", dtype: " ENIGMA_DTYPE ") -> IRValue";
  m.def(
      row.python,
      [&row](nb::handle x, nb::handle dtype) {
        Trace& trace = Trace::here(row.python);
        DType to = dtype_of(dtype);
        auto convert = [&](Operands o) {
          return row.op == Op::AsType ? trace.builder.as_type(o[0], to)
                                      : trace.builder.cast(o[0], to);
        };
        return elementwise(trace, row.python, {&x, 1}, convert, row.op != Op::AsType);
      },
      nb::arg("x").none(), nb::arg("dtype").none(), nb::sig(sig.c_str()), docstring(row).c_str());
}

/// The type and the index are arguments; the value comes when the kernel is prepared.
void bind_function_constant(nb::module_& m, const OpInfo& row) {
  std::string sig =
      std::string("def ") + row.python + "(dtype: " ENIGMA_DTYPE ", index: int) -> IRValue";
  std::string doc =
      std::string(row.doc) +
      ".\n\nThe value of index `i` is given as `constants={i: value}` to prepare() or "
      "execute(), where it\nis checked against `dtype`, which can be any type. In the "
      "MSL it is a constant at file scope,\nwhich Metal compiles into the kernel.\n\n"
      "Errors: EnigmaError for an index that is no int from 0 to 65535, or has another "
      "dtype\nelsewhere in the kernel, for an unknown dtype, and outside of a kernel.";
  m.def(
      row.python,
      [&row](nb::handle dtype, nb::handle index) {
        Trace& trace = Trace::here(row.python);
        DType type = dtype_of(dtype);
        int64_t number = 0;
        if (nb::isinstance<IRValue>(index)) {
          throw Error(std::string(row.python) +
                          ": the index must be an int that is known while the kernel is traced, "
                          "but is a traced value",
                      trace.builder.location());
        }
        if (!to_int64(index, number)) {
          throw Error(std::string(row.python) +
                          ": the index must be an int from 0 to 65535, but is " + describe(index),
                      trace.builder.location());
        }
        return value_object(trace, trace.builder.function_constant(type, number));
      },
      nb::arg("dtype").none(), nb::arg("index").none(), nb::sig(sig.c_str()), doc.c_str());
}

uint8_t mem_flags(Trace& trace, nb::handle flags) {
  constexpr std::pair<const char*, int> kFlags[] = {
      {"mem_none", kMemNone},
      {"mem_device", kMemDevice},
      {"mem_threadgroup", kMemThreadgroup},
      {"mem_device_and_threadgroup", kMemDevice | kMemThreadgroup},
      {"mem_texture", kMemTexture},
  };
  if (PyUnicode_Check(flags.ptr())) {
    std::string_view name = nb::cast<std::string_view>(flags);
    for (const auto& [known, value] : kFlags) {
      if (name == known) return static_cast<uint8_t>(value);
    }
  }
  std::vector<std::string> names;
  for (const auto& [known, value] : kFlags) names.push_back(std::string("\"") + known + "\"");
  throw Error("mem_flags is " + listed(names, "or") + ", not " + describe(flags),
              trace.builder.location());
}

void bind_barrier(nb::module_& m, const OpInfo& row) {
  std::string sig =
      std::string("def ") + row.python + "(mem_flags: str = 'mem_threadgroup') -> None";
  m.def(
      row.python,
      [&row](nb::handle flags) {
        Trace& trace = Trace::here(row.python);
        trace.builder.barrier(row.op, mem_flags(trace, flags));
      },
      nb::arg("mem_flags").none() = "mem_threadgroup", nb::sig(sig.c_str()),
      docstring(row).c_str());
}

void bind_values_row(nb::module_& m, const OpInfo& row) {
  switch (row.operands.size()) {
    case 1:
      return bind_apply(m, row, std::make_index_sequence<1>());
    case 2:
      return bind_apply(m, row, std::make_index_sequence<2>());
    case 3:
      return bind_apply(m, row, std::make_index_sequence<3>());
    case 4:
      return bind_apply(m, row, std::make_index_sequence<4>());
    default:
      throw InternalError(std::string("no binding for the operands of ") + row.name);
  }
}

/// Operators have symbols for names, and are bound with IRValue.
bool is_identifier(std::string_view name) {
  return !name.empty() && ((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_');
}

}  // namespace

void bind_operations(nb::module_& m) {
  std::set<std::string_view> done;
  for (const OpInfo& row : all_ops()) {
    if (!is_identifier(row.python) || !done.insert(row.python).second) continue;
    switch (row.shape) {
      case Shape::Map:
      case Shape::Whole:
      case Shape::Lane:
        bind_values_row(m, row);
        break;
      case Shape::Make:
      case Shape::Extract:
      case Shape::Composed:
        break;  // vectors.cpp
      case Shape::Query:
        bind_query(m, row);
        break;
      case Shape::Cast:
        bind_cast(m, row);
        break;
      case Shape::FunctionConstant:
        bind_function_constant(m, row);
        break;
      case Shape::Barrier:
        bind_barrier(m, row);
        break;
      case Shape::Atomic:
      case Shape::SimdMatrix:
        break;  // atomics.cpp, simd_matrices.cpp
      default:
        throw InternalError(std::string("no binding for the shape of ") + row.name);
    }
  }
  m.def("query", &query, nb::arg("name"), nb::arg("dim").none() = 0,
        nb::sig("def query(name: str, dim: " DIM " = 0) -> IRValue"),
        "A grid query by its name; `dim` is its component, where it has three.");
}

}  // namespace enigma
