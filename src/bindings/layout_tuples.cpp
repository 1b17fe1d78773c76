// The functions on nested tuples of ints, which the module enigma.tuple offers.
#include "layouts.h"
#include "sizes.h"

namespace enigma {
namespace {

/// A nested tuple of ints, or the shape of a layout.
IntTuple shape_of(nb::handle x, const char* what) {
  if (const Layout* l = as_layout(x)) return l->shape();
  if (const SwizzledLayout* s = as_swizzled(x)) return s->layout.shape();
  return int_tuple(x, what);
}

template <class F>
void define_test(nb::module_& m, const char* name, const char* doc, F f) {
  std::string sig = std::string("def ") + name +
                    "(a: Layout | " ENIGMA_INT_TUPLE ", b: Layout | " ENIGMA_INT_TUPLE ") -> bool";
  m.def(
      name,
      [name = std::string(name), f](nb::handle a, nb::handle b) {
        return f(shape_of(a, (name + ": a").c_str()), shape_of(b, (name + ": b").c_str()));
      },
      nb::arg("a"), nb::arg("b"), nb::sig(sig.c_str()), doc);
}

/// f(a, b) on two tuples, with the names that its arguments have in Python.
template <class F>
void define_pair(nb::module_& m, const char* name, const char* a, const char* b, const char* result,
                 const char* doc, F f) {
  std::string sig = std::string("def ") + name + "(" + a + ": " ENIGMA_INT_TUPLE ", " + b +
                    ": " ENIGMA_INT_TUPLE ") -> " + result;
  m.def(
      name,
      [name = std::string(name), a, b, f](nb::handle x, nb::handle y) {
        return to_python(IntTuple(
            f(int_tuple(x, (name + ": " + a).c_str()), int_tuple(y, (name + ": " + b).c_str()))));
      },
      nb::arg(a), nb::arg(b), nb::sig(sig.c_str()), doc);
}

int64_t known_int(nb::handle x) {
  int64_t n = 0;
  if (to_int64(x, n)) return n;
  throw Error("ceil_div: a size is divided by an int, but b is " + describe(x));
}

}  // namespace

void bind_tuple_functions(nb::module_& m) {
  m.def(
      "flatten",
      [](nb::handle t) -> nb::object {
        if (const Layout* l = as_layout(t)) {
          Nested<Mode> flat = Nested<Mode>::blank();
          if (!l->modes().is_tuple()) return nb::cast(*l);
          flat.open();
          for (const Mode& mode : l->leaves()) flat.push(mode);
          return nb::cast(Layout(std::move(flat.close())));
        }
        return to_python(flatten(int_tuple(t, "flatten: the tuple", true)));
      },
      nb::arg("t").none(),
      nb::sig("@overload\ndef flatten(t: Layout) -> Layout: ...\n"
              "@typing.overload\ndef flatten(t: " ENIGMA_INT_TUPLE ") -> typing.Any"),
      R"(All leaves in one tuple.

>>> flatten((4, (2, 8)))
(4, 2, 8))");
  m.def(
      "product", [](nb::handle t) { return product(shape_of(t, "product: the tuple")); },
      nb::arg("t"), nb::sig("def product(t: Layout | " ENIGMA_INT_TUPLE ") -> int"),
      R"(The product of all leaves.

>>> product((4, (2, 8)))
64)");
  m.def(
      "product_each",
      [](nb::handle t) { return to_python(product_each(int_tuple(t, "product_each: the tuple"))); },
      nb::arg("t"), nb::sig("def product_each(t: " ENIGMA_INT_TUPLE ") -> typing.Any"),
      R"(The product of each element.

>>> product_each((4, (2, 8)))
(4, 16))");
  define_pair(m, "inner_product", "a", "b", "int", R"(The sum of the products of paired leaves.

>>> inner_product((1, (2, 3)), (10, (20, 30)))
140)",
              inner_product);
  m.def(
      "ceil_div",
      [](nb::handle a, nb::handle b) {
        if (nb::isinstance<Size>(a)) {
          return to_python(ceil_div(nb::cast<const Size&>(a), known_int(b)));
        }
        return to_python(ceil_div(int_tuple(a, "ceil_div: a"), int_tuple(b, "ceil_div: b")));
      },
      nb::arg("a"), nb::arg("b"),
      nb::sig("def ceil_div(a: " ENIGMA_INT_TUPLE " | SymInt, b: " ENIGMA_INT_TUPLE
              ") -> typing.Any"),
      R"(a / b, rounded up, by pairs of elements; a may be a size of sym_int.

>>> ceil_div((10, 12), (4, 4))
(3, 3))");
  define_pair(m, "shape_div", "a", "b", "typing.Any",
              R"(a / b, where one divides the other, at least 1; an int b is used up from the left.

>>> shape_div((6, 2), 12)
(1, 1))",
              shape_div);
  define_pair(
      m, "compact_order", "shape", "order", "typing.Any",
      R"(Strides without gaps; the mode with the smallest order is innermost.

>>> compact_order((2, 3, 4), (2, 0, 1))
(12, 1, 3))",
      [](const IntTuple& shape, const IntTuple& order) { return compact_order(shape, order); });
  auto major = [&m](const char* name, auto f, const char* doc) {
    m.def(
        name,
        [name, f](nb::handle shape, int64_t current) {
          return to_python(
              f(int_tuple(shape, (std::string(name) + ": the shape").c_str()), current));
        },
        nb::arg("shape"), nb::arg("current") = 1,
        nb::sig((std::string("def ") + name +
                 "(shape: " ENIGMA_INT_TUPLE ", current: int = 1) -> typing.Any")
                    .c_str()),
        doc);
  };
  major("compact_col_major", compact_col_major, R"(Strides without gaps, the first mode innermost.

>>> compact_col_major((2, (3, 4)))
(1, (2, 6)))");
  major("compact_row_major", compact_row_major, R"(Strides without gaps, the last mode innermost.

>>> compact_row_major((2, (3, 4)))
(12, (4, 1)))");
  m.def(
      "crd2idx",
      [](nb::handle coord, nb::handle shape, nb::handle stride) {
        IntTuple c = int_tuple(coord, "crd2idx: the coordinate", true);
        IntTuple s = int_tuple(shape, "crd2idx: the shape");
        if (stride.is_none()) return crd2idx(c, s);
        return crd2idx(c, s, int_tuple(stride, "crd2idx: the stride"));
      },
      nb::arg("coord").none(), nb::arg("shape"), nb::arg("stride").none() = nb::none(),
      nb::sig("def crd2idx(coord: typing.Any, shape: " ENIGMA_INT_TUPLE
              ", stride: " ENIGMA_INT_TUPLE " | None = None) -> int"),
      R"(The index of a coordinate; without strides, its place in the shape.

>>> crd2idx((1, (0, 2)), (4, (2, 8)))
17)");
  m.def(
      "idx2crd",
      [](nb::handle index, nb::handle shape, nb::handle stride) {
        IntTuple i = int_tuple(index, "idx2crd: the index");
        IntTuple s = int_tuple(shape, "idx2crd: the shape");
        if (stride.is_none()) return to_python(idx2crd(i, s));
        return to_python(idx2crd(i, s, int_tuple(stride, "idx2crd: the stride")));
      },
      nb::arg("idx"), nb::arg("shape"), nb::arg("stride").none() = nb::none(),
      nb::sig("def idx2crd(idx: " ENIGMA_INT_TUPLE ", shape: " ENIGMA_INT_TUPLE
              ", stride: " ENIGMA_INT_TUPLE " | None = None) -> typing.Any"),
      R"(The coordinate of an index in a compact layout, column-major without strides.

>>> idx2crd(17, (4, (2, 8)))
(1, (0, 2)))");
  m.def(
      "crd2crd",
      [](nb::handle coord, nb::handle from, nb::handle to) {
        return to_python(crd2crd(int_tuple(coord, "crd2crd: the coordinate"),
                                 int_tuple(from, "crd2crd: the source's shape"),
                                 int_tuple(to, "crd2crd: the target's shape")));
      },
      nb::arg("coord"), nb::arg("src_shape"), nb::arg("dst_shape"),
      nb::sig("def crd2crd(coord: " ENIGMA_INT_TUPLE ", src_shape: " ENIGMA_INT_TUPLE
              ", dst_shape: " ENIGMA_INT_TUPLE ") -> typing.Any"),
      R"(The coordinate of the same place in another shape of the same size.

>>> crd2crd((1, 2), (4, 6), (2, 12))
(1, 4))");
  define_test(m, "is_congruent", R"(Whether two shapes are nested alike.

>>> is_congruent((4, (2, 8)), (1, (0, 0)))
True)",
              is_congruent);
  define_test(m, "is_weakly_congruent", R"(Whether b is nested like a, down to a's ints.

>>> is_weakly_congruent((4, 16), (4, (2, 8)))
True)",
              is_weakly_congruent);
  define_test(m, "is_compatible", R"(Whether every coordinate of a is one of b, and the sizes agree.

>>> is_compatible((4, 16), (4, (2, 8)))
True)",
              is_compatible);
}

}  // namespace enigma
