// Arrays and numbers as arguments: checks before anything runs, and no copy where none is needed.
#include "arrays.h"

#include <nanobind/ndarray.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <type_traits>

namespace enigma {
namespace {

std::string advice(DType to) {
  return to == DType::BF16 ? ".astype(ml_dtypes.bfloat16)"
         : to == DType::B1 ? ".astype(np.bool_)"
                           : std::string(".astype(np.") + info(to).numpy + ")";
}

void check_dtype(const Artifact& kernel, const ParamInfo& param, nb::handle x,
                 const std::string& given) {
  const DTypeInfo& expected = info(param.dtype);
  if (given == expected.numpy) return;
  std::string fix = param.dtype == DType::BF16 && given == "uint16" ? ".view(ml_dtypes.bfloat16)"
                                                                    : advice(param.dtype);
  bool numpys = attribute(x, "astype").is_valid();  // torch's tensors and bytes have no such method
  refuse(kernel, param,
         std::string("expected an array of ") + expected.numpy + ", but got one of " + given +
             (numpys ? "; convert it with " + fix
                     : std::string("; convert it to ") + expected.numpy + " first"));
}

/// The numpy name of a buffer's element format, "" when no numpy type of one field has it.
std::string dtype_name(const Py_buffer& view) {
  std::string_view format = view.format ? view.format : "B";
  bool swapped = false;
  if (!format.empty() && std::string_view("@=<>!").find(format[0]) != std::string_view::npos) {
    swapped = (format[0] == '>' || format[0] == '!') && view.itemsize > 1;
    format.remove_prefix(1);
  }
  if (format.size() != 1) return "";
  std::string bits = std::to_string(view.itemsize * 8);
  std::string name;
  switch (format[0]) {
    case '?':
      name = "bool";
      break;
    case 'e':
    case 'f':
    case 'd':
    case 'g':
      name = "float" + bits;
      break;
    case 'b':
    case 'h':
    case 'i':
    case 'l':
    case 'q':
    case 'n':
      name = "int" + bits;
      break;
    case 'B':
    case 'H':
    case 'I':
    case 'L':
    case 'Q':
    case 'N':
      name = "uint" + bits;
      break;
    default:
      return "";
  }
  return swapped ? "byte-swapped " + name : name;
}

/// Whether a buffer's format is the expected type; the way without strings.
bool has_format(const Py_buffer& view, DType t) {
  const char* f = view.format ? view.format : "B";
  if (*f == '@' || *f == '=' || *f == '<') ++f;
  if (!*f || f[1] || view.itemsize != byte_size(t)) return false;
  const char* known = "";
  switch (info(t).kind) {
    case DTypeKind::Float:
      known = t == DType::BF16 ? "" : t == DType::F16 ? "e" : "f";
      break;
    case DTypeKind::Signed:
      known = "bhilqn";
      break;
    case DTypeKind::Unsigned:
      known = "BHILQN";
      break;
    case DTypeKind::Bool:
      known = "?";
      break;
  }
  return std::strchr(known, *f) != nullptr;
}

/// The dtype's name, for an object that has a numpy dtype; "" otherwise.
std::string numpy_name(nb::handle x) {
  nb::object dtype = attribute(x, "dtype");
  if (!dtype.is_valid()) return "";
  nb::object name = attribute(dtype, "name");
  return name.is_valid() && PyUnicode_Check(name.ptr()) ? nb::cast<std::string>(name) : "";
}

void check_memory(const Artifact& kernel, const ParamInfo& param, bool contiguous, bool readonly,
                  const Lent& lent) {
  if (!contiguous) {
    refuse(kernel, param,
           param.written
               ? "the kernel writes this array, but it is not C-contiguous; pass one that "
                 "is, and copy the result from there"
               : "the array is not C-contiguous; pass np.ascontiguousarray(...) of it");
  }
  if (lent.bytes == 0) refuse(kernel, param, "the array is empty");
  if (readonly) {
    refuse(kernel, param, "the kernel writes this array, but it is read-only; pass a copy of it");
  }
  if (reinterpret_cast<uintptr_t>(lent.data) % static_cast<size_t>(byte_size(param.dtype))) {
    refuse(kernel, param, "the array's memory is not aligned to its elements; pass a copy of it");
  }
}

void lend_buffer(const Artifact& kernel, const ParamInfo& param, nb::handle x, bool writes,
                 bool is_bf16, Lent& out) {
  out.data = out.view.buf;
  out.bytes = static_cast<size_t>(out.view.len);
  if (!is_bf16 && !has_format(out.view, param.dtype)) {
    std::string name = dtype_name(out.view);
    if (name.empty()) name = numpy_name(x);
    if (name.empty()) name = std::string("format '") + out.view.format + "'";
    check_dtype(kernel, param, x, name);
  }
  check_memory(kernel, param, PyBuffer_IsContiguous(&out.view, 'C'), writes && out.view.readonly,
               out);
}

std::string dlpack_name(nb::dlpack::dtype t) {
  const char* kind = "";
  switch (static_cast<nb::dlpack::dtype_code>(t.code)) {
    case nb::dlpack::dtype_code::Int:
      kind = "int";
      break;
    case nb::dlpack::dtype_code::UInt:
      kind = "uint";
      break;
    case nb::dlpack::dtype_code::Float:
      kind = "float";
      break;
    case nb::dlpack::dtype_code::Bfloat:
      kind = "bfloat";
      break;
    case nb::dlpack::dtype_code::Bool:
      return "bool";
    default:
      return "another kind of dtype";
  }
  return kind + std::to_string(t.bits) + (t.lanes > 1 ? " vectors" : "");
}

/// The array of another framework behind __dlpack__; false when it cannot be had in this form. Asks
/// for the capsule by itself: nanobind would hold the object too, where no garbage collector sees
/// it.
template <class Array>
bool from_dlpack(const Artifact& kernel, const ParamInfo& param, nb::handle x, Array& out) {
  nb::object method = x.attr("__dlpack__");
  nb::dict versioned;
  versioned["max_version"] = nb::make_tuple(1, 1);
  nb::tuple none;
  nb::object capsule = nb::steal(PyObject_Call(method.ptr(), none.ptr(), versioned.ptr()));
  if (!capsule.is_valid() && PyErr_ExceptionMatches(PyExc_TypeError)) {  // an older producer
    PyErr_Clear();
    capsule = nb::steal(PyObject_CallObject(method.ptr(), nullptr));
  }
  if (!capsule.is_valid()) {
    nb::python_error raised;
    refuse(kernel, param,
           "no array can be had by DLPack from " + describe(x) + ": " +
               nb::cast<std::string>(nb::str(raised.value())));
  }
  return nb::try_cast(capsule, out, false);
}

void lend_dlpack(const Artifact& kernel, const ParamInfo& param, nb::handle x, bool writes,
                 Lent& out) {
  nb::ndarray<nb::ro> array;
  nb::ndarray<> writable;
  bool readonly = writes && !from_dlpack(kernel, param, x, writable);
  if ((!writes || readonly) && !from_dlpack(kernel, param, x, array)) {
    refuse(kernel, param, "no array can be had from " + describe(x) + " by DLPack");
  }
  auto take = [&](const auto& a) {
    using Array = std::remove_cvref_t<decltype(a)>;
    if (a.device_type() != nb::device::cpu::value) {
      refuse(kernel, param, "the array lies on another device; move it to the CPU first");
    }
    check_dtype(kernel, param, x, dlpack_name(a.dtype()));
    bool contiguous = true;
    int64_t stride = 1;
    for (size_t i = a.ndim(); i-- > 0;) {
      if (a.shape(i) != 1 && a.stride(i) != stride) contiguous = false;
      stride *= static_cast<int64_t>(a.shape(i));
    }
    out.data = const_cast<void*>(static_cast<const void*>(a.data()));
    out.bytes = a.nbytes();
    check_memory(kernel, param, contiguous, readonly, out);
    // The memory may be a temporary of the producer's: what we imported keeps it.
    out.owner = nb::capsule(new Array(a), [](void* p) noexcept { delete static_cast<Array*>(p); })
                    .release()
                    .ptr();
  };
  if (writes && !readonly) {
    take(writable);
  } else {
    take(array);
  }
}

/// A double rounded to nearest even in a format of `precision` bits (the hidden one counted) whose
/// smallest normal exponent is `least`; the bits without the sign.
uint32_t small_float(double magnitude, int precision, int least, uint32_t infinity) {
  if (std::isnan(magnitude)) return infinity | 1u << (precision - 2);
  if (std::isinf(magnitude)) return infinity;
  if (magnitude == 0) return 0;
  int exponent = std::max(std::ilogb(magnitude), least);
  auto mantissa =
      static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, precision - 1 - exponent)));
  // A mantissa that was rounded up to the next power of two carries into the exponent.
  return std::min(infinity,
                  (static_cast<uint32_t>(exponent - least) << (precision - 1)) + mantissa);
}

