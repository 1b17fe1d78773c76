// Layouts as values, through the public header alone: making, asking, slicing, text, and mistakes.

#include <doctest/doctest.h>

#include <string>

#include "enigma/layout.h"

using namespace enigma;

namespace {

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("nested tuples have CuTe's text, and braces make them") {
  CHECK(str(IntTuple(4)) == "4");
  CHECK(str(IntTuple{4}) == "(4)");
  CHECK(str(IntTuple{4, {2, 8}}) == "(4,(2,8))");
  CHECK(str(IntTuple()) == "()");
  CHECK(str(IntTuple{1, IntTuple::none(), IntTuple()}) == "(1,None,())");
  CHECK(IntTuple{4, {2, 8}} == IntTuple{4, IntTuple{2, 8}});
  CHECK(IntTuple{4, {2, 8}} != IntTuple{4, 2, 8});
  CHECK(hash(IntTuple{4, {2, 8}}) != hash(IntTuple{4, 2, 8}));
}

TEST_CASE("a tuple of any size and depth survives copies and moves") {
  IntTuple deep(1);
  IntTuple wide = IntTuple::blank();
  wide.open();
  for (int i = 0; i < 100; ++i) {
    deep = IntTuple{deep, i};
    wide.push(int64_t{i});
  }
  wide.close();
  IntTuple copy = deep, moved = std::move(deep);
  CHECK(copy == moved);
  CHECK(depth(copy) == 100);
  CHECK(wide.rank() == 100);
  copy = wide;
  CHECK(copy.root().mode(99).leaf() == 99);
  CHECK(product(copy) == 0);
  const IntTuple& itself = copy;
  copy = itself;
  CHECK(copy == wide);
}

TEST_CASE("layouts are made of shape and stride") {
  CHECK(str(Layout()) == "1:0");
  CHECK(str(Layout(8)) == "8:1");
  CHECK(str(Layout({4, 8})) == "(4,8):(1,4)");
  CHECK(str(Layout({4, {2, 8}})) == "(4,(2,8)):(1,(4,8))");
  CHECK(str(Layout(IntTuple{2, {2, 2}}, {4, {2, 1}})) == "(2,(2,2)):(4,(2,1))");
  CHECK(str(Layout(IntTuple{4, 1, 8})) == "(4,1,8):(1,0,4)");
  CHECK(str(Layout(IntTuple())) == "():()");
  CHECK(str(make_ordered_layout({4, 64}, {1, 0})) == "(4,64):(64,1)");
  CHECK(str(make_ordered_layout({2, {3, 4}}, {1, {2, 0}})) == "(2,(3,4)):(4,(8,1))");
  CHECK(str(make_ordered_layout({2, {3, 4}}, {1, 0})) == "(2,(3,4)):(12,(1,3))");
  CHECK(str(make_layout({Layout(4), Layout({2, 2}, {8, 4})})) == "(4,(2,2)):(1,(8,4))");
  CHECK(Layout(IntTuple{4, 8}) == Layout({4, 8}, {1, 4}));
  CHECK(Layout(IntTuple{4}) != Layout(4));
}

TEST_CASE("a layout is called on nested, flat and linear coordinates") {
  Layout l({2, {2, 2}}, {4, {2, 1}});
  CHECK(l(IntTuple{1, {0, 1}}) == 5);
  CHECK(l(IntTuple{1, 2}) == 5);
  CHECK(l(5) == 5);
  CHECK(l(IntTuple{0, 0}) == 0);
  CHECK(l(9) == 2 * 2 + 4 * 0 + 4 - 2 * 2 + 2);  // the last mode goes on: (1,(0,2))
  CHECK(Layout(IntTuple())(IntTuple()) == 0);
  CHECK(Layout(4, -2)(3) == -6);
}

TEST_CASE("size, cosize, rank, depth and modes") {
  Layout l({4, {2, 8}}, {1, {64, 4}});
  CHECK(l.size() == 64);
  CHECK(l.cosize() == 3 + 64 + 28 + 1);
  CHECK(l.rank() == 2);
  CHECK(l.depth() == 2);
  CHECK(str(l[1]) == "(2,8):(64,4)");
  CHECK(str(l[1][0]) == "2:64");
  CHECK(str(Layout(4)[0]) == "4:1");
  CHECK(Layout(IntTuple{4, 0}).size() == 0);
  CHECK(Layout(IntTuple{4, 0}).cosize() == 0);
  CHECK(Layout(4, -3).cosize() == 10);
  CHECK(Layout(4, 0).cosize() == 1);
}

TEST_CASE("identity layouts give coordinates") {
  Layout l = make_identity_layout({4, {2, 8}});
  CHECK(str(l) == "(4,(2,8)):(1@0,(1@0@1,1@1@1))");
  CHECK(l.gives_coordinates());
  CHECK(str(l.coordinate(IntTuple{3, {1, 5}})) == "(3,(1,5))");
  CHECK(str(l.coordinate(IntTuple(37))) == "(1,(1,4))");
  CHECK(str(l[1][1].coordinate(IntTuple(5))) == "(0,(0,5))");
  CHECK(l.cosize() == 64);
  CHECK(str(make_identity_layout(8)) == "8:1");
  CHECK(error_of([&] { l(3); }) ==
        "the layout (4,(2,8)):(1@0,(1@0@1,1@1@1)) gives coordinates; ask for coordinate()");
}

TEST_CASE("tilers are sizes, layouts, nothing, or tuples of them") {
  CHECK(str(Tiler{3, Layout({2, 4}, {1, 8})}) == "<3:1,(2,4):(1,8)>");
  CHECK(str(Tiler{{2, 4}, Tiler(), 8}) == "<<2:1,4:1>,None,8:1>");
  CHECK(str(Tiler(IntTuple{3, IntTuple::none()})) == "<3:1,None>");
  CHECK(str(Tiler(3)) == "3:1");
  CHECK(str(Tiler(std::vector<Tiler>())) == "<>");
  CHECK(str(zipped_divide(Layout({9, {4, 8}}, {59, {13, 1}}), {Layout(3, 3), 4})) ==
        "((3,4),(3,8)):((177,13),(59,1))");
}

TEST_CASE("slices keep what None opens, dices what it does not") {
  Layout l(IntTuple{{2, 3}, 4, {5, 6}});
  IntTuple open = IntTuple::none();
  CHECK(str(slice(l, {open, 3, open})) == "((2,3),(5,6)):((1,2),(24,120))");
  CHECK(str(slice(l, {{1, open}, 3, {open, 0}})) == "(3,5):(2,24)");
  CHECK(str(slice(l, open)) == str(l));
  CHECK(str(slice(l, {1, 2, 3})) == "():()");
  CHECK(str(slice(l, 7)) == "():()");
  CHECK(str(dice(l, {open, 3, open})) == "(4):(6)");
  CHECK(str(dice(l, {{1, open}, 3, {open, 0}})) == "(2,4,6):(1,6,120)");
  CHECK(str(dice(l, open)) == "():()");
  CHECK(str(dice(l, 7)) == str(l));
}

TEST_CASE("coordinates and indices convert") {
  CHECK(crd2idx({1, {0, 2}}, {4, {2, 8}}) == 17);
  CHECK(crd2idx(17, {4, {2, 8}}, {1, {4, 8}}) == 17);
  CHECK(str(idx2crd(17, {4, {2, 8}})) == "(1,(0,2))");
  CHECK(str(idx2crd(17, {4, {2, 8}}, {16, {8, 1}})) == "(1,(0,1))");
  CHECK(str(idx2crd({3, 5}, {4, {2, 8}})) == "(3,(1,2))");
  CHECK(str(idx2crd(9, 4)) == "9");
  CHECK(str(crd2crd({1, 2}, {4, 6}, {2, 12})) == "(1,4)");
  CHECK(str(crd2crd(9, 24, {4, {2, 3}})) == "(1,(0,1))");
}

TEST_CASE("divisions of shapes") {
  const std::pair<IntTuple, IntTuple> kPublished[] = {
      {2, {3, 2}}, {3, {2, 2}}, {6, {1, 2}}, {12, {1, 1}}};
  for (const auto& [by, result] : kPublished) CHECK(shape_div({6, 2}, by) == result);
  CHECK(shape_div({3, 6, 2, 8}, 9) == IntTuple{1, 2, 2, 8});
  CHECK(shape_div({3, 6, 2, 8}, 72) == IntTuple{1, 1, 1, 4});
  CHECK(shape_div(12, IntTuple{2, 3}) == IntTuple(2));
  CHECK(shape_div({8, 6}, {2, 3}) == IntTuple{4, 2});
  CHECK(ceil_div({10, 12}, {4, 4}) == IntTuple{3, 3});
  CHECK(ceil_div({10, 12, 5}, {4, 4}) == IntTuple{3, 3, 5});
  CHECK(ceil_div({10, 12}, 40) == IntTuple{1, 3});
  CHECK(inner_product({1, {2, 3}}, {10, {20, 30}}) == 140);
}

TEST_CASE("congruence is a matter of profiles, compatibility of sizes") {
  CHECK(is_congruent({4, {2, 8}}, {0, {0, 0}}));
  CHECK_FALSE(is_congruent({4, 16}, {4, {2, 8}}));
  CHECK(is_weakly_congruent({4, 7}, {4, {2, 8}}));
  CHECK_FALSE(is_weakly_congruent({4, {2, 8}}, {4, 16}));
  CHECK(is_compatible(24, {{2, 2}, {3, 2}}));
  CHECK(is_compatible({4, 6}, {{2, 2}, {3, 2}}));
  CHECK(is_compatible({{2, 2}, 6}, {{2, 2}, {3, 2}}));
  CHECK_FALSE(is_compatible(24, 32));
  CHECK_FALSE(is_compatible({{2, 3}, 4}, {{2, 2}, {3, 2}}));
  CHECK_FALSE(is_compatible(24, {25}));
}

TEST_CASE("mistakes are told, with what to write instead") {
  CHECK(error_of([] { Layout({4, 8}, {1}); }) ==
        "Layout((4,8), (1)): shape and stride must have the same profile; give a stride for each "
        "integer of the shape");
  CHECK(error_of([] { Layout({4, -8}, {1, 4}); }) ==
        "Layout((4,-8), (1,4)): the size -8 is negative; sizes are 0 or more");
  CHECK(error_of([] { Layout({4, 8}, Strides{Stride(1, Basis({0})), 4}); }) ==
        "Layout((4,8), (1@0,4)): some strides step along coordinates and some along indices; give "
        "all of them a mode (as in 1@0), or none");
  CHECK(error_of([] { Layout(IntTuple{4, 8})(IntTuple{1, 2, 3}); }) ==
        "the coordinate (1,2,3) does not fit the layout (4,8):(1,4): give one integer, or a tuple "
        "with an integer or a fitting tuple for each mode");
  CHECK(error_of([] { Layout(IntTuple{0, 8})(3); }) ==
        "a layout of shape (0,8) is empty and has no coordinate 3");
  CHECK(error_of([] { Layout(IntTuple{int64_t{1} << 40, int64_t{1} << 40}); }) ==
        "layout arithmetic: 1099511627776 * 1099511627776 does not fit into 64 bits; use smaller "
        "shapes or strides");
  CHECK(error_of([] { Layout(3, INT64_MAX)(2); }) ==
        "layout arithmetic: 2 * 9223372036854775807 does not fit into 64 bits; use smaller shapes "
        "or strides");
  CHECK(error_of([] { make_ordered_layout({4, 8}, {0, 0}); }) ==
        "make_ordered_layout((4,8), (0,0)): the order 0 stands for two modes, which would overlap; "
        "give "
        "each mode its own");
  CHECK(error_of([] { shape_div({6, 2}, 4); }) ==
        "shape_div((6,2), 4): neither of 6 and 4 divides the other; choose a shape and a divisor "
        "that do");
  CHECK(error_of([] { idx2crd(3, {2, 2}, {1, 0}); }) ==
        "idx2crd: a mode 2:0 does not tell coordinates apart; give a shape and strides without "
        "zeros");
  CHECK(error_of([] { crd2crd(3, 4, 5); }) ==
        "crd2crd(3, 4, 5): the two shapes differ in size; give two shapes of the same size");
  CHECK(error_of([] { Layout(8)[1]; }) == "mode 1 of the layout 8:1 does not exist: it has 1 mode");
}
