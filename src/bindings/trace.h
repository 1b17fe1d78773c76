// A kernel while it is traced, and the two handles that Python code holds of it: IRValue and
// TracingTensor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bindings.h"
#include "enigma/builder.h"

namespace enigma {

/// The builder of one kernel, with what tracing adds to it: the stack of traces of this thread, the
/// place in the user's source, and warnings.
class Trace : public std::enable_shared_from_this<Trace> {
 public:
  explicit Trace(std::string name) : builder(name), kernel(std::move(name)) {}

  Builder builder;
  const std::string kernel;
  std::vector<Warning> warnings;
  bool ended = false;  ///< finish() has given the module away

  /// Makes this the current trace of this thread, until exit(); traces nest.
  void enter();
  void exit();
  static Trace* current();
  /// The current trace, its location set to the user's line. Error when there is none; `what` is
  /// what the user called.
  static Trace& here(const char* what);
  /// Sets the builder's location to the innermost Python line outside of the enigma package.
  Trace& locate();

  /// After finish(): lets go of what only tracing needs.
  void close();

 private:
  /// Code objects that were met: looking at one is slower than all the rest of locating. They are
  /// held, so that an address means one code object for as long as the trace lasts.
  struct Source {
    nb::object code;
    std::string file;
    bool ours;
  };
  const Source& source(PyObject* code, PyObject* frame);

  std::vector<Source> sources_;
  size_t last_source_ = 0;
  Trace* outer_ = nullptr;
  std::shared_ptr<Trace> self_;  // holds an entered trace
};

/// A value of a kernel. A handle: copying it copies no computation.
struct IRValue {
  std::shared_ptr<Trace> trace;
  ValueId id;
  Type type;
};

/// Memory of a kernel: a parameter's buffer or a threadgroup allocation.
struct TracingTensor {
  std::shared_ptr<Trace> trace;
  ValueId id;
  Type type;
  std::string name;
  std::vector<int64_t> shape;  ///< empty for a buffer, whose size is not known while tracing
  Operand offset = 0;          ///< where its first element lies in the memory `id`
};

/// A new Python object for a value of the trace.
nb::object value_object(Trace& trace, ValueId id);
nb::list value_list(Trace& trace, const std::vector<ValueId>& ids);

/// What Python gave as an operand of `what`: a value of this trace, a number, or a numpy scalar,
/// which becomes a constant of its dtype. Error for anything else.
Operand operand(Trace& trace, nb::handle x, const char* what);
/// The same, but false for an object of a class that may know how to combine itself with a value.
bool try_operand(Trace& trace, nb::handle x, const char* what, Operand& out);
std::vector<Operand> operands(Trace& trace, nb::handle list, const char* what);

/// A tensor that is alive in this trace; Error otherwise.
const TracingTensor& tensor(Trace& trace, nb::handle x, const char* what);
/// The position in memory that an index means: int, integer value, or a tuple of them for memory
/// with a shape. Error for what can be known to lie outside.
Operand linear_index(Trace& trace, const TracingTensor& t, nb::handle index);
nb::object make_tensor(Trace& trace, ValueId id, std::string name, std::vector<int64_t> shape,
                       Operand offset = 0);
/// The sizes of threadgroup memory that `user` was given, and their product; Error for others.
std::vector<int64_t> shape_of(Trace& trace, nb::handle size, const std::string& user);
int64_t count_of(Trace& trace, const std::vector<int64_t>& shape, const std::string& user);

}  // namespace enigma