// `fail(message)` throws: numbers are given for parameters and for function constants.
template <class Fail>
uint64_t integer_bits(DType dtype, nb::handle x, const Fail& fail) {
  nb::object integer = nb::borrow(x);
  if (PyFloat_Check(x.ptr())) {
    double value = PyFloat_AsDouble(x.ptr());
    if (std::trunc(value) != value || std::isinf(value)) {
      fail(std::string("expected an integer (") + info(dtype).mnemonic + "), but got " +
           describe(x));
    }
    integer = nb::steal(PyLong_FromDouble(value));
  }
  int bits = dtype == DType::B1 ? 1 : info(dtype).bits;
  int overflow = 0;
  int64_t value = PyLong_AsLongLongAndOverflow(integer.ptr(), &overflow);
  bool fits = false;
  auto out = static_cast<uint64_t>(value);
  if (is_signed(dtype)) {
    int64_t most = INT64_MAX >> (64 - bits);
    fits = !overflow && value <= most && value >= -most - 1;
  } else {
    if (overflow > 0) {
      out = PyLong_AsUnsignedLongLong(integer.ptr());
      overflow = PyErr_Occurred() ? 1 : 0;
      PyErr_Clear();
      fits = !overflow && bits == 64;
    } else {
      fits = !overflow && value >= 0 && (bits == 64 || out >> bits == 0);
    }
  }
  if (!fits) {
    fail(nb::cast<std::string>(nb::str(integer)) + " does not fit " + info(dtype).numpy);
  }
  return out;
}

