// Sizes that only a run knows, as Python has them, and where a call finds their values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bindings.h"
#include "enigma/tensor.h"

namespace enigma {

#define ENIGMA_SYMBOLIC "int | SymInt"

/// An int where it is known, else a SymInt.
nb::object to_python(const Size& s);
/// From an int or a SymInt; `what` names it in errors.
Size size_in(nb::handle x, const std::string& what);
/// Whether there is a SymInt in a nested tuple.
bool has_symbols(nb::handle x);
/// From a tuple of ints and SymInts.
std::vector<Size> sizes_in(nb::handle x, const std::string& what);
/// The modes of a tensor with this shape and this stride.
std::vector<Axis> axes_in(nb::handle shape, nb::handle stride, const std::string& tensor);
/// Whether it is a pair of tuples.
bool is_pair(nb::handle x);

/// The symbols of a jit function's tensors, which are parameters of what is compiled, and how the
/// arrays of a call give their values.
class Sizes {
 public:
  /// `tensors` are those whose sizes are not all known, by the numbers of their parameters.
  struct Sized {
    uint32_t param;
    View view;
  };
  Sizes() = default;
  Sizes(std::string kernel, const std::vector<ParamInfo>& params, std::vector<Sized> tensors);

  bool empty() const { return params_.empty(); }
  size_t count() const { return params_.size(); }
  /// The numbers of the parameters that are sizes.
  const std::vector<uint32_t>& params() const { return params_; }
  bool is_size(uint32_t param) const;

  /// An array of a parameter: its shape, where it has one, and how many elements it has.
  struct Array {
    uint32_t param;
    std::optional<std::vector<int64_t>> shape;
    uint64_t elements;
  };
  /// The values of the symbols, in the order of params(): those given (by SymInt's name), and those
  /// of the arrays' shapes. Error where they are missing, disagree, or do not fit the arrays.
  std::vector<int64_t> solve(const std::vector<Array>& arrays, nb::handle given) const;
  /// By the names of the symbols.
  nb::dict named(const std::vector<int64_t>& values) const;
  /// Error unless an array fits the values.
  void check(const Array& array, const std::vector<int64_t>& values) const;
  /// The value of a size.
  int64_t value(const Size& s, const std::vector<int64_t>& values) const;

 private:
  size_t index_of(const Symbol& s) const;
  void check(const Symbol& symbol, int64_t is, const std::string& source) const;
  void check(const Sized& t, const Array& array, const std::vector<int64_t>& values) const;
  [[noreturn]] void fail(const std::string& message) const;
  void read(const Sized& t, const std::vector<int64_t>& shape, std::vector<int64_t>& values,
            std::vector<std::string>& sources) const;

  std::string kernel_;
  std::vector<Symbol> symbols_;
  std::vector<uint32_t> params_;  // of the symbols
  std::vector<Sized> tensors_;
};

/// The shape of what has one: a tuple of ints named `shape`.
std::optional<std::vector<int64_t>> shape_of_array(nb::handle x);

}  // namespace enigma
