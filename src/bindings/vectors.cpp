// Vectors and matrices: functions that make them of their parts, and the parts of an IRValue.
#include <string>

#include "trace.h"

namespace enigma {
namespace {

/// make_float2 and the like: the components as floats.
void bind_make_float(nb::module_& m, int components) {
  const std::string name = "make_float" + std::to_string(components);
  const std::string sig = "def " + name + "(*parts: " ENIGMA_VALUE ") -> IRValue";
  const std::string doc = "A vector of " + std::to_string(components) +
                          " floats, which are numbers or the components of vectors; one number "
                          "alone is all of them.";
  m.def(
      name.c_str(),
      [name, type = Type::vector(DType::F32, components)](nb::args parts) {
        Trace& trace = Trace::here(name.c_str());
        std::vector<Operand> given = operands(trace, parts, name.c_str());
        return value_object(trace, trace.builder.make_vec(type, given));
      },
      nb::sig(sig.c_str()), doc.c_str());
}

/// Packing takes a vector or its components, unpacking a uint.
void bind_composed(nb::module_& m, const OpInfo& row) {
  const bool packs = row.operands != "u";
  const std::string sig = std::string("def ") + row.python +
                          (packs ? "(*parts: " ENIGMA_VALUE : "(x: " ENIGMA_VALUE) + ") -> IRValue";
  if (packs) {
    m.def(
        row.python,
        [&row](nb::args parts) {
          Trace& trace = Trace::here(row.python);
          const std::vector<nb::handle> given(parts.begin(), parts.end());
          return elementwise(
              trace, row.python, given, [&](Operands o) { return trace.builder.apply(row.op, o); },
              false);
        },
        nb::sig(sig.c_str()), row.doc);
  } else {
    m.def(
        row.python,
        [&row](nb::handle x) {
          Trace& trace = Trace::here(row.python);
          const Operand word[] = {operand(trace, x, row.python)};
          return value_object(trace, trace.builder.apply(row.op, word));
        },
        nb::arg("x").none(), nb::sig(sig.c_str()), row.doc);
  }
}

}  // namespace

nb::object part_of(const IRValue& whole, nb::handle index, const char* what) {
  Trace& trace = Trace::here(what);
  Operand self = operand(trace, nb::cast(whole), what);
  return value_object(trace,
                      trace.builder.extract(std::get<ValueId>(self), operand(trace, index, what)));
}

int part_count(const IRValue& whole) {
  const Type t = whole.type;
  return t.is_scalar() ? 0 : t.is_matrix() ? t.cols : t.rows;
}

void bind_vectors(nb::module_& m) {
  const OpInfo &make = info(Op::MakeVec), &extract = info(Op::VecExtract);
  m.def(
      make.python,
      [](nb::args parts) {
        Trace& trace = Trace::here("make_vec");
        return value_object(trace, trace.builder.make_vec(operands(trace, parts, "make_vec")));
      },
      nb::sig("def make_vec(*parts: " ENIGMA_VALUE ") -> IRValue"), make.doc);
  for (int components : {2, 3, 4}) bind_make_float(m, components);
  const OpInfo& columns = info(Op::MakeMatrix);
  m.def(
      columns.python,
      [](nb::args parts) {
        Trace& trace = Trace::here("make_matrix");
        return value_object(trace,
                            trace.builder.make_matrix(operands(trace, parts, "make_matrix")));
      },
      nb::sig("def make_matrix(*columns: IRValue) -> IRValue"), columns.doc);
  for (const OpInfo& row : all_ops()) {
    if (row.shape == Shape::Composed) bind_composed(m, row);
  }
  m.attr("unpack_unorm4x8_srgb_to_float") =
      m.attr("unpack_srgb_unorm4x8_to_float");  // Metal's name
  m.def(
      extract.python,
      [](const IRValue& v, nb::handle index) { return part_of(v, index, "vec_extract"); },
      nb::arg("v"), nb::arg("index").none(),
      nb::sig("def vec_extract(v: IRValue, index: " ENIGMA_VALUE ") -> IRValue"), extract.doc);
}

}  // namespace enigma
