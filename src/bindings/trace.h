// A kernel while it is traced, the handles that Python code holds of it (IRValue, TracingTensor,
// Tensor, Fragment), and how the binding files take and make them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "bindings.h"
#include "enigma/builder.h"
#include "enigma/tensor.h"

namespace enigma {

class Trace;
struct Tensor;

/// Memory that tensors view: the buffer of a name and an index, which each kernel that uses it
/// declares, or threadgroup memory of one kernel.
struct Storage {
  std::string name;
  DType dtype;
  uint32_t index = 0;
  uint64_t elements = 0;              ///< that a tensor's layout reaches, where that is known
  std::shared_ptr<Trace> trace = {};  ///< of threadgroup memory; else empty, as `memory` is
  ValueId memory = {};
};

/// The builder of one kernel, with what tracing adds to it: the stack of traces of this thread, the
/// place in the user's source, and warnings.
class Trace : public std::enable_shared_from_this<Trace> {
 public:
  explicit Trace(std::string name) : builder(name), kernel(std::move(name)) {}

  Builder builder;
  const std::string kernel;
  std::vector<Warning> warnings;
  bool ended = false;  ///< finish() has given the module away

  /// The memory behind a tensor; a buffer is declared when it is first used.
  ValueId memory(const Storage& storage);

  /// Tells the parameter indices of the sizes that only a run knows, and the buffers that may have
  /// them: those whose arrays are checked against them.
  void set_sizes(std::map<std::string, uint32_t> indices, std::set<uint32_t> buffers);
  /// Makes parameters of symbols. Error for those that set_sizes() did not tell.
  void declare(const std::vector<Symbol>& symbols);
  /// Declares what the views of a tensor need, where its sizes are not all known.
  void use(const Tensor& t);

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

  struct Buffer {
    std::string name;
    DType dtype;
    ValueId memory;
  };
  std::map<uint32_t, Buffer> buffers_;  // of tensors, by index
  std::map<std::string, uint32_t> sizes_;
  std::set<uint32_t> sized_;
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

/// enigma.Tensor: a view of some storage; without storage its elements are coordinates.
struct Tensor {
  std::shared_ptr<const Storage> storage;
  View view;
  std::shared_ptr<Trace> trace = {};  ///< of the values in its origin, if there are any
};

/// What load() of a tensor gives: values for its elements.
struct Fragment {
  std::shared_ptr<Trace> trace;
  std::vector<Piece> pieces;
  IntTuple shape;
};

/// Python's operators on values.
struct BinaryOperator {
  const char* symbol;
  const char* method;
  const char* reflected;   ///< nullptr for comparisons, which Python reflects by itself
  const char* operation;   ///< Python name in ops.def
  std::string_view ufunc;  ///< what numpy calls it

  /// == and !=, which object has too: to type checkers they take any operand.
  constexpr bool is_equality() const {
    return std::string_view(symbol) == "==" || std::string_view(symbol) == "!=";
  }
};
struct UnaryOperator {
  const char* method;
  const char* operation;
};
extern const std::span<const BinaryOperator> kBinary;
extern const std::span<const UnaryOperator> kUnary;

/// A new Python object for a value of the trace.
nb::object value_object(Trace& trace, ValueId id);
nb::list value_list(Trace& trace, const std::vector<ValueId>& ids);

/// A component of a vector or a column of a matrix.
nb::object part_of(const IRValue& whole, nb::handle index, const char* what);
/// How many there are; 0 for a number.
int part_count(const IRValue& whole);

/// What Python gave as an operand of `what`: a value of this trace, a number, or a numpy scalar,
/// which becomes a constant of its dtype. Error for anything else.
Operand operand(Trace& trace, nb::handle x, const char* what);
/// The same, but false for an object of a class that may know how to combine itself with a value.
bool try_operand(Trace& trace, nb::handle x, const char* what, Operand& out);
std::vector<Operand> operands(Trace& trace, nb::handle list, const char* what);

/// Python's operators on memory, which is no value: an index that was forgotten. `refuse` says so;
/// left to Python, `A == 3` would be False.
template <class Class, class F>
void refuse_operators(Class& c, const F& refuse) {
  for (const BinaryOperator& op : kBinary) {
    for (const char* method : {op.method, op.reflected}) {
      if (!method) continue;
      const std::string sig =
          std::string("def ") + method + "(self, other: object, /) -> typing.NoReturn";
      c.def(method, refuse, nb::arg("other").none(), nb::sig(sig.c_str()));
    }
  }
  c.def("__hash__", [](nb::handle self) { return reinterpret_cast<intptr_t>(self.ptr()) >> 4; });
}

/// Memory that is alive in this trace; Error otherwise.
const TracingTensor& tensor(Trace& trace, nb::handle x, const char* what);
/// The position in memory that an index means: int, integer value, or a tuple of them for memory
/// with a shape. Error for what can be known to lie outside.
Operand linear_index(Trace& trace, const TracingTensor& t, nb::handle index);
/// Memory with the elements of a matrix, row after row.
struct Matrix {
  TracingTensor memory;  ///< of the shape (rows, pitch), where it is one of two dimensions
  int64_t columns = 0;   ///< then: of the pitch elements of a row, those that are the matrix's
};
/// What tensor() takes, or a tensor that lies there row after row: (M, N):(pitch, 1), or elements
/// side by side. Error for other layouts.
Matrix matrix_in(Trace& trace, nb::handle x, const char* what);
/// An element: memory and the index in it, and whether a tensor has it, where that is not certain.
struct Place {
  ValueId memory;
  Operand index;
  std::optional<Operand> exists = {};
};
/// The same of a TracingTensor or a Tensor.
Place place(Trace& trace, nb::handle memory, nb::handle index, const char* what);
/// The memory that a tensor views; Error for one of another trace, and for an identity tensor.
ValueId memory_of(Trace& trace, const Tensor& t, const char* what);
/// The same as place() of a tensor.
Place place_in(Trace& trace, const Tensor& t, nb::handle index);
/// What is said of a tensor where a value is needed.
std::string no_value(const Tensor& t);
nb::object threadgroup_tensor(Trace& trace, DType dtype, const AnyLayout& layout);

/// Error unless a fragment is of this trace.
void check_kernel(Trace& trace, const Fragment& f, const char* what);
/// Whether one of two shapes has the sizes of the other, perhaps with modes of modes; ((4,8)) and
/// (4,(8)) are (4,8).
bool agree(IntTuple a, IntTuple b);
/// The result of an operation on what Python gave; where there are fragments among it, a fragment
/// of the results for each element, the other operands being the same for all. `takes_vectors`: the
/// operation works on each component of vectors, given with numbers.
nb::object elementwise(Trace& trace, const char* what, std::span<const nb::handle> x,
                       const std::function<ValueId(Operands)>& operation, bool takes_vectors);
nb::object make_tensor(Trace& trace, ValueId id, std::string name, std::vector<int64_t> shape,
                       Operand offset = 0);
/// The sizes of threadgroup memory that `user` was given, and their product; Error for others.
std::vector<int64_t> shape_of(Trace& trace, nb::handle size, const std::string& user);
int64_t count_of(Trace& trace, const std::vector<int64_t>& shape, const std::string& user);

}  // namespace enigma
