// The sizes of a call: read from the shapes of its arrays, and checked against them.
#include "sizes.h"

#include <algorithm>

#include "enigma/limits.h"

namespace enigma {
namespace {

constexpr const char* kGiven = "scalars";  // where a size is known from

std::string shown(const std::vector<int64_t>& shape) {
  std::string out;
  for (int64_t n : shape) out += (out.empty() ? "" : ", ") + std::to_string(n);
  return "(" + out + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace

std::optional<std::vector<int64_t>> shape_of_array(nb::handle x) {
  nb::object shape = attribute(x, "shape");
  if (!shape.is_valid() || !PyTuple_Check(shape.ptr())) return std::nullopt;
  std::vector<int64_t> out;
  for (nb::handle n : shape) {
    if (!to_int64(n, out.emplace_back())) return std::nullopt;
  }
  return out;
}

Sizes::Sizes(std::string kernel, const std::vector<ParamInfo>& params, std::vector<Sized> tensors)
    : kernel_(std::move(kernel)), tensors_(std::move(tensors)) {
  for (const Sized& t : tensors_) {
    for (const Symbol& symbol : symbols(t.view)) {
      if (std::find(symbols_.begin(), symbols_.end(), symbol) == symbols_.end()) {
        symbols_.push_back(symbol);
      }
    }
  }
  for (const Symbol& s : symbols_) {
    auto named = [&](const ParamInfo& p) { return p.name == s.name; };
    auto found = std::find_if(params.begin(), params.end(), named);
    if (found == params.end()) throw InternalError("the size " + s.name + " is no parameter");
    params_.push_back(static_cast<uint32_t>(found - params.begin()));
  }
}

bool Sizes::is_size(uint32_t param) const {
  return std::find(params_.begin(), params_.end(), param) != params_.end();
}

size_t Sizes::index_of(const Symbol& s) const {
  auto found = std::find(symbols_.begin(), symbols_.end(), s);
  if (found == symbols_.end()) throw InternalError("a size " + s.name + " of no tensor");
  return static_cast<size_t>(found - symbols_.begin());
}

void Sizes::fail(const std::string& message) const {
  throw Error("kernel '" + kernel_ + "': " + message);
}

int64_t Sizes::value(const Size& s, const std::vector<int64_t>& values) const {
  return s.at([&](const Symbol& symbol) { return values[index_of(symbol)]; });
}

nb::dict Sizes::named(const std::vector<int64_t>& values) const {
  nb::dict out;
  for (size_t s = 0; s < symbols_.size(); ++s) out[symbols_[s].name.c_str()] = values[s];
  return out;
}

void Sizes::read(const Sized& t, const std::vector<int64_t>& shape, std::vector<int64_t>& values,
                 std::vector<std::string>& sources) const {
  const std::vector<Axis>& axes = t.view.axes;
  for (size_t k = 0; k < axes.size(); ++k) {
    const Symbol* symbol = axes[k].size.symbol();
    if (!symbol) continue;
    const size_t s = index_of(*symbol);
    // A row of elements may be longer than what is used of it.
    if (axes.size() == 1 && sources[s] == kGiven) continue;
    const std::string here = "'" + t.view.name + "' of shape " + shown(shape);
    if (sources[s].empty()) {
      values[s] = shape[k];
      sources[s] = here;
    } else if (values[s] != shape[k]) {
      fail("the size " + symbol->name + " is " + std::to_string(values[s]) + " in " + sources[s] +
           ", but " + std::to_string(shape[k]) + " in " + here +
           "; pass arrays that agree, or give the tensors sizes of their own");
    }
  }
}

std::vector<int64_t> Sizes::solve(const std::vector<Array>& arrays, nb::handle given) const {
  std::vector<int64_t> values(symbols_.size());
  std::vector<std::string> sources(symbols_.size());
  for (size_t s = 0; s < symbols_.size() && !given.is_none(); ++s) {
    nb::object x = nb::borrow(PyDict_GetItemString(given.ptr(), symbols_[s].name.c_str()));
    if (!x.is_valid()) continue;
    if (!to_int64(x, values[s])) {
      fail("the size " + symbols_[s].name + " is given as " + describe(x) + "; give an int");
    }
    sources[s] = kGiven;
  }
  auto array_of = [&](const Sized& t) {
    return std::find_if(arrays.begin(), arrays.end(),
                        [&](const Array& a) { return a.param == t.param; });
  };
  for (const Sized& t : tensors_) {
    auto a = array_of(t);
    if (a == arrays.end() || !a->shape) continue;
    const bool is_row = a->shape->size() == 1;
    if (a->shape->size() != t.view.axes.size()) continue;
    if (is_row && (t.view.base != 0 || !(t.view.axes[0].stride == 1))) continue;
    read(t, *a->shape, values, sources);
  }
  for (size_t s = 0; s < symbols_.size(); ++s) check(symbols_[s], values[s], sources[s]);
  for (const Array& a : arrays) check(a, values);
  return values;
}

void Sizes::check(const Symbol& symbol, int64_t is, const std::string& source) const {
  const auto& [name, multiple] = symbol;
  if (source.empty()) {
    fail("the size " + name + " is not known: give arrays with as many dimensions as the tensors " +
         "have modes, or scalars={\"" + name + "\": ...}");
  }
  const std::string found = "the size " + name + " is " + std::to_string(is) + " in " + source;
  const std::string divisor = std::to_string(multiple);
  if (is < 1 || is > kMaxSize) {
    fail(found + "; it must be from 1 to " + std::to_string(kMaxSize));
  }
  if (is % multiple) {
    fail(found + ", but was declared as a multiple of " + divisor + ": enigma.sym_int(\"" + name +
         "\", divisibility=" + divisor + "); pad the array, or declare a smaller divisibility");
  }
}

void Sizes::check(const Array& array, const std::vector<int64_t>& values) const {
  for (const Sized& t : tensors_) {
    if (t.param == array.param) check(t, array, values);
  }
}

void Sizes::check(const Sized& t, const Array& array, const std::vector<int64_t>& values) const {
  std::vector<int64_t> sizes, strides;
  for (const Axis& a : t.view.axes) {
    sizes.push_back(value(a.size, values));
    strides.push_back(value(a.stride, values));
  }
  const std::string name = "'" + t.view.name + "'";
  const bool is_flat = !array.shape || array.shape->size() == 1;
  if (!is_flat && *array.shape != sizes) {
    fail(name + " is an array of shape " + shown(*array.shape) + " where the tensor's is " +
         shown(sizes));
  }
  __int128 reach = t.view.base + 1;
  int64_t row = 1;
  bool by_rows = true;  // as the elements of an array lie
  for (size_t k = sizes.size(); k-- > 0;) {
    reach += static_cast<__int128>(sizes[k] - 1) * strides[k];
    by_rows = by_rows && (sizes[k] == 1 || strides[k] == row);
    if (by_rows) row *= sizes[k];
  }
  if (reach > int64_t{UINT32_MAX}) {
    fail(name + " of shape " + shown(sizes) + " reaches beyond " + std::to_string(UINT32_MAX) +
         " elements, the most where sizes are known only to a run; give known sizes");
  }
  if (reach > array.elements) {
    fail(name + " has " + std::to_string(array.elements) + " elements, but with the shape " +
         shown(sizes) + " its layout reaches " + std::to_string(static_cast<int64_t>(reach)) +
         "; pass an array of that many");
  }
  if (is_flat || by_rows) return;
  fail(name + " of shape " + shown(sizes) + " has the strides " + shown(strides) +
       ", but the elements of an array lie row by row; pass it flat, with .reshape(-1), and its "
       "sizes as scalars={...}");
}

}  // namespace enigma
