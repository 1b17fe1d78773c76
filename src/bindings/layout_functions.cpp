// The algebra of layouts as functions of the module, and pictures of layouts.
#include <nanobind/stl/pair.h>

#include "layouts.h"

namespace enigma {
namespace {

// A function of two kinds of layout has two signatures in the stub, which imports what is named
// behind the first parenthesis. Messages show the last.
#define ENIGMA_BOTH(name, rest)                         \
  "@overload\ndef " name "(layout: SwizzledLayout" rest \
  ") -> SwizzledLayout: ...\n"                          \
  "@typing.overload\ndef " name "(layout: Layout" rest ") -> Layout"
#define ENIGMA_MODE "mode: int | typing.Sequence[int] | None = None"

/// Defines a divide or a product: (layout, tiler), where the layout may be swizzled.
template <Layout (*F)(const Layout&, const Tiler&)>
void define(nb::module_& m, const char* name, const char* sig, const char* doc) {
  std::string layout_name = std::string(name) + ": the first argument";
  std::string tiler_name = std::string(name) + ": the tiler";
  m.def(
      name,
      [layout_name, tiler_name](nb::handle layout, nb::handle t) {
        Tiler by = tiler(t, tiler_name.c_str());
        return transformed(layout, layout_name.c_str(), [&](const Layout& l) { return F(l, by); });
      },
      nb::arg("layout").none(), nb::arg("tiler").none(), nb::sig(sig), doc);
}

nb::object compose_any(nb::handle a, nb::handle b) {
  const char* left = "composition: the left side";
  if (const Layout* l = as_layout(a)) {
    if (const Layout* r = as_layout(b)) return nb::cast(composition(*l, *r));
  }
  if (as_swizzled(b) || nb::isinstance<Swizzle>(b))
    throw Error(
        "composition: a swizzle cannot stand on the right of a layout, as the result is none; "
        "compose the layouts, and swizzle what comes of them");
  if (nb::isinstance<Swizzle>(a)) {
    const auto& s = nb::cast<const Swizzle&>(a);
    const Layout& l = layout_in(b, "composition: the right side of a swizzle");
    return s.bits() == 0 ? nb::cast(l) : nb::cast(make_swizzled(s, 0, l));
  }
  Tiler t = tiler(b, "composition: the tiler");
  return transformed(a, left, [&](const Layout& l) { return composition(l, t); });
}

AnyLayout any_layout(nb::handle x, const char* what) {
  if (const SwizzledLayout* s = as_swizzled(x)) return *s;
  return layout_in(x, what);
}

Table table_of(const char* what, nb::handle layout, nb::handle tile, nb::handle colour) {
  std::string call = what;
  if (!tile.is_none()) {
    if (!colour.is_none())
      throw Error(call +
                  ": a picture of threads and values is coloured by thread; leave color out");
    return table_tv(layout_in(layout, (call + ": the layout of threads and values").c_str()),
                    int_tuple(tile, (call + ": the tiler").c_str()));
  }
  std::optional<Layout> colours;
  if (!colour.is_none()) colours = layout_in(colour, (call + ": color").c_str());
  return table(any_layout(layout, (call + ": the first argument").c_str()), colours);
}

template <class F>
void define_picture(nb::module_& m, const char* name, const char* result, const char* doc, F f) {
  std::string sig = std::string("def ") + name +
                    "(layout: Layout | SwizzledLayout, tiler: " ENIGMA_INT_TUPLE
                    " | None = None, color: Layout | None = None) -> " +
                    result;
  m.def(
      name,
      [name = std::string(name), f](nb::handle layout, nb::handle tile, nb::handle colour) {
        return f(table_of(name.c_str(), layout, tile, colour));
      },
      nb::arg("layout").none(), nb::arg("tiler").none() = nb::none(),
      nb::arg("color").none() = nb::none(), nb::sig(sig.c_str()), doc);
}

void bind_making(nb::module_& m) {
  m.def(
      "make_layout",
      [](nb::args args, nb::handle stride) {
        bool layouts = args.size() > 0 && as_layout(args[0]);
        if (layouts && stride.is_none()) {
          std::vector<Layout> modes;
          for (nb::handle a : args) modes.push_back(layout_in(a, "make_layout: each mode"));
          return make_layout(modes);
        }
        if (layouts || args.size() < 1 || args.size() > 2 ||
            (args.size() == 2 && !stride.is_none()))
          throw Error(
              "make_layout: expected a shape and perhaps its stride, or layouts, one for "
              "each mode; write make_layout(shape), make_layout(shape, stride) or "
              "make_layout(layout, layout)");
        IntTuple shape = int_tuple(args[0], "make_layout: the shape");
        if (args.size() == 2) stride = args[1];
        return stride.is_none() ? Layout(shape)
                                : Layout(shape, strides(stride, "make_layout: the stride"));
      },
      nb::arg("args"), nb::arg("stride").none() = nb::none(),
      nb::sig("def make_layout(*args: Layout | " ENIGMA_INT_TUPLE ", stride: " ENIGMA_INT_TUPLE
              " | None = None) -> Layout"),
      R"(A layout from its shape and stride, or with one mode for each of several layouts.

>>> make_layout((4, 8))
(4,8):(1,4)
>>> make_layout(Layout(4), Layout((2, 2), (8, 4)))
(4,(2,2)):(1,(8,4)))");
  m.def(
      "make_ordered_layout",
      [](nb::handle shape, nb::handle order) {
        return make_ordered_layout(int_tuple(shape, "make_ordered_layout: the shape"),
                                   int_tuple(order, "make_ordered_layout: the order"));
      },
      nb::arg("shape"), nb::arg("order"),
      nb::sig("def make_ordered_layout(shape: " ENIGMA_INT_TUPLE ", order: " ENIGMA_INT_TUPLE
              ") -> Layout"),
      R"(The compact layout of a shape in which the mode with the smallest order is innermost.

>>> make_ordered_layout((4, 64), order=(1, 0))
(4,64):(64,1))");
  m.def(
      "make_identity_layout",
      [](nb::handle shape) {
        return make_identity_layout(int_tuple(shape, "make_identity_layout: the shape"));
      },
      nb::arg("shape"), nb::sig("def make_identity_layout(shape: " ENIGMA_INT_TUPLE ") -> Layout"),
      R"(The layout that maps every coordinate to itself.

Tiled and sliced it tells where in the whole an element lies.

>>> make_identity_layout((4, 8))
(4,8):(1@0,1@1)
>>> make_identity_layout((4, 8))(13)
(1, 3))");
  m.def(
      "make_layout_tv",
      [](nb::handle threads, nb::handle values) {
        auto [tile, tv] = make_layout_tv(layout_in(threads, "make_layout_tv: the threads"),
                                         layout_in(values, "make_layout_tv: the values"));
        return nb::make_tuple(to_python(tile), tv);
      },
      nb::arg("thr").none(), nb::arg("val").none(),
      nb::sig("def make_layout_tv(thr: Layout, val: Layout) -> tuple[tuple[int, ...], Layout]"),
      R"(The tile that threads with their values cover, and the layout of (thread, value) in it.

The layout gives the column-major index in the tile.

>>> thr = make_ordered_layout((4, 64), order=(1, 0))
>>> val = make_ordered_layout((4, 4), order=(1, 0))
>>> make_layout_tv(thr, val)
((16, 256), ((64,4),(4,4)):((64,4),(16,1))))");
}

/// What is asked of layouts may be asked of their shapes.
template <class F, class G>
void define_query(nb::module_& m, const char* name, const char* doc, F of_layout, G of_tuple) {
  std::string sig = std::string("def ") + name +
                    "(x: Layout | SwizzledLayout | " ENIGMA_INT_TUPLE ", " ENIGMA_MODE ") -> int";
  m.def(
      name,
      [name = std::string(name), of_layout, of_tuple](nb::handle x, nb::handle mode) {
        if (as_layout(x) || as_swizzled(x))
          return of_layout(mode_of(as_layout(x) ? *as_layout(x) : as_swizzled(x)->layout, mode));
        IntTuple t = int_tuple(x, (name + ": the first argument").c_str());
        if (!mode.is_none()) t = mode_of(Layout(t), mode).shape();
        return of_tuple(t);
      },
      nb::arg("x"), nb::arg("mode").none() = nb::none(), nb::sig(sig.c_str()), doc);
}

void bind_queries(nb::module_& m) {
  define_query(
      m, "size", R"(The number of coordinates of a layout or a shape, or of a mode.

>>> size(Layout((4, (2, 8))), mode=1)
16)",
      [](const Layout& l) { return l.size(); }, [](const IntTuple& t) { return product(t); });
  define_query(
      m, "rank", R"(The number of modes.

>>> rank((4, (2, 8)))
2)",
      [](const Layout& l) { return l.rank(); }, [](const IntTuple& t) { return t.rank(); });
  define_query(
      m, "depth", R"(How deep modes are nested.

>>> depth(Layout((4, (2, 8))))
2)",
      [](const Layout& l) { return l.depth(); }, [](const IntTuple& t) { return depth(t); });
  m.def(
      "cosize",
      [](nb::handle x, nb::handle mode) {
        const SwizzledLayout* s = as_swizzled(x);
        if (s) return SwizzledLayout{s->swizzle, s->offset, mode_of(s->layout, mode)}.cosize();
        return mode_of(layout_in(x, "cosize: the argument"), mode).cosize();
      },
      nb::arg("layout").none(), nb::arg("mode").none() = nb::none(),
      nb::sig("def cosize(layout: Layout | SwizzledLayout, " ENIGMA_MODE ") -> int"),
      R"(One more than the largest index that a layout gives.

>>> cosize(Layout(4, 3))
10)");
}

