// Errors: C++ exceptions become Python's, and every mistake of the user's names the user's line.
#include <vector>

#include "bindings.h"

namespace enigma {
namespace {

/// Raises enigma.EnigmaError(message, filename, lineno).
void raise(const Error& e) {
  try {
    Location where = e.where().line ? e.where() : user_location();
    nb::object type = nb::module_::import_("enigma.errors").attr("EnigmaError");
    nb::object known = where.line ? nb::cast(where.line) : nb::none();
    nb::object file = where.line ? nb::cast(where.file) : nb::none();
    nb::object error = type(e.what(), file, known);
    PyErr_SetObject(type.ptr(), error.ptr());
  } catch (nb::python_error& failed) {
    failed.restore();  // the class itself cannot be had: say that, rather than nothing
  }
}

}  // namespace

bool is_ours(PyObject* frame) {
  nb::object globals = attribute(frame, "f_globals");
  if (!globals.is_valid() || !PyDict_Check(globals.ptr())) return false;
  PyObject* name = PyDict_GetItemString(globals.ptr(), "__name__");
  if (!name || !PyUnicode_Check(name)) return false;
  std::string_view module = nb::borrow<nb::str>(name).c_str();
  return module == "enigma" || module.starts_with("enigma.");
}

Location user_location() {
  nb::object frame = nb::borrow(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame.is_valid() && !frame.is_none()) {
    if (!is_ours(frame.ptr())) {
      auto* raw = reinterpret_cast<PyFrameObject*>(frame.ptr());
      nb::object code = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(raw)));
      int line = PyFrame_GetLineNumber(raw);
      if (line <= 0) return {};
      return {nb::cast<std::string>(code.attr("co_filename")), static_cast<uint32_t>(line)};
    }
    frame = attribute(frame, "f_back");
  }
  return {};
}

std::string describe(nb::handle object) {
  std::string type = nb::cast<std::string>(object.type().attr("__name__"));
  if (type == "nb_func") {  // one of ours, which gives a value when it is called
    const auto name = nb::cast<std::string>(object.attr("__name__"));
    return "the function " + name + "; call it: " + name + "()";
  }
  nb::object text = nb::steal(PyObject_Repr(object.ptr()));
  if (!text.is_valid()) {
    PyErr_Clear();
    return type;
  }
  std::string shown = nb::cast<std::string>(text);
  if (shown.size() > 60 || shown.find('\n') != std::string::npos)
    return "an object of type " + type;
  return object.is_none() ? shown : shown + " (" + type + ")";
}

std::string listed(const std::vector<std::string>& names, const char* last) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i) out += i + 1 == names.size() ? std::string(" ") + last + " " : ", ";
    out += names[i];
  }
  return out;
}

nb::object attribute(nb::handle object, const char* name) {
  PyObject* found = PyObject_GetAttrString(object.ptr(), name);
  if (!found) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) throw nb::python_error();
    PyErr_Clear();
  }
  return nb::steal(found);
}

void bind_errors(nb::module_&) {
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const Error& e) {
      raise(e);
    } catch (const InternalError& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
    }
  });
}

}  // namespace enigma
