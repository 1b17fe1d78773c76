// The operation table as Python records, for the tests and pages that are made from its rows.
#include <nanobind/stl/vector.h>

#include <utility>

#include "bindings.h"

namespace enigma {
namespace {

std::vector<std::string> flag_names(const OpInfo& row) {
  constexpr std::pair<uint16_t, const char*> kFlags[] = {
      {flag::READ, "READ"},         {flag::WRITE, "WRITE"}, {flag::SYNC, "SYNC"},
      {flag::COMMUTES, "COMMUTES"}, {flag::WRAPS, "WRAPS"}, {flag::GRID, "GRID"},
      {flag::GROUP, "GROUP"},       {flag::SIMD, "SIMD"},   {flag::XYZ, "XYZ"},
      {flag::WORDS, "WORDS"}};
  std::vector<std::string> names;
  for (const auto& [bit, name] : kFlags) {
    if (row.has(bit)) names.emplace_back(name);
  }
  return names;
}

}  // namespace

void bind_table(nb::module_& m) {
  nb::class_<OpInfo>(m, "Operation", "A row of the operation table, include/enigma/ops.def.")
      .def_ro("name", &OpInfo::name, "The enumerator: AddF.")
      .def_ro("mnemonic", &OpInfo::mnemonic, "The name in the textual IR: arith.addf.")
      .def_ro("shape", &OpInfo::shape_name, "What code handles it: Map, Cast, Lane, ...")
      .def_ro("operands", &OpInfo::operands, "A letter for each operand, as ops.def explains.")
      .def_prop_ro(
          "result", [](const OpInfo& row) { return std::string(1, row.result); },
          "The letter of the result.")
      .def_prop_ro("flags", &flag_names, "The names in its column of flags.")
      .def_prop_ro("msl", &msl_text, "Its MSL for x, y, ...; empty where that is written by hand.")
      .def_ro("python", &OpInfo::python, "Its name or symbol in Python, or nothing.")
      .def_ro("doc", &OpInfo::doc, "What it gives, also at the edges.")
      .def_prop_ro("signature", &signature_text, "As messages show it: sqrt(float) -> float.");
  m.def(
      "operations",
      [] {
        nb::list rows;
        for (const OpInfo& row : all_ops()) {
          rows.append(nb::cast(&row, nb::rv_policy::reference));
        }
        return rows;
      },
      nb::sig("def operations() -> list[Operation]"), "The rows of the operation table.");
}

}  // namespace enigma