void bind_core(nb::module_& m) {
  auto profiled = [](auto plain, auto by_profile, const char* name) {
    return [plain, by_profile, name](nb::handle layout, nb::handle profile) {
      std::string what = std::string(name) + ": the first argument";
      IntTuple p;
      if (!profile.is_none()) p = int_tuple(profile, (std::string(name) + ": the profile").c_str());
      return transformed(layout, what.c_str(), [&](const Layout& l) {
        return profile.is_none() ? plain(l) : by_profile(l, p);
      });
    };
  };
  m.def("coalesce",
        profiled([](const Layout& l) { return coalesce(l); },
                 [](const Layout& l, const IntTuple& p) { return coalesce(l, p); }, "coalesce"),
        nb::arg("layout").none(), nb::arg("target_profile").none() = nb::none(),
        nb::sig(ENIGMA_BOTH("coalesce", ", target_profile: " ENIGMA_INT_TUPLE " | None = None")),
        R"(The same function with as few modes as possible; with a profile, below its integers.

>>> coalesce(Layout((2, (1, 6)), (1, (6, 2))))
12:1
>>> coalesce(Layout((2, (1, 6)), (1, (6, 2))), (1, 1))
(2,6):(1,2))");
  m.def("filter",
        profiled([](const Layout& l) { return filter(l); },
                 [](const Layout& l, const IntTuple& p) { return filter(l, p); }, "filter"),
        nb::arg("layout").none(), nb::arg("target_profile").none() = nb::none(),
        nb::sig(ENIGMA_BOTH("filter", ", target_profile: " ENIGMA_INT_TUPLE " | None = None")),
        R"(The layout without the modes that add no index: those of stride 0 and of size 1.

>>> filter(Layout((2, 4, 3), (1, 0, 2)))
6:1)");
  m.def(
      "complement",
      [](nb::handle layout, nb::handle cosize) {
        const Layout& l = layout_in(layout, "complement: the first argument");
        if (cosize.is_none()) return complement(l);
        return complement(l, product(int_tuple(cosize, "complement: the size")));
      },
      nb::arg("layout").none(), nb::arg("cosize").none() = nb::none(),
      nb::sig("def complement(layout: Layout, cosize: " ENIGMA_INT_TUPLE
              " | None = None) -> Layout"),
      R"(The ordered layout of the indices below `cosize` that `layout` leaves out.

>>> complement(Layout((2, 2), (1, 6)), 24)
(3,2):(2,12))");
  m.def("composition", compose_any, nb::arg("layout").none(), nb::arg("tiler").none(),
        nb::sig(ENIGMA_BOTH("composition",
                            ", tiler: " ENIGMA_TILER) ": ...\n"
                                                      "@typing.overload\ndef composition(layout: "
                                                      "Swizzle, tiler: Layout) -> "
                                                      "Layout | SwizzledLayout"),
        R"(R with R(c) = layout(tiler(c)) for every coordinate c of `tiler`.

A tuple of tilers composes mode by mode, an int n in it is n:1, None leaves a mode as it is.

>>> composition(Layout((6, 2), (8, 2)), Layout((4, 3), (3, 1)))
((2,2),3):((24,2),8)
>>> composition(Layout((12, (4, 8)), (59, (13, 1))), (3, 8))
(3,(4,2)):(59,(13,1)))");
  m.def(
      "right_inverse",
      [](nb::handle l) { return right_inverse(layout_in(l, "right_inverse: the argument")); },
      nb::arg("layout").none(), nb::sig("def right_inverse(layout: Layout) -> Layout"),
      R"(R with layout(R(i)) = i, as far as the indices have no gap.

>>> right_inverse(Layout((4, 8), (8, 1)))
(8,4):(4,1))");
  m.def(
      "left_inverse",
      [](nb::handle l) { return left_inverse(layout_in(l, "left_inverse: the argument")); },
      nb::arg("layout").none(), nb::sig("def left_inverse(layout: Layout) -> Layout"),
      R"(R with R(layout(i)) = i.

>>> left_inverse(Layout((4, 2), (1, 16)))
(4,4,2):(1,8,4))");
  m.def(
      "recast_layout",
      [](int64_t new_bits, int64_t old_bits, nb::handle layout) -> nb::object {
        if (const SwizzledLayout* s = as_swizzled(layout))
          return nb::cast(recast_layout(new_bits, old_bits, *s));
        return nb::cast(
            recast_layout(new_bits, old_bits, layout_in(layout, "recast_layout: the layout")));
      },
      nb::arg("new_bits"), nb::arg("old_bits"), nb::arg("layout").none(),
      nb::sig("@overload\ndef recast_layout(new_bits: int, old_bits: int, layout: Layout) -> "
              "Layout: ...\n@typing.overload\ndef recast_layout(new_bits: int, old_bits: int, "
              "layout: SwizzledLayout) -> SwizzledLayout"),
      R"(The layout of the same memory as elements of `new_bits` where they had `old_bits`.

>>> recast_layout(32, 8, Layout((32, 4)))
(8,4):(1,8)
>>> recast_layout(8, 32, Layout((8, 4)))
(32,4):(1,32))");
  auto slicing = [](auto f, const char* name) {
    return [f, name](nb::handle layout, nb::handle coord) {
      IntTuple c = int_tuple(coord, (std::string(name) + ": the coordinate").c_str(), true);
      return f(layout, c);
    };
  };
  m.def("slice_",
        slicing(
            [](nb::handle layout, const IntTuple& c) -> nb::object {
              if (const SwizzledLayout* s = as_swizzled(layout)) return nb::cast(slice(*s, c));
              return nb::cast(slice(layout_in(layout, "slice_: the layout"), c));
            },
            "slice_"),
        nb::arg("layout").none(), nb::arg("coord").none(),
        nb::sig(ENIGMA_BOTH("slice_", ", coord: typing.Any")),
        R"(The modes that None leaves open in a coordinate.

>>> slice_(Layout((4, 8)), (None, 3))
(4):(1))");
  m.def("dice",
        slicing([](nb::handle layout,
                   const IntTuple& c) { return dice(layout_in(layout, "dice: the layout"), c); },
                "dice"),
        nb::arg("layout").none(), nb::arg("coord").none(),
        nb::sig("def dice(layout: Layout, coord: typing.Any) -> Layout"),
        R"(The modes that a coordinate fixes.

>>> dice(Layout((4, 8)), (None, 3))
(8):(4))");
  m.def("slice_and_offset",
        slicing(
            [](nb::handle layout, const IntTuple& c) {
              const Layout& l = layout_in(layout, "slice_and_offset: the layout");
              nb::object offset =
                  l.gives_coordinates() ? to_python(l.coordinate(c)) : nb::cast(l(c));
              return nb::make_tuple(slice(l, c), offset);
            },
            "slice_and_offset"),
        nb::arg("layout").none(), nb::arg("coord").none(),
        nb::sig("def slice_and_offset(layout: Layout, coord: typing.Any) -> "
                "tuple[Layout, typing.Any]"),
        R"(The modes that None leaves open, and where they begin.

>>> slice_and_offset(Layout((4, 8)), (None, 3))
((4):(1), 12))");
}

