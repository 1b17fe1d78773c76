// What compiling gives to Python: a compiled kernel, with what its direct calls share.
#pragma once

#include <memory>

#include "bindings.h"
#include "enigma/runtime.h"
#include "program.h"

namespace enigma {

/// An artifact or a program, and the prepared kernel that the last direct call left for the next
/// one, bound to nothing.
struct Compiled {
  std::shared_ptr<const Artifact> artifact;
  Program program;     ///< of a jit function, whose face the artifact is; else empty
  nb::object runtime;  ///< of `prepared`; declared before it, since it must go last
  std::shared_ptr<Prepared> prepared;
};

/// Slots for a class that has members `runtime` and `prepared`: the garbage collector sees that it
/// holds the runtime, whose compiler is a Python function, and through that all that the function
/// sees.
template <class T>
struct RuntimeHolder {
  static int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    if (nb::inst_ready(self)) Py_VISIT(nb::inst_ptr<T>(self)->runtime.ptr());
    return 0;
  }
  static int clear(PyObject* self) {
    T* held = nb::inst_ptr<T>(self);
    held->prepared.reset();
    held->runtime.reset();
    return 0;
  }
  static inline PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                                       {0, nullptr}};
};

}  // namespace enigma