template <class Fail>
uint64_t float_bits(DType dtype, nb::handle x, const Fail& fail) {
  double value = PyFloat_AsDouble(x.ptr());
  if (value == -1 && PyErr_Occurred()) {  // an int above the range of double
    PyErr_Clear();
    value = HUGE_VAL;
  }
  uint64_t bits = 0;
  bool overflow = false;
  if (dtype == DType::F32) {
    auto f = static_cast<float>(value);
    uint32_t raw = 0;
    std::memcpy(&raw, &f, sizeof raw);
    bits = raw;
    overflow = std::isinf(f);
  } else {
    bool half = dtype == DType::F16;
    uint32_t infinity = half ? 0x7c00 : 0x7f80;
    bits = small_float(std::fabs(value), half ? 11 : 8, half ? -14 : -126, infinity);
    overflow = bits == infinity;
    if (std::signbit(value)) bits |= 0x8000;
  }
  bool infinite = PyFloat_Check(x.ptr()) && std::isinf(value);
  if (overflow && !infinite) {
    fail(describe(x) + " does not fit " + info(dtype).numpy);
  }
  return bits;
}

template <class Fail>
uint64_t number_bits(DType dtype, nb::handle x, const Fail& fail) {
  nb::object number = nb::borrow(x);
  if (!PyFloat_CheckExact(x.ptr()) && !PyLong_Check(x.ptr())) {
    nb::object item = attribute(x, "item");  // numpy scalars; arrays and tensors of one element
    if (item.is_valid()) {
      number = nb::steal(PyObject_CallObject(item.ptr(), nullptr));
      if (!number.is_valid()) {
        PyErr_Clear();
        fail("expected one number, but got " + describe(x));
      }
    }
  }
  if (!PyFloat_Check(number.ptr()) && !PyLong_Check(number.ptr())) {
    fail(std::string("expected a number (") + info(dtype).mnemonic + "), but got " + describe(x));
  }
  return is_float(dtype) ? float_bits(dtype, number, fail) : integer_bits(dtype, number, fail);
}

}  // namespace