void bind_divides(nb::module_& m) {
  define<logical_divide>(
      m, "logical_divide", ENIGMA_BOTH("logical_divide", ", tiler: " ENIGMA_TILER),
      R"(((tile, rest), ...): each mode as what the tiler picks, and its repetitions.

>>> logical_divide(Layout((4, 2, 3), (2, 1, 8)), Layout(4, 2))
((2,2),(2,3)):((4,1),(2,8)))");
  define<zipped_divide>(m, "zipped_divide", ENIGMA_BOTH("zipped_divide", ", tiler: " ENIGMA_TILER),
                        R"(((tiles), (rests)): the first mode is one tile, the second all of them.

>>> zipped_divide(Layout((6, 8), (8, 1)), (3, 4))
((3,4),(2,2)):((8,1),(24,4)))");
  define<tiled_divide>(m, "tiled_divide", ENIGMA_BOTH("tiled_divide", ", tiler: " ENIGMA_TILER),
                       R"(((tiles), rest, rest, ...).

>>> tiled_divide(Layout((6, 8), (8, 1)), (3, 4))
((3,4),2,2):((8,1),24,4))");
  define<flat_divide>(m, "flat_divide", ENIGMA_BOTH("flat_divide", ", tiler: " ENIGMA_TILER),
                      R"((tile, tile, ..., rest, rest, ...).

>>> flat_divide(Layout((6, 8), (8, 1)), (3, 4))
(3,4,2,2):(8,1,24,4))");
  define<logical_product>(m, "logical_product",
                          ENIGMA_BOTH("logical_product", ", tiler: " ENIGMA_TILER),
                          R"((block, copies): a block, and where the tiler puts its copies.

>>> logical_product(Layout((2, 2), (4, 1)), Layout(6))
((2,2),(2,3)):((4,1),(2,8)))");
  define<zipped_product>(m, "zipped_product",
                         ENIGMA_BOTH("zipped_product", ", tiler: " ENIGMA_TILER),
                         R"(((blocks), (copies)).

>>> zipped_product(Layout((3, 4), (4, 1)), Layout((2, 5)))
((3,4),(2,5)):((4,1),(12,24)))");
  define<tiled_product>(m, "tiled_product", ENIGMA_BOTH("tiled_product", ", tiler: " ENIGMA_TILER),
                        R"(((blocks), copy, copy, ...).

>>> tiled_product(Layout((3, 4), (4, 1)), Layout((2, 5)))
((3,4),2,5):((4,1),12,24))");
  define<flat_product>(m, "flat_product", ENIGMA_BOTH("flat_product", ", tiler: " ENIGMA_TILER),
                       R"((block, block, ..., copy, copy, ...).

>>> flat_product(Layout((3, 4), (4, 1)), Layout((2, 5)))
(3,4,2,5):(4,1,12,24))");
  auto paired = [&m](const char* name, auto f, const char* sig, const char* doc) {
    m.def(
        name,
        [name, f](nb::handle block, nb::handle t) {
          std::string what = name;
          const Layout& by = layout_in(t, (what + ": the tiler").c_str());
          return transformed(block, (what + ": the block").c_str(),
                             [&](const Layout& l) { return f(l, by); });
        },
        nb::arg("layout").none(), nb::arg("tiler").none(), nb::sig(sig), doc);
  };
  paired("blocked_product", blocked_product, ENIGMA_BOTH("blocked_product", ", tiler: Layout"),
         R"(Copies of a block side by side: each mode holds that of the block, then the tiler's.

>>> blocked_product(Layout((2, 5), (5, 1)), Layout((3, 4)))
(6,(5,4)):(5,(1,30)))");
  paired("raked_product", raked_product, ENIGMA_BOTH("raked_product", ", tiler: Layout"),
         R"(Copies of a block interleaved: each mode holds that of the tiler, then the block's.

>>> raked_product(Layout((3, 4), (4, 1)), Layout((2, 5)))
((2,3),(5,4)):((12,4),(24,1)))");
  m.def(
      "swizzle",
      [](nb::handle layout, int bits, int base, int shift) {
        return make_swizzled(Swizzle(bits, base, shift), 0,
                             layout_in(layout, "swizzle: the layout"));
      },
      nb::arg("layout").none(), nb::arg("bits"), nb::arg("base"), nb::arg("shift"),
      nb::sig("def swizzle(layout: Layout, bits: int, base: int, shift: int) -> SwizzledLayout"),
      R"(The layout with its indices swizzled.

>>> swizzle(Layout((8, 8), (8, 1)), 3, 0, 3)
Sw<3,0,3> o 0 o (8,8):(8,1))");
}

void bind_pictures(nb::module_& m) {
  define_picture(m, "layout_svg", "str",
                 R"(A picture of a layout as SVG: mode 0 down, the other modes across.

`color` gives a number for each coordinate, which chooses its colour; otherwise the index does. With
`tiler` the layout is one of threads and values, drawn where they lie in the tile.

>>> layout_svg(Layout((2, 4)))[:4]
'<svg')",
                 draw_svg);
  define_picture(m, "layout_latex", "str",
                 R"(The same as a LaTeX document, which draws with TikZ.

>>> layout_latex(Layout((2, 4))).splitlines()[0]
'% (2,4):(1,2)')",
                 draw_latex);
  define_picture(m, "print_layout", "None",
                 R"(Prints a layout as a table.

>>> print_layout(Layout((2, 2)))
(2,2):(1,2)
      0   1
    +---+---+
  0 | 0 | 2 |
    +---+---+
  1 | 1 | 3 |
    +---+---+)",
                 [](const Table& t) { nb::print(draw_text(t).c_str(), nb::str("")); });
}

}  // namespace

void bind_layout_functions(nb::module_& m) {
  bind_making(m);
  bind_queries(m);
  bind_core(m);
  bind_divides(m);
  bind_pictures(m);
}

}  // namespace enigma
