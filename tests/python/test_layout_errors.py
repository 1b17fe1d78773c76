"""What has no answer, or is no layout, is refused: each message says why and what to write."""

import pytest

import enigma
import enigma.tuple
from enigma import Layout

# The messages are in tests/golden/layout/errors.txt, each below its call.
REFUSED = """
# composition, and what is made of it
composition(Layout((6, 2), (8, 2)), Layout(3, 4))
composition(Layout((6, 2), (8, 2)), Layout(4, 2))
composition(Layout((4, 4), (1, 100)), Layout((2, 2, 2), (1, 2, 1)))
composition(Layout((4, 4), (1, 100)), Layout((2, 2), (4, -1)))
composition(Layout((0, 4), (1, 5)), Layout(4))
composition(Layout(8), make_identity_layout((4, 8)))
composition(Layout((6, 2), (8, 2)), swizzle(Layout(8), 1, 0, 1))
logical_divide(Layout((6, 2), (8, 2)), 4)
zipped_divide(Layout((8, (6, 2)), (1, (64, 16))), (2, 4))
tiled_divide(Layout((6, 2), (8, 2)), (2, (2, None), 2))
logical_divide(Layout((6, (4, 2))), (None, (2, 2, 2)))

# complement, inverses, recast_layout, make_layout_tv
complement(Layout((2, 2), (2, 3)))
complement(Layout(4, -1), 8)
logical_divide(Layout(8), Layout(0))
complement(Layout(8), -4)
complement(make_identity_layout((4, 8)))
left_inverse(Layout((2, 2), (1, 1)))
left_inverse(Layout((2, 2), (2, 5)))
right_inverse(Layout((2, 4), (-1, 2)))
recast_layout(32, 8, Layout((6, 4)))
recast_layout(32, 8, Layout((4, 4), (1, 6)))
recast_layout(8, 32, Layout(4, 2))
recast_layout(8, 32, Layout((4, 4), (1, 1)))
recast_layout(0, 8, Layout(4))
recast_layout(32, 8, swizzle(Layout((4, 4)), 1, 1, 2))
make_layout_tv(Layout(4, 2), Layout(2))
make_layout_tv(Layout(4), Layout((2, 2), (1, 0)))

# making and calling
Layout((4, 8), (1,))
Layout((4, -8))
Layout((4, 8.0))
Layout((4, True))
Layout((4, None))
Layout((4, 8), 'row')
Layout(2 ** 63)
Layout((2 ** 40, 2 ** 40), (0, 0)).size()
composition(Layout(4, 2 ** 40), Layout(4, 2 ** 40))
Layout((4, 8), (ScaledBasis(1, 0), 4))
ScaledBasis(1, ())
Layout((4, 8))(1, 2, 3)
Layout((4, 8))(None, (1, None))
Layout((4, 8))('x')
Layout((4, 8))[2]
make_ordered_layout((4, 8), (1, 1))
make_ordered_layout((4, 8), (1, 0, 2))
make_layout(Layout(4), stride=1)
make_layout(Layout(4), (2, 2))
logical_divide((4, 8), 2)
blocked_product(Layout(4), (2, 2))
complement(swizzle(Layout(8), 1, 0, 1))
logical_divide(Layout(8), (2.5,))
coalesce(Layout((4, 8)), (1, 1, 1))

# swizzles
Swizzle(3, 0, 2)
swizzle(Layout(8), -1, 0, 2)
swizzle(make_identity_layout((4, 8)), 1, 0, 1)

# tuples
tuple.shape_div((6, 2), 4)
tuple.ceil_div(4, 0)
tuple.ceil_div((4,), (2, 2))
tuple.inner_product((1, 2), (1, (2, 3)))
tuple.crd2idx((1, 2), (4, 8), (1, (4, 8)))
tuple.idx2crd(3, (2, 2), (1, 0))
tuple.crd2crd(3, 4, 5)

# pictures
layout_svg(Layout((4096, 4096)))
layout_svg(Layout((4, 8)), color=Layout(8))
print_layout(Layout((4, 2)), tiler=(2, 2))
layout_latex(Layout(4), tiler=4)
layout_svg(Layout((4, 2)), (4, 2), Layout(8))
"""


def test_refused(golden) -> None:
    text = ""
    for call in REFUSED.strip().splitlines():
        text += call + "\n"
        if not call or call.startswith("#"):
            continue
        with pytest.raises(enigma.EnigmaError) as caught:
            eval(call, {**vars(enigma), "tuple": enigma.tuple})
        text += f"    {caught.value.message}\n"
    golden("layout/errors.txt", text)


def test_the_place_of_a_mistake_is_the_users() -> None:
    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.composition(Layout((6, 2), (8, 2)), Layout(3, 4))
    assert caught.value.filename == __file__


def test_a_tuple_that_holds_itself_is_no_crash() -> None:
    endless: list = [4]
    endless.append(endless)
    for function in (Layout, enigma.tuple.flatten, lambda x: enigma.logical_divide(Layout(8), x)):
        with pytest.raises(RecursionError):
            function(endless)


def test_deep_tuples_are_fine() -> None:
    deep = 4
    for _ in range(200):
        deep = (deep, 1)
    assert Layout(deep).size() == 4 and enigma.coalesce(Layout(deep)) == Layout(4)
    with pytest.raises(enigma.EnigmaError, match="at most 255 modes in a tuple and 8 levels"):
        enigma.make_identity_layout(deep)