uint64_t scalar_bits(const Artifact& kernel, uint32_t index, nb::handle x) {
  const ParamInfo& param = kernel.params[index];
  return number_bits(param.dtype, x,
                     [&](const std::string& message) { refuse(kernel, param, message); });
}

std::vector<ConstantValue> constant_values(const Artifact& kernel, nb::dict constants) {
  std::vector<ConstantValue> values;
  for (auto [key, x] : constants) {
    int64_t index = -1;
    if (!to_int64(key, index) || index < 0 || index > UINT32_MAX) {
      throw Error("kernel '" + kernel.kernel_name + "': constants has the key " + describe(key) +
                  ", which is no index of a function constant");
    }
    ConstantValue value{static_cast<uint32_t>(index), DType::I32, 0};
    for (const ConstantInfo& c : kernel.constants) {
      if (c.index != value.index) continue;
      value.dtype = c.dtype;
      const uint64_t bits = number_bits(c.dtype, x, [&](const std::string& message) {
        throw Error("kernel '" + kernel.kernel_name + "', function constant " +
                    std::to_string(c.index) + (c.name.empty() ? "" : " '" + c.name + "'") + ": " +
                    message);
      });
      value.bits = bits & UINT64_MAX >> (64 - info(c.dtype).bits);  // a negative number has more
    }
    values.push_back(value);  // of a constant that the kernel lacks too: the runtime names it
  }
  return values;
}

void refuse(const Artifact& kernel, const ParamInfo& param, const std::string& message) {
  throw Error("kernel '" + kernel.kernel_name + "', parameter '" + param.name + "': " + message);
}

void check_count(const Artifact& kernel, size_t given, const std::vector<uint32_t>& left_out) {
  if (given + left_out.size() == kernel.params.size()) return;
  std::vector<std::string> names;
  for (uint32_t p = 0; p < kernel.params.size(); ++p) {
    if (std::find(left_out.begin(), left_out.end(), p) != left_out.end()) continue;
    names.push_back(kernel.params[p].name);
  }
  throw Error("kernel '" + kernel.kernel_name + "' takes " + std::to_string(names.size()) +
              (names.size() == 1 ? " argument (" : " arguments (") + listed(names) + "), but " +
              std::to_string(given) + (given == 1 ? " was given" : " were given"));
}

void lend(const Artifact& kernel, uint32_t index, nb::handle x, bool in_place, Lent& out) {
  const ParamInfo& param = kernel.params[index];
  bool writes = in_place && param.written;
  out.view.obj = nullptr;
  out.owner = nullptr;
  if (PyObject_CheckBuffer(x.ptr())) {
    // PyBUF_STRIDES, so that we, not the exporter, say what is wrong with a strided array.
    if (PyObject_GetBuffer(x.ptr(), &out.view, PyBUF_FORMAT | PyBUF_STRIDES) == 0) {
      lend_buffer(kernel, param, x, writes, false, out);
      return;
    }
    PyErr_Clear();
    // numpy has no buffer format for ml_dtypes' bfloat16: take its bits.
    std::string name = numpy_name(x);
    if (!name.empty()) check_dtype(kernel, param, x, name);
    nb::object bits = param.dtype == DType::BF16 ? attribute(x, "view") : nb::object();
    if (bits.is_valid()) {
      nb::object u16 = bits("uint16");
      if (PyObject_GetBuffer(u16.ptr(), &out.view, PyBUF_FORMAT | PyBUF_STRIDES) == 0) {
        lend_buffer(kernel, param, x, writes, true, out);
        return;
      }
      throw nb::python_error();
    }
  }
  if (attribute(x, "__dlpack__").is_valid()) return lend_dlpack(kernel, param, x, writes, out);
  refuse(
      kernel, param,
      std::string("expected an array of ") + info(param.dtype).numpy + ", but got " + describe(x));
}

void give_back(Lent& lent) {
  if (lent.view.obj) PyBuffer_Release(&lent.view);
  Py_XDECREF(lent.owner);
}

Arguments::~Arguments() {
  for (size_t i = 0; i < count; ++i) give_back(arrays[i]);
}

void add_argument(Arguments& all, const Artifact& kernel, nb::handle x) {
  auto p = static_cast<uint32_t>(all.count);
  if (kernel.params[p].is_scalar) return add_number(all, kernel, scalar_bits(kernel, p, x));
  Lent& slot = all.arrays[p];
  slot.view.obj = nullptr;
  slot.owner = nullptr;
  ++all.count;  // before the checks, so that what they refuse is given back
  lend(kernel, p, x, true, slot);
}

void add_number(Arguments& all, const Artifact& kernel, uint64_t bits) {
  const size_t p = all.count++;
  all.scalars[p] = bits;
  Lent& slot = all.arrays[p];
  slot.view.obj = nullptr;
  slot.owner = nullptr;
  slot.data = &all.scalars[p];  // little-endian, as every machine that this runs on
  slot.bytes = static_cast<size_t>(byte_size(kernel.params[p].dtype));
}

Binding zeros(size_t bytes) {
  // Whole pages of memory that starts on a page can be given to a GPU without a copy. calloc leaves
  // large memory untouched until it is used.
  const size_t page = bytes < 65536 ? 64 : 16384;
  size_t rounded = (bytes + page - 1) / page * page;
  void* raw = rounded < bytes ? nullptr : std::calloc(1, rounded + page);
  if (!raw) throw Error("an output of " + std::to_string(bytes) + " bytes does not fit in memory");
  auto address = (reinterpret_cast<uintptr_t>(raw) + page - 1) / page * page;
  return {reinterpret_cast<void*>(address), bytes, std::shared_ptr<void>(raw, std::free)};
}

Binding own(const Artifact& kernel, uint32_t index, nb::handle x) {
  const ParamInfo& param = kernel.params[index];
  if (param.is_scalar) {
    auto bits = std::make_shared<uint64_t>(scalar_bits(kernel, index, x));
    return {bits.get(), static_cast<size_t>(byte_size(param.dtype)), bits};
  }
  auto release = [](Lent* lent) {
    // The last binding may go on any thread, and after the interpreter has ended.
    if (nb::is_alive()) {
      nb::gil_scoped_acquire gil;
      give_back(*lent);
    }
    delete lent;
  };
  auto* raw = new Lent;
  raw->view.obj = nullptr;
  raw->owner = nullptr;
  std::shared_ptr<Lent> lent(raw, release);
  lend(kernel, index, x, false, *lent);
  if (!param.written) return {lent->data, lent->bytes, lent};
  Binding copy = zeros(lent->bytes);
  std::memcpy(copy.data, lent->data, lent->bytes);
  return copy;
}

}  // namespace enigma
