"""Enigma's C++ core: tracing, compiling and running kernels."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Never, NoReturn, overload

import numpy


VERSION: str = '0.1.0'

class DType:
    """The type of a number in a kernel: `enigma.f32` and so on."""

    @property
    def name(self) -> str:
        """"f32\""""

    @property
    def class_name(self) -> str:
        """"Float32\""""

    @property
    def metal_name(self) -> str:
        """"float\""""

    @property
    def width(self) -> int:
        """Bits of a value; 1 for bool, which memory stores as a byte."""

    @property
    def itemsize(self) -> int:
        """Bytes of an element in memory."""

    @property
    def numpy(self) -> Any:
        """The dtype of numpy arrays."""

    @property
    def is_float(self) -> bool: ...

    @property
    def is_signed(self) -> bool: ...

    @property
    def is_unsigned(self) -> bool: ...

    @property
    def is_integer(self) -> bool: ...

    @property
    def is_bool(self) -> bool: ...

    def __repr__(self) -> str: ...

    def __hash__(self) -> int: ...

    def __eq__(self, arg: object, /) -> bool: ...

    def __reduce__(self) -> str:
        """The name in this module, which is what pickle stores."""

    def __call__(self, x: object) -> IRValue:
        """
        A constant of this type in the kernel that is traced; a traced value is converted.
        """

MAX_PARAMETERS: int = 31

f32: DType = ...

f16: DType = ...

bf16: DType = ...

i8: DType = ...

i16: DType = ...

i32: DType = ...

i64: DType = ...

u8: DType = ...

u16: DType = ...

u32: DType = ...

u64: DType = ...

b1: DType = ...

def dtype(x: object) -> DType:
    """The type that a DType, a string, a class or a numpy dtype names."""

class ScaledBasis:
    """
    A stride that steps along a mode of a coordinate: `value` at `mode`, a path.

    >>> make_identity_layout((4, 8)).stride
    (1@0, 1@1)
    """

    def __init__(self, value: int, mode: int | Sequence[int]) -> None: ...

    @property
    def value(self) -> int: ...

    @property
    def mode(self) -> tuple[int, ...]: ...

    def __repr__(self) -> str: ...

    def __hash__(self) -> int: ...

    def __eq__(self, arg: object, /) -> bool: ...

    def __reduce__(self) -> tuple: ...

class Layout:
    """
    A function from coordinates to indices, written shape:stride, as in CuTe.

    Immutable and hashable. Without strides it is compact with the first mode innermost.

    >>> Layout((4, 8))
    (4,8):(1,4)
    >>> Layout((4, (2, 2)), (4, (2, 1)))(1, (0, 1))
    5
    >>> Layout((4, 8), (8, 1))(None, 3)
    (4):(8)
    """

    def __init__(self, shape: int | tuple[Any, ...], stride: int | ScaledBasis | tuple[Any, ...] | None = None) -> None: ...

    @property
    def shape(self) -> Any:
        """Sizes: an int or a nested tuple of ints."""

    @property
    def stride(self) -> Any:
        """
        Strides in the form of the shape; a ScaledBasis where the layout gives coordinates.
        """

    def size(self, mode: int | Sequence[int] | None = None) -> int:
        """The number of coordinates, of the layout or of a mode."""

    def cosize(self, mode: int | Sequence[int] | None = None) -> int:
        """One more than the largest index."""

    def rank(self) -> int:
        """The number of modes at the top."""

    def depth(self) -> int:
        """How deep modes are nested; 0 for an int."""

    def __call__(self, *coord: Any) -> Any:
        """
        The index of a coordinate; with None in it, the layout of the modes left open.

        A coordinate is nested like the shape; an int may stand for any part and counts through its modes.
        The last mode has no end.
        """

    def __getitem__(self, mode: int | tuple[int, ...] | slice, /) -> Layout:
        """A mode; a path for a mode of a mode; a slice for some modes."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Layout]: ...

    def __repr__(self) -> str: ...

    def __hash__(self) -> int: ...

    def __eq__(self, arg: object, /) -> bool: ...

    def __reduce__(self) -> tuple: ...

class Swizzle:
    """
    x -> x ^ some bits of x: the `bits` bits above `base` by those `shift` higher.

    A negative shift takes bits that lie lower.

    >>> [Swizzle(1, 0, 1)(i) for i in range(4)]
    [0, 1, 3, 2]
    """

    def __init__(self, bits: int, base: int, shift: int) -> None: ...

    @property
    def bits(self) -> int: ...

    @property
    def base(self) -> int: ...

    @property
    def shift(self) -> int: ...

    def size(self) -> int:
        """The indices below this are permuted among themselves."""

    def __call__(self, index: int) -> int: ...

    def __repr__(self) -> str: ...

    def __hash__(self) -> int: ...

    def __eq__(self, arg: object, /) -> bool: ...

    def __reduce__(self) -> tuple: ...

class SwizzledLayout:
    """
    c -> swizzle(offset + layout(c)).

    The algebra's operations act on the layout, and keep the swizzle.

    >>> SwizzledLayout(Swizzle(1, 0, 1), 0, Layout((2, 2)))(1, 1)
    2
    """

    def __init__(self, swizzle: Swizzle, offset: int, layout: Layout) -> None: ...

    @property
    def swizzle(self) -> Swizzle: ...

    @property
    def offset(self) -> int: ...

    @property
    def layout(self) -> Layout: ...

    @property
    def shape(self) -> Any: ...

    def size(self, mode: int | Sequence[int] | None = None) -> int:
        """The number of coordinates, of the layout or of a mode."""

    def cosize(self) -> int:
        """One more than the largest index that the layout gives."""

    def rank(self) -> int: ...

    def depth(self) -> int: ...

    def __call__(self, *coord: Any) -> Any:
        """
        The index of a coordinate; with None in it, the modes that it leaves open.
        """

    def __getitem__(self, mode: int | tuple[int, ...] | slice, /) -> SwizzledLayout: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[SwizzledLayout]: ...

    def __repr__(self) -> str: ...

    def __hash__(self) -> int: ...

    def __eq__(self, arg: object, /) -> bool: ...

    def __reduce__(self) -> tuple: ...

def make_layout(*args: Layout | int | tuple[Any, ...], stride: int | tuple[Any, ...] | None = None) -> Layout:
    """
    A layout from its shape and stride, or with one mode for each of several layouts.

    >>> make_layout((4, 8))
    (4,8):(1,4)
    >>> make_layout(Layout(4), Layout((2, 2), (8, 4)))
    (4,(2,2)):(1,(8,4))
    """

def make_ordered_layout(shape: int | tuple[Any, ...], order: int | tuple[Any, ...]) -> Layout:
    """
    The compact layout of a shape in which the mode with the smallest order is innermost.

    >>> make_ordered_layout((4, 64), order=(1, 0))
    (4,64):(64,1)
    """

def make_identity_layout(shape: int | tuple[Any, ...]) -> Layout:
    """
    The layout that maps every coordinate to itself.

    Tiled and sliced it tells where in the whole an element lies.

    >>> make_identity_layout((4, 8))
    (4,8):(1@0,1@1)
    >>> make_identity_layout((4, 8))(13)
    (1, 3)
    """

def make_layout_tv(thr: Layout, val: Layout) -> tuple[tuple[int, ...], Layout]:
    """
    The tile that threads with their values cover, and the layout of (thread, value) in it.

    The layout gives the column-major index in the tile.

    >>> thr = make_ordered_layout((4, 64), order=(1, 0))
    >>> val = make_ordered_layout((4, 4), order=(1, 0))
    >>> make_layout_tv(thr, val)
    ((16, 256), ((64,4),(4,4)):((64,4),(16,1)))
    """

def size(x: Layout | SwizzledLayout | int | tuple[Any, ...], mode: int | Sequence[int] | None = None) -> int:
    """
    The number of coordinates of a layout or a shape, or of a mode.

    >>> size(Layout((4, (2, 8))), mode=1)
    16
    """

def rank(x: Layout | SwizzledLayout | int | tuple[Any, ...], mode: int | Sequence[int] | None = None) -> int:
    """
    The number of modes.

    >>> rank((4, (2, 8)))
    2
    """

def depth(x: Layout | SwizzledLayout | int | tuple[Any, ...], mode: int | Sequence[int] | None = None) -> int:
    """
    How deep modes are nested.

    >>> depth(Layout((4, (2, 8))))
    2
    """

def cosize(layout: Layout | SwizzledLayout, mode: int | Sequence[int] | None = None) -> int:
    """
    One more than the largest index that a layout gives.

    >>> cosize(Layout(4, 3))
    10
    """

@overload
def coalesce(layout: SwizzledLayout, target_profile: int | tuple[Any, ...] | None = None) -> SwizzledLayout: ...
@overload
def coalesce(layout: Layout, target_profile: int | tuple[Any, ...] | None = None) -> Layout:
    """
    The same function with as few modes as possible; with a profile, below its integers.

    >>> coalesce(Layout((2, (1, 6)), (1, (6, 2))))
    12:1
    >>> coalesce(Layout((2, (1, 6)), (1, (6, 2))), (1, 1))
    (2,6):(1,2)
    """

@overload
def filter(layout: SwizzledLayout, target_profile: int | tuple[Any, ...] | None = None) -> SwizzledLayout: ...
@overload
def filter(layout: Layout, target_profile: int | tuple[Any, ...] | None = None) -> Layout:
    """
    The layout without the modes that add no index: those of stride 0 and of size 1.

    >>> filter(Layout((2, 4, 3), (1, 0, 2)))
    6:1
    """

def complement(layout: Layout, cosize: int | tuple[Any, ...] | None = None) -> Layout:
    """
    The ordered layout of the indices below `cosize` that `layout` leaves out.

    >>> complement(Layout((2, 2), (1, 6)), 24)
    (3,2):(2,12)
    """

@overload
def composition(layout: SwizzledLayout, tiler: Layout | int | tuple[Any, ...] | None) -> SwizzledLayout: ...
@overload
def composition(layout: Layout, tiler: Layout | int | tuple[Any, ...] | None) -> Layout: ...
@overload
def composition(layout: Swizzle, tiler: Layout) -> Layout | SwizzledLayout:
    """
    R with R(c) = layout(tiler(c)) for every coordinate c of `tiler`.

    A tuple of tilers composes mode by mode, an int n in it is n:1, None leaves a mode as it is.

    >>> composition(Layout((6, 2), (8, 2)), Layout((4, 3), (3, 1)))
    ((2,2),3):((24,2),8)
    >>> composition(Layout((12, (4, 8)), (59, (13, 1))), (3, 8))
    (3,(4,2)):(59,(13,1))
    """

def right_inverse(layout: Layout) -> Layout:
    """
    R with layout(R(i)) = i, as far as the indices have no gap.

    >>> right_inverse(Layout((4, 8), (8, 1)))
    (8,4):(4,1)
    """

def left_inverse(layout: Layout) -> Layout:
    """
    R with R(layout(i)) = i.

    >>> left_inverse(Layout((4, 2), (1, 16)))
    (4,4,2):(1,8,4)
    """

@overload
def recast_layout(new_bits: int, old_bits: int, layout: Layout) -> Layout: ...
@overload
def recast_layout(new_bits: int, old_bits: int, layout: SwizzledLayout) -> SwizzledLayout:
    """
    The layout of the same memory as elements of `new_bits` where they had `old_bits`.

    >>> recast_layout(32, 8, Layout((32, 4)))
    (8,4):(1,8)
    >>> recast_layout(8, 32, Layout((8, 4)))
    (32,4):(1,32)
    """

def dice(layout: Layout, coord: Any) -> Layout:
    """
    The modes that a coordinate fixes.

    >>> dice(Layout((4, 8)), (None, 3))
    (8):(4)
    """

def slice_and_offset(layout: Layout, coord: Any) -> tuple[Layout, Any]:
    """
    The modes that None leaves open, and where they begin.

    >>> slice_and_offset(Layout((4, 8)), (None, 3))
    ((4):(1), 12)
    """

@overload
def logical_divide(layout: SwizzledLayout, tiler: Layout | int | tuple[Any, ...] | None) -> SwizzledLayout: ...
@overload
def logical_divide(layout: Layout, tiler: Layout | int | tuple[Any, ...] | None) -> Layout:
    """
    ((tile, rest), ...): each mode as what the tiler picks, and its repetitions.

    >>> logical_divide(Layout((4, 2, 3), (2, 1, 8)), Layout(4, 2))
    ((2,2),(2,3)):((4,1),(2,8))
    """

@overload
def zipped_divide(layout: SwizzledLayout, tiler: Layout | int | tuple[Any, ...] | None) -> SwizzledLayout: ...
@overload
def zipped_divide(layout: Layout, tiler: Layout | int | tuple[Any, ...] | None) -> Layout:
    """
    ((tiles), (rests)): the first mode is one tile, the second all of them.

    >>> zipped_divide(Layout((6, 8), (8, 1)), (3, 4))
    ((3,4),(2,2)):((8,1),(24,4))
    """

@overload
def tiled_divide(layout: SwizzledLayout, tiler: Layout | int | tuple[Any, ...] | None) -> SwizzledLayout: ...
@overload
def tiled_divide(layout: Layout, tiler: Layout | int | tuple[Any, ...] | None) -> Layout:
    """
    ((tiles), rest, rest, ...).

    >>> tiled_divide(Layout((6, 8), (8, 1)), (3, 4))
    ((3,4),2,2):((8,1),24,4)
    """

@overload
def flat_divide(layout: SwizzledLayout, tiler: Layout | int | tuple[Any, ...] | None) -> SwizzledLayout: ...
@overload
def flat_divide(layout: Layout, tiler: Layout | int | tuple[Any, ...] | None) -> Layout:
    """
    (tile, tile, ..., rest, rest, ...).

    >>> flat_divide(Layout((6, 8), (8, 1)), (3, 4))
    (3,4,2,2):(8,1,24,4)
    """

@overload
def logical_product(layout: SwizzledLayout, tiler: Layout | int | tuple[Any, ...] | None) -> SwizzledLayout: ...
@overload
def logical_product(layout: Layout, tiler: Layout | int | tuple[Any, ...] | None) -> Layout:
    """
    (block, copies): a block, and where the tiler puts its copies.

    >>> logical_product(Layout((2, 2), (4, 1)), Layout(6))
    ((2,2),(2,3)):((4,1),(2,8))
    """

@overload
def zipped_product(layout: SwizzledLayout, tiler: Layout | int | tuple[Any, ...] | None) -> SwizzledLayout: ...
@overload
def zipped_product(layout: Layout, tiler: Layout | int | tuple[Any, ...] | None) -> Layout:
    """
    ((blocks), (copies)).

    >>> zipped_product(Layout((3, 4), (4, 1)), Layout((2, 5)))
    ((3,4),(2,5)):((4,1),(12,24))
    """

@overload
def tiled_product(layout: SwizzledLayout, tiler: Layout | int | tuple[Any, ...] | None) -> SwizzledLayout: ...
@overload
def tiled_product(layout: Layout, tiler: Layout | int | tuple[Any, ...] | None) -> Layout:
    """
    ((blocks), copy, copy, ...).

    >>> tiled_product(Layout((3, 4), (4, 1)), Layout((2, 5)))
    ((3,4),2,5):((4,1),12,24)
    """

@overload
def flat_product(layout: SwizzledLayout, tiler: Layout | int | tuple[Any, ...] | None) -> SwizzledLayout: ...
@overload
def flat_product(layout: Layout, tiler: Layout | int | tuple[Any, ...] | None) -> Layout:
    """
    (block, block, ..., copy, copy, ...).

    >>> flat_product(Layout((3, 4), (4, 1)), Layout((2, 5)))
    (3,4,2,5):(4,1,12,24)
    """

@overload
def blocked_product(layout: SwizzledLayout, tiler: Layout) -> SwizzledLayout: ...
@overload
def blocked_product(layout: Layout, tiler: Layout) -> Layout:
    """
    Copies of a block side by side: each mode holds that of the block, then the tiler's.

    >>> blocked_product(Layout((2, 5), (5, 1)), Layout((3, 4)))
    (6,(5,4)):(5,(1,30))
    """

@overload
def raked_product(layout: SwizzledLayout, tiler: Layout) -> SwizzledLayout: ...
@overload
def raked_product(layout: Layout, tiler: Layout) -> Layout:
    """
    Copies of a block interleaved: each mode holds that of the tiler, then the block's.

    >>> raked_product(Layout((3, 4), (4, 1)), Layout((2, 5)))
    ((2,3),(5,4)):((12,4),(24,1))
    """

def swizzle(layout: Layout, bits: int, base: int, shift: int) -> SwizzledLayout:
    """
    The layout with its indices swizzled.

    >>> swizzle(Layout((8, 8), (8, 1)), 3, 0, 3)
    Sw<3,0,3> o 0 o (8,8):(8,1)
    """

def layout_svg(layout: Layout | SwizzledLayout, tiler: int | tuple[Any, ...] | None = None, color: Layout | None = None) -> str:
    """
    A picture of a layout as SVG: mode 0 down, the other modes across.

    `color` gives a number for each coordinate, which chooses its colour; otherwise the index does. With
    `tiler` the layout is one of threads and values, drawn where they lie in the tile.

    >>> layout_svg(Layout((2, 4)))[:4]
    '<svg'
    """

def layout_latex(layout: Layout | SwizzledLayout, tiler: int | tuple[Any, ...] | None = None, color: Layout | None = None) -> str:
    """
    The same as a LaTeX document, which draws with TikZ.

    >>> layout_latex(Layout((2, 4))).splitlines()[0]
    '% (2,4):(1,2)'
    """

def print_layout(layout: Layout | SwizzledLayout, tiler: int | tuple[Any, ...] | None = None, color: Layout | None = None) -> None:
    """
    Prints a layout as a table.

    >>> print_layout(Layout((2, 2)))
    (2,2):(1,2)
          0   1
        +---+---+
      0 | 0 | 2 |
        +---+---+
      1 | 1 | 3 |
        +---+---+
    """

@overload
def flatten(t: Layout) -> Layout: ...
@overload
def flatten(t: int | tuple[Any, ...]) -> Any:
    """
    All leaves in one tuple.

    >>> flatten((4, (2, 8)))
    (4, 2, 8)
    """

def product(t: Layout | int | tuple[Any, ...]) -> int:
    """
    The product of all leaves.

    >>> product((4, (2, 8)))
    64
    """

def product_each(t: int | tuple[Any, ...]) -> Any:
    """
    The product of each element.

    >>> product_each((4, (2, 8)))
    (4, 16)
    """

def inner_product(a: int | tuple[Any, ...], b: int | tuple[Any, ...]) -> int:
    """
    The sum of the products of paired leaves.

    >>> inner_product((1, (2, 3)), (10, (20, 30)))
    140
    """

def ceil_div(a: int | tuple[Any, ...] | SymInt, b: int | tuple[Any, ...]) -> Any:
    """
    a / b, rounded up, by pairs of elements; a may be a size of sym_int.

    >>> ceil_div((10, 12), (4, 4))
    (3, 3)
    """

def shape_div(a: int | tuple[Any, ...], b: int | tuple[Any, ...]) -> Any:
    """
    a / b, where one divides the other, at least 1; an int b is used up from the left.

    >>> shape_div((6, 2), 12)
    (1, 1)
    """

def compact_order(shape: int | tuple[Any, ...], order: int | tuple[Any, ...]) -> Any:
    """
    Strides without gaps; the mode with the smallest order is innermost.

    >>> compact_order((2, 3, 4), (2, 0, 1))
    (12, 1, 3)
    """

def compact_col_major(shape: int | tuple[Any, ...], current: int = 1) -> Any:
    """
    Strides without gaps, the first mode innermost.

    >>> compact_col_major((2, (3, 4)))
    (1, (2, 6))
    """

def compact_row_major(shape: int | tuple[Any, ...], current: int = 1) -> Any:
    """
    Strides without gaps, the last mode innermost.

    >>> compact_row_major((2, (3, 4)))
    (12, (4, 1))
    """

def crd2idx(coord: Any, shape: int | tuple[Any, ...], stride: int | tuple[Any, ...] | None = None) -> int:
    """
    The index of a coordinate; without strides, its place in the shape.

    >>> crd2idx((1, (0, 2)), (4, (2, 8)))
    17
    """

def idx2crd(idx: int | tuple[Any, ...], shape: int | tuple[Any, ...], stride: int | tuple[Any, ...] | None = None) -> Any:
    """
    The coordinate of an index in a compact layout, column-major without strides.

    >>> idx2crd(17, (4, (2, 8)))
    (1, (0, 2))
    """

def crd2crd(coord: int | tuple[Any, ...], src_shape: int | tuple[Any, ...], dst_shape: int | tuple[Any, ...]) -> Any:
    """
    The coordinate of the same place in another shape of the same size.

    >>> crd2crd((1, 2), (4, 6), (2, 12))
    (1, 4)
    """

def is_congruent(a: Layout | int | tuple[Any, ...], b: Layout | int | tuple[Any, ...]) -> bool:
    """
    Whether two shapes are nested alike.

    >>> is_congruent((4, (2, 8)), (1, (0, 0)))
    True
    """

def is_weakly_congruent(a: Layout | int | tuple[Any, ...], b: Layout | int | tuple[Any, ...]) -> bool:
    """
    Whether b is nested like a, down to a's ints.

    >>> is_weakly_congruent((4, 16), (4, (2, 8)))
    True
    """

def is_compatible(a: Layout | int | tuple[Any, ...], b: Layout | int | tuple[Any, ...]) -> bool:
    """
    Whether every coordinate of a is one of b, and the sizes agree.

    >>> is_compatible((4, 16), (4, (2, 8)))
    True
    """

class Trace:
    """
    The trace of one kernel. As a context manager it becomes the current trace of this thread.
    """

    def __init__(self, name: str) -> None: ...

    def __enter__(self) -> Trace: ...

    def __exit__(self, type: object, value: object, traceback: object) -> None: ...

    @property
    def name(self) -> str: ...

    def buffer(self, name: str, dtype: DType | str | type) -> TracingTensor:
        """Declares the next parameter, a buffer."""

    def scalar(self, name: str, dtype: DType | str | type, index: int | None = None) -> IRValue:
        """Declares the next parameter, a number that each dispatch gives."""

    def begin_for(self, lo: IRValue | float | numpy.generic, hi: IRValue | float | numpy.generic, step: IRValue | float | numpy.generic, dtype: DType | str | type, inits: Sequence[IRValue | float | numpy.generic]) -> tuple[IRValue, list[IRValue]]:
        """Opens a counting loop: its index and the carried values inside of it."""

    def end_for(self, next: Sequence[IRValue | float | numpy.generic]) -> list[IRValue]:
        """Closes the loop; the carried values after it."""

    def begin_while(self, inits: Sequence[IRValue | float | numpy.generic]) -> list[IRValue]:
        """Opens the condition of a loop: the carried values inside of it."""

    def while_body(self, condition: IRValue | float | numpy.generic) -> list[IRValue]:
        """
        Closes the condition and opens the body: the carried values inside of it.
        """

    def end_while(self, next: Sequence[IRValue | float | numpy.generic]) -> list[IRValue]:
        """Closes the loop; the carried values after it."""

    def begin_if(self, condition: IRValue | float | numpy.generic) -> None:
        """Opens the arm that runs where the condition holds."""

    def begin_else(self) -> None:
        """Opens the other arm."""

    def end_if(self, then: Sequence[IRValue | float | numpy.generic], otherwise: Sequence[IRValue | float | numpy.generic]) -> list[IRValue]:
        """Closes the arms; a value for each pair that they hand over."""

    def memory(self, tensor: Tensor) -> object:
        """The whole memory behind a tensor of a jit function."""

    def set_launch(self, grid: tuple[int | SymInt, ...], threads: int | tuple[int, ...]) -> None:
        """Tells the one launch that the kernel is for."""

    def set_sizes(self, indices: dict[str, int], tensors: list[Tensor]) -> None:
        """
        Tells the parameter indices of sizes that only a run knows, and the tensors that have them.
        """

    @property
    def value_count(self) -> int:
        """The number that the next value will have."""

    @property
    def depth(self) -> int:
        """Regions open at the moment."""

    def abandon(self) -> None:
        """
        Drops open regions and all that was built, for a trace that failed inside of one.
        """

    def set_name(self, value: IRValue, name: str) -> None:
        """Gives a value its Python name; the first name wins."""

    def warn(self, message: str) -> None:
        """Notes a warning about the line that runs."""

    def finish(self) -> Module:
        """Ends the kernel and gives its module."""

    def __repr__(self) -> str: ...

def current_trace(what: str = 'this operation') -> Trace:
    """
    The trace that this thread is in; EnigmaError, which names `what`, when there is none.
    """

def has_trace() -> bool:
    """Whether this thread is tracing a kernel."""

def same_objects(a: list, b: list, count: int) -> bool:
    """Whether two lists begin with the same objects, `count` of them."""

class IRValue:
    """
    A value of the kernel that is traced: a number in each thread, or a vector or matrix of them.
    """

    def __add__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __radd__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __sub__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rsub__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __mul__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rmul__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __matmul__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rmatmul__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __truediv__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rtruediv__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __floordiv__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rfloordiv__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __mod__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rmod__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __pow__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rpow__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __and__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rand__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __or__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __ror__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __xor__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rxor__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __lshift__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rlshift__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rshift__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __rrshift__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __lt__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __le__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __gt__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __ge__(self, other: IRValue | float | numpy.generic, /) -> IRValue: ...

    def __eq__(self, other: object, /) -> Any: ...

    def __ne__(self, other: object, /) -> Any: ...

    def __neg__(self) -> IRValue: ...

    def __invert__(self) -> IRValue: ...

    def __abs__(self) -> IRValue: ...

    def __pos__(self) -> IRValue: ...

    def __hash__(self) -> int: ...

    def __bool__(self) -> bool: ...

    def __iter__(self) -> Iterator[IRValue]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: IRValue | float | numpy.generic, /) -> IRValue:
        """A component of a vector, or a column of a matrix, counted from 0."""

    def __setitem__(self, index: object, value: object, /) -> Never: ...

    @property
    def x(self) -> IRValue:
        """Component 0 of a vector."""

    @x.setter
    def x(self, value: Never, /) -> None: ...

    @property
    def y(self) -> IRValue:
        """Component 1 of a vector."""

    @y.setter
    def y(self, value: Never, /) -> None: ...

    @property
    def z(self) -> IRValue:
        """Component 2 of a vector."""

    @z.setter
    def z(self, value: Never, /) -> None: ...

    @property
    def w(self) -> IRValue:
        """Component 3 of a vector."""

    @w.setter
    def w(self, value: Never, /) -> None: ...

    def __index__(self) -> int: ...

    def __int__(self) -> int: ...

    def __float__(self) -> float: ...

    @property
    def dtype(self) -> DType: ...

    @property
    def id(self) -> int:
        """
        Its number in the kernel; values are numbered in the order in which they are made.
        """

    @property
    def name(self) -> str:
        """The Python name, "" when none is known."""

    def __repr__(self) -> str: ...

    def __array_ufunc__(self, ufunc: object, method: str, /, *inputs: object, **kwargs: object) -> IRValue: ...

class TracingTensor:
    """Memory in the kernel that is traced: a buffer or threadgroup memory."""

    def __getitem__(self, index: IRValue | int | tuple[IRValue | int, ...], /) -> IRValue: ...

    def __setitem__(self, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, /) -> None: ...

    def __iter__(self) -> NoReturn: ...

    def __len__(self) -> int: ...

    def __bool__(self) -> bool: ...

    @property
    def dtype(self) -> DType: ...

    @property
    def name(self) -> str:
        """The Python name, "" when none is known; the first one given stays."""

    @name.setter
    def name(self, arg: str, /) -> None: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of threadgroup memory; EnigmaError for a buffer."""

    @property
    def size(self) -> int:
        """Number of elements of threadgroup memory; EnigmaError for a buffer."""

    @property
    def space(self) -> str:
        """"device" or "threadgroup"."""

    def __repr__(self) -> str: ...

    def __add__(self, other: object, /) -> NoReturn: ...

    def __radd__(self, other: object, /) -> NoReturn: ...

    def __sub__(self, other: object, /) -> NoReturn: ...

    def __rsub__(self, other: object, /) -> NoReturn: ...

    def __mul__(self, other: object, /) -> NoReturn: ...

    def __rmul__(self, other: object, /) -> NoReturn: ...

    def __matmul__(self, other: object, /) -> NoReturn: ...

    def __rmatmul__(self, other: object, /) -> NoReturn: ...

    def __truediv__(self, other: object, /) -> NoReturn: ...

    def __rtruediv__(self, other: object, /) -> NoReturn: ...

    def __floordiv__(self, other: object, /) -> NoReturn: ...

    def __rfloordiv__(self, other: object, /) -> NoReturn: ...

    def __mod__(self, other: object, /) -> NoReturn: ...

    def __rmod__(self, other: object, /) -> NoReturn: ...

    def __pow__(self, other: object, /) -> NoReturn: ...

    def __rpow__(self, other: object, /) -> NoReturn: ...

    def __and__(self, other: object, /) -> NoReturn: ...

    def __rand__(self, other: object, /) -> NoReturn: ...

    def __or__(self, other: object, /) -> NoReturn: ...

    def __ror__(self, other: object, /) -> NoReturn: ...

    def __xor__(self, other: object, /) -> NoReturn: ...

    def __rxor__(self, other: object, /) -> NoReturn: ...

    def __lshift__(self, other: object, /) -> NoReturn: ...

    def __rlshift__(self, other: object, /) -> NoReturn: ...

    def __rshift__(self, other: object, /) -> NoReturn: ...

    def __rrshift__(self, other: object, /) -> NoReturn: ...

    def __lt__(self, other: object, /) -> NoReturn: ...

    def __le__(self, other: object, /) -> NoReturn: ...

    def __gt__(self, other: object, /) -> NoReturn: ...

    def __ge__(self, other: object, /) -> NoReturn: ...

    def __eq__(self, other: object, /) -> NoReturn: ...

    def __ne__(self, other: object, /) -> NoReturn: ...

    def __hash__(self) -> int: ...

    def atomic_load(self, index: IRValue | int | tuple[IRValue | int, ...], order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
        """
        the value, read atomically

        atomic_load(buffer, index) -> element, in MSL atomic_load_explicit(&buffer[index], order).
        Here element is i32, u32 or f32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

    def atomic_store(self, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> None:
        """
        write the value atomically

        atomic_store(buffer, index, element) -> none, in MSL atomic_store_explicit(&buffer[index], value, order).
        Here element is i32, u32 or f32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

    def atomic_exchange(self, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
        """
        write the value, give the old one

        atomic_exchange(buffer, index, element) -> element, in MSL atomic_exchange_explicit(&buffer[index], value, order).
        Here element is i32, u32 or f32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

    def atomic_fetch_add(self, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
        """
        add, give the old value

        atomic_fetch_add(buffer, index, element) -> element, in MSL atomic_fetch_add_explicit(&buffer[index], value, order).
        Here element is i32, u32 or f32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

    def atomic_fetch_sub(self, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
        """
        subtract, give the old value

        atomic_fetch_sub(buffer, index, element) -> element, in MSL atomic_fetch_sub_explicit(&buffer[index], value, order).
        Here element is i32, u32 or f32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

    def atomic_fetch_min(self, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
        """
        store the lesser of the two, give the old value; of floats a NaN is ignored

        atomic_fetch_min(buffer, index, element) -> element, in MSL atomic_fetch_min_explicit(&buffer[index], value, order).
        Here element is i32, u32 or f32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

    def atomic_fetch_max(self, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
        """
        store the greater of the two, give the old value; of floats a NaN is ignored

        atomic_fetch_max(buffer, index, element) -> element, in MSL atomic_fetch_max_explicit(&buffer[index], value, order).
        Here element is i32, u32 or f32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

    def atomic_fetch_and(self, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
        """
        bitwise and, give the old value

        atomic_fetch_and(buffer, index, element) -> element, in MSL atomic_fetch_and_explicit(&buffer[index], value, order).
        Here element is i32 or u32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

    def atomic_fetch_or(self, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
        """
        bitwise or, give the old value

        atomic_fetch_or(buffer, index, element) -> element, in MSL atomic_fetch_or_explicit(&buffer[index], value, order).
        Here element is i32 or u32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

    def atomic_fetch_xor(self, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
        """
        bitwise exclusive or, give the old value

        atomic_fetch_xor(buffer, index, element) -> element, in MSL atomic_fetch_xor_explicit(&buffer[index], value, order).
        Here element is i32 or u32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

    def atomic_compare_exchange_weak(self, index: IRValue | int | tuple[IRValue | int, ...], expected: IRValue | float | numpy.generic, desired: IRValue | float | numpy.generic, success_order: str = 'relaxed', failure_order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
        """
        write desired where the element has the bits of expected, give whether it did; it may fail for no reason, so it stands in a loop

        atomic_compare_exchange_weak(buffer, index, element, element) -> bool.
        Here element is i32, u32 or f32.

        Errors: EnigmaError for memory of other types, and for other orders.
        """

def threadgroup_alloc(dtype: DType | str | type, size: int | tuple[int, ...] | Layout | SwizzledLayout) -> Any:
    """
    Memory that the threads of a threadgroup share: a TracingTensor of a size or a row-major shape,
    or a Tensor of a layout.
    """

def load_if(buf: TracingTensor | Tensor, index: IRValue | int | tuple[IRValue | int, ...], mask: IRValue | float | numpy.generic, default: IRValue | float | numpy.generic = 0) -> IRValue:
    """buf[index] where the mask holds, the default elsewhere."""

def store_if(buf: TracingTensor | Tensor, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, mask: IRValue | float | numpy.generic) -> None:
    """buf[index] = value where the mask holds."""

class SymInt:
    """
    A size that only a run knows, made by sym_int or of others by + - * and //.

    Shapes and strides of a Tensor and grids of a launch take it. In a kernel it is a uint. While Python
    runs it has no number: EnigmaError where one is needed.
    """

    def __add__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __radd__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __sub__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rsub__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __mul__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rmul__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __matmul__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rmatmul__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __truediv__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rtruediv__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __floordiv__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rfloordiv__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __mod__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rmod__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __pow__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rpow__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __and__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rand__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __or__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __ror__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __xor__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rxor__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __lshift__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rlshift__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rshift__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __rrshift__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __lt__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __le__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __gt__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __ge__(self, other: SymInt | IRValue | float | numpy.generic, /) -> Any: ...

    def __eq__(self, other: object, /) -> Any: ...

    def __ne__(self, other: object, /) -> Any: ...

    def __neg__(self) -> SymInt: ...

    def __invert__(self) -> IRValue: ...

    def __abs__(self) -> IRValue: ...

    def __pos__(self) -> SymInt: ...

    def __hash__(self) -> int: ...

    def __enigma_value__(self) -> IRValue:
        """Its number in the kernel that is traced."""

    def __bool__(self) -> bool: ...

    def __index__(self) -> int: ...

    @property
    def symbols(self) -> list[SymInt]:
        """The sizes of sym_int that it is made of."""

    def at(self, sizes: dict[str, int]) -> int:
        """The number that it is where the sizes of sym_int have these."""

    def __repr__(self) -> str: ...

def sym_int(name: str, divisibility: int = 1) -> SymInt:
    """
    A size that is not known when a jit function is compiled, for the shape of a Tensor.

    The arrays of each call give it; `divisibility` must divide it then, and is what vector accesses
    are proven by. ::

        M, N = enigma.sym_int("M"), enigma.sym_int("N", divisibility=4)
        A = enigma.Tensor("A", 0, "float", ((M, N), (N, 1)))

    In a kernel it is a uint of this name. Errors: EnigmaError for a name that is none.
    """

class Tensor:
    """
    Memory through a layout: an argument of a jit function, or a view of one.

    `buffer_index` is the number of the buffer in the MSL, `layout` says where its elements lie, and
    `base_offset` how many elements come before. Without a layout it is a row of elements of any
    size. A pair of shape and stride may have sizes of sym_int, which each run gives.

    Indexed by a coordinate of the layout: None keeps a mode and gives a view, an int or a traced
    integer fixes one, a tuple reaches the modes of a mode, and an index in place of a tuple counts
    through its modes, the first one fastest. All fixed is an element, which can be read and written
    in a kernel. A traced index is taken modulo the size of what it indexes.

    >>> A = Tensor("A", 0, "float", Layout((4, 8), (8, 1)))
    >>> A[2, None]
    <Tensor A: f32 (8):(1), buffer 0>

    Errors: EnigmaError for a known index that is outside, an index that is no integer, a buffer_index
    above 30, a base_offset below 0, and a layout whose indices are negative.
    """

    def __init__(self, name: str, buffer_index: int, dtype: DType | str | type, layout: Layout | SwizzledLayout | tuple[Any, Any] | None = None, base_offset: int = 0) -> None: ...

    def __getitem__(self, coord: IRValue | int | None | slice | tuple[Any, ...], /) -> Any: ...

    def __setitem__(self, coord: IRValue | int | None | slice | tuple[Any, ...], value: IRValue | float | numpy.generic | Fragment, /) -> None: ...

    def load(self) -> Fragment:
        """
        All elements, in the order of their coordinates; 0 for those beyond the end of a tensor
        that its tiles do not divide.
        """

    def store(self, value: IRValue | float | numpy.generic | Fragment) -> None:
        """
        Writes a fragment of as many elements, or one number to all, but for the elements beyond
        the end of a tensor that its tiles do not divide.
        """

    def __iter__(self) -> NoReturn: ...

    @property
    def name(self) -> str:
        """The name of its buffer in the MSL."""

    @name.setter
    def name(self, arg: str, /) -> None: ...

    @property
    def buffer_index(self) -> int | None:
        """The number of its buffer in the MSL; None for threadgroup memory."""

    @property
    def dtype(self) -> DType | None:
        """None for coordinates."""

    @property
    def layout(self) -> Layout | SwizzledLayout | None:
        """
        Where its elements lie, from its first on; None where sizes are not known.
        """

    @property
    def shape(self) -> Any: ...

    @property
    def stride(self) -> Any: ...

    @property
    def base_offset(self) -> int | SymInt:
        """Elements before the first, as far as they are known."""

    @property
    def symbols(self) -> list[SymInt]:
        """The sizes of sym_int in its shape and stride."""

    @property
    def elements(self) -> int:
        """How many elements its memory must have; 0 where that is not known."""

    def size(self, mode: int | Sequence[int] | None = None) -> int | SymInt | None:
        """
        The number of elements, of the tensor or of a mode; None for a row of any size.
        """

    def __repr__(self) -> str: ...

    def __add__(self, other: object, /) -> NoReturn: ...

    def __radd__(self, other: object, /) -> NoReturn: ...

    def __sub__(self, other: object, /) -> NoReturn: ...

    def __rsub__(self, other: object, /) -> NoReturn: ...

    def __mul__(self, other: object, /) -> NoReturn: ...

    def __rmul__(self, other: object, /) -> NoReturn: ...

    def __matmul__(self, other: object, /) -> NoReturn: ...

    def __rmatmul__(self, other: object, /) -> NoReturn: ...

    def __truediv__(self, other: object, /) -> NoReturn: ...

    def __rtruediv__(self, other: object, /) -> NoReturn: ...

    def __floordiv__(self, other: object, /) -> NoReturn: ...

    def __rfloordiv__(self, other: object, /) -> NoReturn: ...

    def __mod__(self, other: object, /) -> NoReturn: ...

    def __rmod__(self, other: object, /) -> NoReturn: ...

    def __pow__(self, other: object, /) -> NoReturn: ...

    def __rpow__(self, other: object, /) -> NoReturn: ...

    def __and__(self, other: object, /) -> NoReturn: ...

    def __rand__(self, other: object, /) -> NoReturn: ...

    def __or__(self, other: object, /) -> NoReturn: ...

    def __ror__(self, other: object, /) -> NoReturn: ...

    def __xor__(self, other: object, /) -> NoReturn: ...

    def __rxor__(self, other: object, /) -> NoReturn: ...

    def __lshift__(self, other: object, /) -> NoReturn: ...

    def __rlshift__(self, other: object, /) -> NoReturn: ...

    def __rshift__(self, other: object, /) -> NoReturn: ...

    def __rrshift__(self, other: object, /) -> NoReturn: ...

    def __lt__(self, other: object, /) -> NoReturn: ...

    def __le__(self, other: object, /) -> NoReturn: ...

    def __gt__(self, other: object, /) -> NoReturn: ...

    def __ge__(self, other: object, /) -> NoReturn: ...

    def __eq__(self, other: object, /) -> NoReturn: ...

    def __ne__(self, other: object, /) -> NoReturn: ...

    def __hash__(self) -> int: ...

def tensor_zipped_divide(tensor: Tensor, tiler: Layout | int | tuple[Any, ...] | None) -> Tensor:
    """
    The tensor as ((tile), (tiles)): zipped_divide of its layout.

    Where a tile does not divide the tensor, elements beyond the tensor's end are neither read nor
    written: a load gives 0 for them.
    """

def tensor_composition(tensor: Tensor, layout: Layout | int | tuple[Any, ...] | None, tile: int | tuple[Any, ...] | None = None) -> Tensor:
    """
    The tensor at the places that a layout gives: composition of its layout with that one.

    `tile`, where given, is the shape that the tensor must have. Error where the layout reaches
    beyond the tensor.
    """

def make_identity_tensor(shape: int | tuple[Any, ...] | SymInt) -> Tensor:
    """
    A tensor whose elements are their own coordinates, for predicates: it is divided, composed and
    sliced as the tensor of data is.
    """

def local_tile(tensor: Tensor, tiler: Layout | int | tuple[Any, ...] | None, coord: IRValue | int | None | slice | tuple[Any, ...], proj: tuple[int | None, ...] | None = None) -> Tensor:
    """
    The tile at a coordinate among the tiles; with None in it, its modes follow those of the
    tile.

    `proj` has None for each mode of the tiler and the coordinate that this tensor does not have: of
    one tile of (m, n, k) a matrix of (m, k) has the projection (1, None, 1).
    """

def local_partition(tensor: Tensor, threads: Layout, index: IRValue | int, proj: tuple[int | None, ...] | None = None) -> Tensor:
    """
    The elements of one of the threads that a layout numbers: those at its place in each tile
    of the layout's shape.

    `proj` has None for each mode of the threads whose threads share elements: of threads (16, 16) the
    projection (1, None) deals out the first mode to 16 of them.
    """

class Fragment:
    """
    The values that a thread has loaded of a tensor, one for each element.

    Operators, the functions of enigma and conversions work on each element; numbers and values of the
    kernel are the same for all. A fragment has a length, can be indexed by a number or a coordinate
    that is known, and iterated over, which gives its values.
    """

    def __add__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __radd__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __sub__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __rsub__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __mul__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __rmul__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __truediv__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __rtruediv__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __floordiv__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __rfloordiv__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __mod__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __rmod__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __pow__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __rpow__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __and__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __rand__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __or__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __ror__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __xor__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __rxor__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __lshift__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __rlshift__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __rshift__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __rrshift__(self, other: IRValue | float | numpy.generic, /) -> Fragment: ...

    def __lt__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __le__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __gt__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __ge__(self, other: IRValue | float | numpy.generic | Fragment, /) -> Fragment: ...

    def __eq__(self, other: object, /) -> Any: ...

    def __ne__(self, other: object, /) -> Any: ...

    def __neg__(self) -> Fragment: ...

    def __invert__(self) -> Fragment: ...

    def __abs__(self) -> Fragment: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int | tuple[Any, ...], /) -> IRValue: ...

    def __setitem__(self, index: object, value: object, /) -> Never: ...

    def __iter__(self) -> Iterator[IRValue]: ...

    def __bool__(self) -> bool: ...

    def __hash__(self) -> int: ...

    @property
    def shape(self) -> Any: ...

    @property
    def dtype(self) -> DType: ...

    def __repr__(self) -> str: ...

def fragment_form(fragment: Fragment, like: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
    """
    Its shape and the elements of each of its vectors; `like`, another's, where that fits.
    """

def fragment_values(fragment: Fragment, form: tuple[Any, ...]) -> list[IRValue]:
    """The vectors of a form."""

def fragment_of(values: Sequence[IRValue], form: tuple[Any, ...]) -> Fragment:
    """The fragment of a form that has these vectors."""

def name_fragment(fragment: Fragment, name: str) -> None:
    """Gives its vectors the Python name, with a number each."""

def atomic_load(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
    """
    the value, read atomically

    atomic_load(buffer, index) -> element, in MSL atomic_load_explicit(&buffer[index], order).
    Here element is i32, u32 or f32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

def atomic_store(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> None:
    """
    write the value atomically

    atomic_store(buffer, index, element) -> none, in MSL atomic_store_explicit(&buffer[index], value, order).
    Here element is i32, u32 or f32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

def atomic_exchange(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
    """
    write the value, give the old one

    atomic_exchange(buffer, index, element) -> element, in MSL atomic_exchange_explicit(&buffer[index], value, order).
    Here element is i32, u32 or f32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

def atomic_fetch_add(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
    """
    add, give the old value

    atomic_fetch_add(buffer, index, element) -> element, in MSL atomic_fetch_add_explicit(&buffer[index], value, order).
    Here element is i32, u32 or f32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

def atomic_fetch_sub(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
    """
    subtract, give the old value

    atomic_fetch_sub(buffer, index, element) -> element, in MSL atomic_fetch_sub_explicit(&buffer[index], value, order).
    Here element is i32, u32 or f32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

def atomic_fetch_min(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
    """
    store the lesser of the two, give the old value; of floats a NaN is ignored

    atomic_fetch_min(buffer, index, element) -> element, in MSL atomic_fetch_min_explicit(&buffer[index], value, order).
    Here element is i32, u32 or f32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

def atomic_fetch_max(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
    """
    store the greater of the two, give the old value; of floats a NaN is ignored

    atomic_fetch_max(buffer, index, element) -> element, in MSL atomic_fetch_max_explicit(&buffer[index], value, order).
    Here element is i32, u32 or f32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

def atomic_fetch_and(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
    """
    bitwise and, give the old value

    atomic_fetch_and(buffer, index, element) -> element, in MSL atomic_fetch_and_explicit(&buffer[index], value, order).
    Here element is i32 or u32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

def atomic_fetch_or(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
    """
    bitwise or, give the old value

    atomic_fetch_or(buffer, index, element) -> element, in MSL atomic_fetch_or_explicit(&buffer[index], value, order).
    Here element is i32 or u32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

def atomic_fetch_xor(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], value: IRValue | float | numpy.generic, order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
    """
    bitwise exclusive or, give the old value

    atomic_fetch_xor(buffer, index, element) -> element, in MSL atomic_fetch_xor_explicit(&buffer[index], value, order).
    Here element is i32 or u32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

def atomic_compare_exchange_weak(buf: TracingTensor, index: IRValue | int | tuple[IRValue | int, ...], expected: IRValue | float | numpy.generic, desired: IRValue | float | numpy.generic, success_order: str = 'relaxed', failure_order: str = 'relaxed', memory_order: str | None = None) -> IRValue:
    """
    write desired where the element has the bits of expected, give whether it did; it may fail for no reason, so it stands in a loop

    atomic_compare_exchange_weak(buffer, index, element, element) -> bool.
    Here element is i32, u32 or f32.

    Errors: EnigmaError for memory of other types, and for other orders.
    """

class Ring:
    """The tiles of a pipeline, without its slot."""

    def __init__(self, dtype: object | None, size: object | None, stages: object | None) -> None: ...

    def next(self, slot: IRValue | int) -> IRValue | int:
        """The slot after an advance."""

    def tile(self, slot: IRValue | int, stage: int) -> TracingTensor:
        """The tile of a stage."""

    @property
    def stages(self) -> int: ...

    @property
    def name(self) -> str:
        """The Python name, "" when none is known; the first one given stays."""

    @name.setter
    def name(self, arg: str, /) -> None: ...

COPY_DONE: int = 4294967295

def async_memory(what: str, x: object, device: bool, source: bool, pitch: object, columns: object, rows: object) -> TracingTensor:
    """
    The buffer, or the threadgroup memory, that a copy called `what` was given; its pitch is None
    for a line.
    """

def async_begin(to: TracingTensor, to_offset: IRValue | int, to_pitch: IRValue | int, source: TracingTensor, offset: IRValue | int, pitch: IRValue | int, columns: IRValue | int, rows: IRValue | int) -> IRValue:
    """Begins the copy of a tile; its event."""

def async_wait(event: IRValue) -> None:
    """Waits for one copy."""

def copy_row(dst: TracingTensor | Tensor, dst_first: IRValue | int, src: TracingTensor | Tensor, src_first: IRValue | int, count: int) -> bool:
    """
    Copies elements that follow each other, as vectors where they are aligned; False where they
    have to be copied one by one.
    """

def copies_vectors(dst: TracingTensor | Tensor, dst_first: IRValue | int, src: TracingTensor | Tensor, src_first: IRValue | int, count: int) -> bool:
    """Whether copy_row would copy them as vectors."""

def load_row(src: TracingTensor | Tensor, first: IRValue | int, count: int) -> list[IRValue] | None:
    """Elements that follow each other, as copy_row loads them."""

def store_row(dst: TracingTensor | Tensor, first: IRValue | int, values: list[IRValue]) -> bool:
    """Writes elements that follow each other, as copy_row does."""

def gemm_shared(A: TracingTensor | Tensor, B: TracingTensor | Tensor, C: TracingTensor | Tensor, M: int, N: int, K: int, transpose_A: bool, transpose_B: bool, accum_dtype: DType | str | type, use_simdgroup: bool | None) -> None:
    """C += A @ B, by the whole threadgroup."""

def gemm_own(A: TracingTensor | Tensor, B: TracingTensor | Tensor, sums: list[IRValue], M: int, N: int, K: int, transpose_A: bool, transpose_B: bool, accum_dtype: DType | str | type) -> list[IRValue]:
    """sums + A @ B, by each thread."""

def function_constant(dtype: DType | str | type, index: int) -> IRValue:
    """
    a number that is given when the kernel is prepared, the same for all its threads.

    The value of index `i` is given as `constants={i: value}` to prepare() or execute(), where it
    is checked against `dtype`, which can be any type. In the MSL it is a constant at file scope,
    which Metal compiles into the kernel.

    Errors: EnigmaError for an index that is no int from 0 to 65535, or has another dtype
    elsewhere in the kernel, for an unknown dtype, and outside of a kernel.
    """

def thread_position_in_grid(dim: Literal['x', 'y', 'z', 0, 1, 2] = 'x') -> IRValue:
    """position of this thread in the grid"""

def thread_position_in_threadgroup(dim: Literal['x', 'y', 'z', 0, 1, 2] = 'x') -> IRValue:
    """position of this thread in its threadgroup"""

def threadgroup_position_in_grid(dim: Literal['x', 'y', 'z', 0, 1, 2] = 'x') -> IRValue:
    """position of this threadgroup in the grid of threadgroups"""

def threads_per_threadgroup(dim: Literal['x', 'y', 'z', 0, 1, 2] = 'x') -> IRValue:
    """
    threads in this threadgroup; fewer at the edge of a grid that it does not divide
    """

def threads_per_grid(dim: Literal['x', 'y', 'z', 0, 1, 2] = 'x') -> IRValue:
    """threads in the whole grid"""

def threadgroups_per_grid(dim: Literal['x', 'y', 'z', 0, 1, 2] = 'x') -> IRValue:
    """threadgroups in the grid, the partial ones counted"""

def thread_index_in_threadgroup() -> IRValue:
    """linear index of this thread in its threadgroup, x fastest"""

def thread_index_in_simdgroup() -> IRValue:
    """lane of this thread, 0 to 31"""

def simdgroup_index_in_threadgroup() -> IRValue:
    """index of this SIMD-group in its threadgroup"""

def threads_per_simdgroup() -> IRValue:
    """lanes of a SIMD-group: 32"""

def simdgroups_per_threadgroup() -> IRValue:
    """SIMD-groups in this threadgroup, a partial one counted"""

def pow(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    integer power by repeated squaring, wrapping; a negative exponent gives 0, ±1

    pow(integer, integer) -> integer, in MSL enigma_powi(x, y).
    pow(float, float) -> float, in MSL pow(x, y): x to the y; 1 for y = 0 and for x = 1, even beside NaN, and the other edges as in C.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def neg(x: IRValue | float | numpy.generic) -> IRValue:
    """
    the value with its sign flipped

    neg(float) -> float, in MSL -x.
    neg(integer) -> integer, in MSL -x: 0 - x, wrapping.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cmp_eq(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    equal; false for NaN

    cmp_eq(float, float) -> bool, in MSL x == y.
    cmp_eq(integer, integer) -> bool, in MSL x == y: equal.
    cmp_eq(bool, bool) -> bool, in MSL x == y: equal.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64; bool is b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cmp_ne(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    not equal; true for NaN

    cmp_ne(float, float) -> bool, in MSL x != y.
    cmp_ne(integer, integer) -> bool, in MSL x != y: not equal.
    cmp_ne(bool, bool) -> bool, in MSL x != y: not equal.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64; bool is b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cmp_lt(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    less; false for NaN

    cmp_lt(float, float) -> bool, in MSL x < y.
    cmp_lt(integer, integer) -> bool, in MSL x < y: less.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cmp_le(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    less or equal; false for NaN

    cmp_le(float, float) -> bool, in MSL x <= y.
    cmp_le(integer, integer) -> bool, in MSL x <= y: less or equal.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cmp_gt(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    greater; false for NaN

    cmp_gt(float, float) -> bool, in MSL x > y.
    cmp_gt(integer, integer) -> bool, in MSL x > y: greater.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cmp_ge(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    greater or equal; false for NaN

    cmp_ge(float, float) -> bool, in MSL x >= y.
    cmp_ge(integer, integer) -> bool, in MSL x >= y: greater or equal.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cmp_ult(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    less, both read as unsigned

    cmp_ult(integer, integer) -> bool, in MSL U(x) < U(y).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cmp_ule(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    less or equal, both read as unsigned

    cmp_ule(integer, integer) -> bool, in MSL U(x) <= U(y).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cmp_ugt(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    greater, both read as unsigned

    cmp_ugt(integer, integer) -> bool, in MSL U(x) > U(y).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cmp_uge(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    greater or equal, both read as unsigned

    cmp_uge(integer, integer) -> bool, in MSL U(x) >= U(y).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def where(false_val: IRValue | float | numpy.generic, true_val: IRValue | float | numpy.generic, condition: IRValue | float | numpy.generic) -> IRValue:
    """
    where(false_val, true_val, condition): the second where the condition holds, the first elsewhere

    where(any, any, bool) -> any.
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def metal_cast(x: IRValue | float | numpy.generic, dtype: DType | str | type) -> IRValue:
    """
    convert: integers modulo 2^width, float to int truncates and saturates, NaN is 0

    metal_cast(any, dtype) -> dtype.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def as_type(x: IRValue | float | numpy.generic, dtype: DType | str | type) -> IRValue:
    """
    the same bits read as another type of the same width

    as_type(any, dtype) -> dtype.
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def sqrt(x: IRValue | float | numpy.generic) -> IRValue:
    """
    square root, correctly rounded; NaN below 0

    sqrt(float) -> float, in MSL sqrt(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def rsqrt(x: IRValue | float | numpy.generic) -> IRValue:
    """
    1 / sqrt(x); infinity at 0, NaN below

    rsqrt(float) -> float, in MSL rsqrt(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def abs(x: IRValue | float | numpy.generic) -> IRValue:
    """
    absolute value

    abs(float) -> float, in MSL fabs(x).
    abs(integer) -> integer: absolute value, wrapping at the minimum.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def ceil(x: IRValue | float | numpy.generic) -> IRValue:
    """
    round toward positive infinity

    ceil(float) -> float, in MSL ceil(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def floor(x: IRValue | float | numpy.generic) -> IRValue:
    """
    round toward negative infinity

    floor(float) -> float, in MSL floor(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def round(x: IRValue | float | numpy.generic) -> IRValue:
    """
    round to nearest, half away from zero

    round(float) -> float, in MSL round(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def rint(x: IRValue | float | numpy.generic) -> IRValue:
    """
    round to nearest, half to even

    rint(float) -> float, in MSL rint(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def trunc(x: IRValue | float | numpy.generic) -> IRValue:
    """
    round toward zero

    trunc(float) -> float, in MSL trunc(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def sign(x: IRValue | float | numpy.generic) -> IRValue:
    """
    1, -1 or the zero itself; 0 for NaN

    sign(float) -> float, in MSL sign(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def saturate(x: IRValue | float | numpy.generic) -> IRValue:
    """
    clamped to [0, 1]; 0 for NaN

    saturate(float) -> float, in MSL saturate(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def fract(x: IRValue | float | numpy.generic) -> IRValue:
    """
    x - floor(x), always below 1; NaN for infinities

    fract(float) -> float, in MSL fract(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def exp(x: IRValue | float | numpy.generic) -> IRValue:
    """
    e to the x; infinity where that is too large, 0 where it is too small

    exp(float) -> float, in MSL exp(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def exp2(x: IRValue | float | numpy.generic) -> IRValue:
    """
    2 to the x; infinity where that is too large, 0 where it is too small

    exp2(float) -> float, in MSL exp2(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def exp10(x: IRValue | float | numpy.generic) -> IRValue:
    """
    10 to the x; infinity where that is too large, 0 where it is too small

    exp10(float) -> float, in MSL exp10(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def log(x: IRValue | float | numpy.generic) -> IRValue:
    """
    natural logarithm; -infinity at 0, NaN below

    log(float) -> float, in MSL log(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def log2(x: IRValue | float | numpy.generic) -> IRValue:
    """
    logarithm to base 2, exact for powers of 2; -infinity at 0, NaN below

    log2(float) -> float, in MSL log2(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def log10(x: IRValue | float | numpy.generic) -> IRValue:
    """
    logarithm to base 10; -infinity at 0, NaN below

    log10(float) -> float, in MSL log10(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def sin(x: IRValue | float | numpy.generic) -> IRValue:
    """
    sine of radians; NaN for infinities

    sin(float) -> float, in MSL sin(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cos(x: IRValue | float | numpy.generic) -> IRValue:
    """
    cosine of radians; NaN for infinities

    cos(float) -> float, in MSL cos(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def tan(x: IRValue | float | numpy.generic) -> IRValue:
    """
    tangent of radians; NaN for infinities

    tan(float) -> float, in MSL tan(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def asin(x: IRValue | float | numpy.generic) -> IRValue:
    """
    arc sine; NaN beyond 1 and -1

    asin(float) -> float, in MSL asin(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def acos(x: IRValue | float | numpy.generic) -> IRValue:
    """
    arc cosine; NaN beyond 1 and -1

    acos(float) -> float, in MSL acos(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def atan(x: IRValue | float | numpy.generic) -> IRValue:
    """
    arc tangent; half of pi at infinity

    atan(float) -> float, in MSL atan(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def sinh(x: IRValue | float | numpy.generic) -> IRValue:
    """
    hyperbolic sine; infinite where that is too large

    sinh(float) -> float, in MSL sinh(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cosh(x: IRValue | float | numpy.generic) -> IRValue:
    """
    hyperbolic cosine; infinity where that is too large

    cosh(float) -> float, in MSL cosh(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def tanh(x: IRValue | float | numpy.generic) -> IRValue:
    """
    hyperbolic tangent; 1 and -1 at the infinities

    tanh(float) -> float, in MSL tanh(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def asinh(x: IRValue | float | numpy.generic) -> IRValue:
    """
    inverse hyperbolic sine

    asinh(float) -> float, in MSL asinh(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def acosh(x: IRValue | float | numpy.generic) -> IRValue:
    """
    inverse hyperbolic cosine; NaN below 1

    acosh(float) -> float, in MSL acosh(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def atanh(x: IRValue | float | numpy.generic) -> IRValue:
    """
    inverse hyperbolic tangent; infinite at 1 and -1, NaN beyond

    atanh(float) -> float, in MSL atanh(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def erf(x: IRValue | float | numpy.generic) -> IRValue:
    """
    error function; 1 and -1 at the infinities

    erf(float) -> float, in MSL enigma_erf(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def expm1(x: IRValue | float | numpy.generic) -> IRValue:
    """
    exp(x) - 1, exact near 0; -1 at -infinity

    expm1(float) -> float, in MSL enigma_expm1(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def log1p(x: IRValue | float | numpy.generic) -> IRValue:
    """
    log(1 + x), exact near 0; -infinity at -1, NaN below

    log1p(float) -> float, in MSL enigma_log1p(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def fmin(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    the lesser; ignores one NaN

    fmin(float, float) -> float, in MSL fmin(x, y).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def fmax(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    the greater; ignores one NaN

    fmax(float, float) -> float, in MSL fmax(x, y).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def fmod(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    remainder with the sign of the dividend, exact; NaN for infinite x, or y = 0

    fmod(float, float) -> float, in MSL fmod(x, y).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def atan2(y: IRValue | float | numpy.generic, x: IRValue | float | numpy.generic) -> IRValue:
    """
    atan2(y, x): angle of the point (x, y), in all four quadrants; signed zeros and infinities as in C

    atan2(float, float) -> float, in MSL atan2(y, x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def step(edge: IRValue | float | numpy.generic, x: IRValue | float | numpy.generic) -> IRValue:
    """
    step(edge, x): 0 where x < edge, 1 elsewhere, for NaN too

    step(float, float) -> float, in MSL step(edge, x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def copysign(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    the first with the sign of the second

    copysign(float, float) -> float, in MSL copysign(x, y).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def hypot(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    sqrt(x*x + y*y) without overflow on the way; infinity beside an infinity, even with NaN

    hypot(float, float) -> float, in MSL enigma_hypot(x, y).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def clamp(x: IRValue | float | numpy.generic, lo: IRValue | float | numpy.generic, hi: IRValue | float | numpy.generic) -> IRValue:
    """
    clamp(x, lo, hi): x held between lo and hi; lo for NaN

    clamp(float, float, float) -> float, in MSL clamp(x, lo, hi).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def fma(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic, z: IRValue | float | numpy.generic) -> IRValue:
    """
    x * y + z, rounded once

    fma(float, float, float) -> float, in MSL fma(x, y, z).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def mix(a: IRValue | float | numpy.generic, b: IRValue | float | numpy.generic, t: IRValue | float | numpy.generic) -> IRValue:
    """
    mix(a, b, t): a + (b - a) * t

    mix(float, float, float) -> float, in MSL enigma_mix(a, b, t).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def smoothstep(e0: IRValue | float | numpy.generic, e1: IRValue | float | numpy.generic, x: IRValue | float | numpy.generic) -> IRValue:
    """
    smoothstep(e0, e1, x): Hermite ramp from 0 at e0 to 1 at e1; 0 for NaN

    smoothstep(float, float, float) -> float, in MSL smoothstep(e0, e1, x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def isnan(x: IRValue | float | numpy.generic) -> IRValue:
    """
    true for NaN

    isnan(float) -> bool, in MSL isnan(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def isinf(x: IRValue | float | numpy.generic) -> IRValue:
    """
    true for both infinities

    isinf(float) -> bool, in MSL isinf(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def isfinite(x: IRValue | float | numpy.generic) -> IRValue:
    """
    false for NaN and the infinities

    isfinite(float) -> bool, in MSL isfinite(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def signbit(x: IRValue | float | numpy.generic) -> IRValue:
    """
    true where the sign bit is set

    signbit(float) -> bool, in MSL signbit(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def isnormal(x: IRValue | float | numpy.generic) -> IRValue:
    """
    false for NaN, infinities, zeros and denormals

    isnormal(float) -> bool, in MSL isnormal(x).
    Here float is f32, f16 or bf16.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def imin(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    the lesser

    imin(integer, integer) -> integer, in MSL min(x, y).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def imax(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    the greater

    imax(integer, integer) -> integer, in MSL max(x, y).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def iclamp(x: IRValue | float | numpy.generic, lo: IRValue | float | numpy.generic, hi: IRValue | float | numpy.generic) -> IRValue:
    """
    iclamp(x, lo, hi): x held between lo and hi

    iclamp(integer, integer, integer) -> integer, in MSL clamp(x, lo, hi).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def mul_hi(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    upper half of the product of twice the width

    mul_hi(integer, integer) -> integer, in MSL mulhi(x, y).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def popcount(x: IRValue | float | numpy.generic) -> IRValue:
    """
    number of one bits

    popcount(integer) -> integer, in MSL popcount(x).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def clz(x: IRValue | float | numpy.generic) -> IRValue:
    """
    zero bits above the highest one; the width for 0

    clz(integer) -> integer, in MSL clz(x).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def ctz(x: IRValue | float | numpy.generic) -> IRValue:
    """
    zero bits below the lowest one; the width for 0

    ctz(integer) -> integer, in MSL ctz(x).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def abs_diff(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    distance of two integers, as the unsigned type of their width

    abs_diff(integer, integer) -> unsigned, in MSL absdiff(x, y).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def abs_diff_unary(x: IRValue | float | numpy.generic) -> IRValue:
    """
    absolute value, as the unsigned type of the same width

    abs_diff_unary(integer) -> unsigned.
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def add_sat(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    sum; beyond the type's end it is that end

    add_sat(integer, integer) -> integer, in MSL addsat(x, y).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def sub_sat(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    difference; beyond the type's end it is that end

    sub_sat(integer, integer) -> integer, in MSL subsat(x, y).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def mad_sat(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic, z: IRValue | float | numpy.generic) -> IRValue:
    """
    x * y + z, all of it exact; beyond the type's end it is that end

    mad_sat(integer, integer, integer) -> integer, in MSL madsat(x, y, z).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def rotate(x: IRValue | float | numpy.generic, count: IRValue | float | numpy.generic) -> IRValue:
    """
    rotate(x, count): bits moved left, those that leave come in at the right; the count is taken modulo the width

    rotate(integer, uint) -> integer.
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def reverse_bits(x: IRValue | float | numpy.generic) -> IRValue:
    """
    the bits in the opposite order

    reverse_bits(integer) -> integer, in MSL reverse_bits(x).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def extract_bits(x: IRValue | float | numpy.generic, offset: IRValue | float | numpy.generic, bits: IRValue | float | numpy.generic) -> IRValue:
    """
    extract_bits(x, offset, bits): that many bits from the offset on, sign-extended for signed types; those beyond the width are left out, and no bits are 0

    extract_bits(integer, uint, uint) -> integer.
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def insert_bits(base: IRValue | float | numpy.generic, insert: IRValue | float | numpy.generic, offset: IRValue | float | numpy.generic, bits: IRValue | float | numpy.generic) -> IRValue:
    """
    insert_bits(base, insert, offset, bits): base with the lowest bits of insert from the offset on; those beyond the width are left out

    insert_bits(integer, integer, uint, uint) -> integer.
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def dequantize_int8(x: IRValue | float | numpy.generic, scale: IRValue | float | numpy.generic, zero_point: IRValue | float | numpy.generic = 0) -> IRValue:
    """
    dequantize_int8(x, scale, zero_point=0): (x - zero_point) * scale, as float

    dequantize_int8(integer, float, float) -> float, in MSL enigma_dequantize_int8(x, scale, zero_point).
    Here integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def dot(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    sum of the products of the components

    dot(float vector, float vector) -> float, in MSL dot(x, y).

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def length(x: IRValue | float | numpy.generic) -> IRValue:
    """
    sqrt(dot(x, x))

    length(float vector) -> float, in MSL length(x).

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def distance(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    length(x - y)

    distance(float vector, float vector) -> float, in MSL distance(x, y).

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def normalize(x: IRValue | float | numpy.generic) -> IRValue:
    """
    x / length(x); unspecified for a vector of zeros

    normalize(float vector) -> float vector, in MSL normalize(x).

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def cross(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    cross product of vectors of 3

    cross(float 3-vector, float 3-vector) -> float 3-vector, in MSL cross(x, y).

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def reflect(i: IRValue | float | numpy.generic, n: IRValue | float | numpy.generic) -> IRValue:
    """
    reflect(i, n): i - 2 * dot(n, i) * n

    reflect(float vector, float vector) -> float vector, in MSL reflect(i, n).

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def refract(i: IRValue | float | numpy.generic, n: IRValue | float | numpy.generic, eta: IRValue | float | numpy.generic) -> IRValue:
    """
    refract(i, n, eta): the refracted direction; zeros where all is reflected

    refract(float vector, float vector, float) -> float vector, in MSL refract(i, n, eta).

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def faceforward(n: IRValue | float | numpy.generic, i: IRValue | float | numpy.generic, nref: IRValue | float | numpy.generic) -> IRValue:
    """
    faceforward(n, i, nref): n where dot(nref, i) < 0, -n elsewhere

    faceforward(float vector, float vector, float vector) -> float vector, in MSL faceforward(n, i, nref).

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def matmul(x: IRValue | float | numpy.generic, y: IRValue | float | numpy.generic) -> IRValue:
    """
    matrix times matrix, matrix times column, or row times matrix; also a @ b

    matmul(float matrix or vector, float matrix or vector) -> float matrix or vector, in MSL x * y.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def transpose(x: IRValue | float | numpy.generic) -> IRValue:
    """
    rows as columns

    transpose(float matrix) -> float matrix, in MSL transpose(x).

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def determinant(x: IRValue | float | numpy.generic) -> IRValue:
    """
    determinant of a square matrix

    determinant(square float matrix) -> float, in MSL determinant(x).

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_sum(x: IRValue | float | numpy.generic) -> IRValue:
    """
    sum over the SIMD-group

    simd_sum(float) -> float, in MSL simd_sum(x).
    simd_sum(integer) -> integer, in MSL simd_sum(x): sum over the SIMD-group, wrapping.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_product(x: IRValue | float | numpy.generic) -> IRValue:
    """
    product over the SIMD-group

    simd_product(float) -> float, in MSL simd_product(x).
    simd_product(integer) -> integer, in MSL simd_product(x): product over the SIMD-group, wrapping.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_min(x: IRValue | float | numpy.generic) -> IRValue:
    """
    least over the SIMD-group; ignores NaN

    simd_min(float) -> float, in MSL simd_min(x).
    simd_min(integer) -> integer, in MSL simd_min(x): least over the SIMD-group.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_max(x: IRValue | float | numpy.generic) -> IRValue:
    """
    greatest over the SIMD-group; ignores NaN

    simd_max(float) -> float, in MSL simd_max(x).
    simd_max(integer) -> integer, in MSL simd_max(x): greatest over the SIMD-group.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_and(x: IRValue | float | numpy.generic) -> IRValue:
    """
    bitwise and over the SIMD-group

    simd_and(integer) -> integer, in MSL simd_and(x).
    simd_and(bool) -> bool, in MSL simd_and(x): whether it holds in all lanes of the SIMD-group.
    Here integer is i8 to i64 or u8 to u64; bool is b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_or(x: IRValue | float | numpy.generic) -> IRValue:
    """
    bitwise or over the SIMD-group

    simd_or(integer) -> integer, in MSL simd_or(x).
    simd_or(bool) -> bool, in MSL simd_or(x): whether it holds in a lane of the SIMD-group.
    Here integer is i8 to i64 or u8 to u64; bool is b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_xor(x: IRValue | float | numpy.generic) -> IRValue:
    """
    bitwise exclusive or over the SIMD-group

    simd_xor(integer) -> integer, in MSL simd_xor(x).
    simd_xor(bool) -> bool, in MSL simd_xor(x): whether it holds in an odd number of lanes of the SIMD-group.
    Here integer is i8 to i64 or u8 to u64; bool is b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_prefix_inclusive_sum(x: IRValue | float | numpy.generic) -> IRValue:
    """
    sum over the SIMD-group's lanes up to this one

    simd_prefix_inclusive_sum(float) -> float, in MSL simd_prefix_inclusive_sum(x).
    simd_prefix_inclusive_sum(integer) -> integer, in MSL simd_prefix_inclusive_sum(x): sum over the SIMD-group's lanes up to this one, wrapping.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_prefix_exclusive_sum(x: IRValue | float | numpy.generic) -> IRValue:
    """
    sum over the SIMD-group's lanes below this one; 0 in the first

    simd_prefix_exclusive_sum(float) -> float, in MSL simd_prefix_exclusive_sum(x).
    simd_prefix_exclusive_sum(integer) -> integer, in MSL simd_prefix_exclusive_sum(x): sum over the SIMD-group's lanes below this one, wrapping; 0 in the first.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_prefix_inclusive_product(x: IRValue | float | numpy.generic) -> IRValue:
    """
    product over the SIMD-group's lanes up to this one

    simd_prefix_inclusive_product(float) -> float, in MSL simd_prefix_inclusive_product(x).
    simd_prefix_inclusive_product(integer) -> integer, in MSL simd_prefix_inclusive_product(x): product over the SIMD-group's lanes up to this one, wrapping.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_prefix_exclusive_product(x: IRValue | float | numpy.generic) -> IRValue:
    """
    product over the SIMD-group's lanes below this one; 1 in the first

    simd_prefix_exclusive_product(float) -> float, in MSL simd_prefix_exclusive_product(x).
    simd_prefix_exclusive_product(integer) -> integer, in MSL simd_prefix_exclusive_product(x): product over the SIMD-group's lanes below this one, wrapping; 1 in the first.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_shuffle(x: IRValue | float | numpy.generic, lane: IRValue | float | numpy.generic) -> IRValue:
    """
    simd_shuffle(x, lane): the value of that lane of the SIMD-group, whose number is taken modulo its width

    simd_shuffle(any, uint) -> any, in MSL simd_shuffle(x, lane).
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_shuffle_up(x: IRValue | float | numpy.generic, delta: IRValue | float | numpy.generic) -> IRValue:
    """
    simd_shuffle_up(x, delta): the value of the lane that far below; the SIMD-group's lowest lanes keep theirs

    simd_shuffle_up(any, uint) -> any, in MSL simd_shuffle_up(x, delta).
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_shuffle_down(x: IRValue | float | numpy.generic, delta: IRValue | float | numpy.generic) -> IRValue:
    """
    simd_shuffle_down(x, delta): the value of the lane that far above; the SIMD-group's highest lanes keep theirs

    simd_shuffle_down(any, uint) -> any, in MSL simd_shuffle_down(x, delta).
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_shuffle_xor(x: IRValue | float | numpy.generic, mask: IRValue | float | numpy.generic) -> IRValue:
    """
    simd_shuffle_xor(x, mask): the value of the SIMD-group's lane whose number differs in the bits of mask

    simd_shuffle_xor(any, uint) -> any, in MSL simd_shuffle_xor(x, mask).
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def simd_broadcast(x: IRValue | float | numpy.generic, lane: IRValue | float | numpy.generic) -> IRValue:
    """
    simd_broadcast(x, lane): the value of that lane, for all of the SIMD-group

    simd_broadcast(any, uint) -> any, in MSL simd_broadcast(x, lane).
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_sum(x: IRValue | float | numpy.generic) -> IRValue:
    """
    sum over the quad-group

    quad_sum(float) -> float, in MSL quad_sum(x).
    quad_sum(integer) -> integer, in MSL quad_sum(x): sum over the quad-group, wrapping.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_product(x: IRValue | float | numpy.generic) -> IRValue:
    """
    product over the quad-group

    quad_product(float) -> float, in MSL quad_product(x).
    quad_product(integer) -> integer, in MSL quad_product(x): product over the quad-group, wrapping.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_min(x: IRValue | float | numpy.generic) -> IRValue:
    """
    least over the quad-group; ignores NaN

    quad_min(float) -> float, in MSL quad_min(x).
    quad_min(integer) -> integer, in MSL quad_min(x): least over the quad-group.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_max(x: IRValue | float | numpy.generic) -> IRValue:
    """
    greatest over the quad-group; ignores NaN

    quad_max(float) -> float, in MSL quad_max(x).
    quad_max(integer) -> integer, in MSL quad_max(x): greatest over the quad-group.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_and(x: IRValue | float | numpy.generic) -> IRValue:
    """
    bitwise and over the quad-group

    quad_and(integer) -> integer, in MSL quad_and(x).
    quad_and(bool) -> bool, in MSL quad_and(x): whether it holds in all lanes of the quad-group.
    Here integer is i8 to i64 or u8 to u64; bool is b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_or(x: IRValue | float | numpy.generic) -> IRValue:
    """
    bitwise or over the quad-group

    quad_or(integer) -> integer, in MSL quad_or(x).
    quad_or(bool) -> bool, in MSL quad_or(x): whether it holds in a lane of the quad-group.
    Here integer is i8 to i64 or u8 to u64; bool is b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_xor(x: IRValue | float | numpy.generic) -> IRValue:
    """
    bitwise exclusive or over the quad-group

    quad_xor(integer) -> integer, in MSL quad_xor(x).
    quad_xor(bool) -> bool, in MSL quad_xor(x): whether it holds in an odd number of lanes of the quad-group.
    Here integer is i8 to i64 or u8 to u64; bool is b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_prefix_inclusive_sum(x: IRValue | float | numpy.generic) -> IRValue:
    """
    sum over the quad-group's lanes up to this one

    quad_prefix_inclusive_sum(float) -> float, in MSL quad_prefix_inclusive_sum(x).
    quad_prefix_inclusive_sum(integer) -> integer, in MSL quad_prefix_inclusive_sum(x): sum over the quad-group's lanes up to this one, wrapping.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_prefix_exclusive_sum(x: IRValue | float | numpy.generic) -> IRValue:
    """
    sum over the quad-group's lanes below this one; 0 in the first

    quad_prefix_exclusive_sum(float) -> float, in MSL quad_prefix_exclusive_sum(x).
    quad_prefix_exclusive_sum(integer) -> integer, in MSL quad_prefix_exclusive_sum(x): sum over the quad-group's lanes below this one, wrapping; 0 in the first.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_prefix_inclusive_product(x: IRValue | float | numpy.generic) -> IRValue:
    """
    product over the quad-group's lanes up to this one

    quad_prefix_inclusive_product(float) -> float, in MSL quad_prefix_inclusive_product(x).
    quad_prefix_inclusive_product(integer) -> integer, in MSL quad_prefix_inclusive_product(x): product over the quad-group's lanes up to this one, wrapping.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_prefix_exclusive_product(x: IRValue | float | numpy.generic) -> IRValue:
    """
    product over the quad-group's lanes below this one; 1 in the first

    quad_prefix_exclusive_product(float) -> float, in MSL quad_prefix_exclusive_product(x).
    quad_prefix_exclusive_product(integer) -> integer, in MSL quad_prefix_exclusive_product(x): product over the quad-group's lanes below this one, wrapping; 1 in the first.
    Here float is f32, f16 or bf16; integer is i8 to i64 or u8 to u64.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_shuffle(x: IRValue | float | numpy.generic, lane: IRValue | float | numpy.generic) -> IRValue:
    """
    quad_shuffle(x, lane): the value of that lane of the quad-group, whose number is taken modulo its width

    quad_shuffle(any, uint) -> any, in MSL quad_shuffle(x, lane).
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_shuffle_up(x: IRValue | float | numpy.generic, delta: IRValue | float | numpy.generic) -> IRValue:
    """
    quad_shuffle_up(x, delta): the value of the lane that far below; the quad-group's lowest lanes keep theirs

    quad_shuffle_up(any, uint) -> any, in MSL quad_shuffle_up(x, delta).
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_shuffle_down(x: IRValue | float | numpy.generic, delta: IRValue | float | numpy.generic) -> IRValue:
    """
    quad_shuffle_down(x, delta): the value of the lane that far above; the quad-group's highest lanes keep theirs

    quad_shuffle_down(any, uint) -> any, in MSL quad_shuffle_down(x, delta).
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_shuffle_xor(x: IRValue | float | numpy.generic, mask: IRValue | float | numpy.generic) -> IRValue:
    """
    quad_shuffle_xor(x, mask): the value of the quad-group's lane whose number differs in the bits of mask

    quad_shuffle_xor(any, uint) -> any, in MSL quad_shuffle_xor(x, mask).
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def quad_broadcast(x: IRValue | float | numpy.generic, lane: IRValue | float | numpy.generic) -> IRValue:
    """
    quad_broadcast(x, lane): the value of that lane, for all of the quad-group

    quad_broadcast(any, uint) -> any, in MSL quad_broadcast(x, lane).
    Here any is a float, an integer or b1.

    Errors: EnigmaError, with the signature, for operands of other types.
    """

def barrier(mem_flags: str = 'mem_threadgroup') -> None:
    """all threads of the threadgroup wait for each other"""

def simd_barrier(mem_flags: str = 'mem_threadgroup') -> None:
    """all threads of the SIMD-group wait for each other"""

def query(name: str, dim: Literal['x', 'y', 'z', 0, 1, 2] = 0) -> IRValue:
    """A grid query by its name; `dim` is its component, where it has three."""

def make_vec(*parts: IRValue | float | numpy.generic) -> IRValue:
    """
    a vector of 2 to 4 components, which are numbers or the components of vectors
    """

def make_float2(*parts: IRValue | float | numpy.generic) -> IRValue:
    """
    A vector of 2 floats, which are numbers or the components of vectors; one number alone is all of them.
    """

def make_float3(*parts: IRValue | float | numpy.generic) -> IRValue:
    """
    A vector of 3 floats, which are numbers or the components of vectors; one number alone is all of them.
    """

def make_float4(*parts: IRValue | float | numpy.generic) -> IRValue:
    """
    A vector of 4 floats, which are numbers or the components of vectors; one number alone is all of them.
    """

def make_matrix(*columns: IRValue) -> IRValue:
    """
    a matrix of 2 to 4 columns, which are float or half vectors of one size
    """

def pack_float_to_snorm4x8(*parts: IRValue | float | numpy.generic) -> IRValue:
    """
    each component, clamped to [-1, 1], times 127 and rounded to nearest even, in 8 bits
    """

def pack_float_to_unorm4x8(*parts: IRValue | float | numpy.generic) -> IRValue:
    """
    each component, clamped to [0, 1], times 255 and rounded to nearest even, in 8 bits
    """

def pack_float_to_snorm2x16(*parts: IRValue | float | numpy.generic) -> IRValue:
    """
    each component, clamped to [-1, 1], times 32767 and rounded to nearest even, in 16 bits
    """

def pack_float_to_unorm2x16(*parts: IRValue | float | numpy.generic) -> IRValue:
    """
    each component, clamped to [0, 1], times 65535 and rounded to nearest even, in 16 bits
    """

def pack_float_to_srgb_unorm4x8(*parts: IRValue | float | numpy.generic) -> IRValue:
    """
    linear red, green and blue as sRGB and the last component as it is, clamped to [0, 1], in 8 bits each
    """

def pack_float_to_unorm10a2(*parts: IRValue | float | numpy.generic) -> IRValue:
    """
    each component, clamped to [0, 1] and rounded to nearest even, three in 10 bits each and the last in 2
    """

def unpack_snorm4x8_to_float(x: IRValue | float | numpy.generic) -> IRValue:
    """four signed numbers of 8 bits, divided by 127, at least -1"""

def unpack_unorm4x8_to_float(x: IRValue | float | numpy.generic) -> IRValue:
    """four numbers of 8 bits, divided by 255"""

def unpack_snorm2x16_to_float(x: IRValue | float | numpy.generic) -> IRValue:
    """two signed numbers of 16 bits, divided by 32767, at least -1"""

def unpack_unorm2x16_to_float(x: IRValue | float | numpy.generic) -> IRValue:
    """two numbers of 16 bits, divided by 65535"""

def unpack_srgb_unorm4x8_to_float(x: IRValue | float | numpy.generic) -> IRValue:
    """
    four numbers of 8 bits, divided by 255, and the first three from sRGB to linear, within 8 ulp
    """

def unpack_unorm10a2_to_float(x: IRValue | float | numpy.generic) -> IRValue:
    """
    three numbers of 10 bits, divided by 1023, and one of 2 bits, divided by 3
    """

def pack_uint8x4(*parts: IRValue | float | numpy.generic) -> IRValue:
    """the low 8 bits of each component"""

def unpack_uint8x4(x: IRValue | float | numpy.generic) -> IRValue:
    """four numbers of 8 bits"""

def pack_int4x2(*parts: IRValue | float | numpy.generic) -> IRValue:
    """the low 4 bits of each component, in the low 8 bits"""

def unpack_int4x2(x: IRValue | float | numpy.generic) -> IRValue:
    """two signed numbers of 4 bits, from the low 8 bits"""

unpack_unorm4x8_srgb_to_float = unpack_srgb_unorm4x8_to_float

def vec_extract(v: IRValue, index: IRValue | float | numpy.generic) -> IRValue:
    """
    vec_extract(v, index): a component of a vector, a column of a matrix, counted from 0
    """

def make_filled_simdgroup_matrix(value: IRValue | float | numpy.generic, elem: DType | str | type = 'float', rows: int = 8, cols: int = 8) -> IRValue:
    """
    an 8 x 8 matrix of one value.

    `elem` is float, half or bfloat; the value is converted to it.

    All 32 threads of a SIMD-group must get here together, with the same operands: a condition
    or a loop around it must not differ between them. Every threadgroup of the launch must have
    a multiple of 32 threads.

    Errors: EnigmaError where that is known not to be so, for operands of other types, and outside
    of a kernel.
    """

def simdgroup_matrix_load(buf: TracingTensor | Tensor, elements_per_row: IRValue | int, elem: DType | str | type = 'float', rows: int = 8, cols: int = 8, offset: IRValue | int | tuple[IRValue | int, ...] = 0, transpose: bool = False) -> IRValue:
    """
    an 8 x 8 matrix from memory.

    Row r begins at offset + r * elements_per_row; with `transpose` column r does. `elem` is the
    type of the memory: float, half or bfloat.

    All 32 threads of a SIMD-group must get here together, with the same operands: a condition
    or a loop around it must not differ between them. Every threadgroup of the launch must have
    a multiple of 32 threads.

    Errors: EnigmaError where that is known not to be so, for operands of other types, and outside
    of a kernel.
    """

def simdgroup_matrix_store(m: IRValue, buf: TracingTensor | Tensor, elements_per_row: IRValue | int, offset: IRValue | int | tuple[IRValue | int, ...] = 0, transpose: bool = False) -> None:
    """
    write an 8 x 8 matrix to memory.

    Row r begins at offset + r * elements_per_row; with `transpose` column r does. The memory has
    the matrix's type.

    All 32 threads of a SIMD-group must get here together, with the same operands: a condition
    or a loop around it must not differ between them. Every threadgroup of the launch must have
    a multiple of 32 threads.

    Errors: EnigmaError where that is known not to be so, for operands of other types, and outside
    of a kernel.
    """

def simdgroup_multiply_accumulate(a: IRValue, b: IRValue, c: IRValue) -> IRValue:
    """
    a @ b + c of 8 x 8 matrices, summed in float and rounded to c's type.

    The three have one type, or c is float.

    All 32 threads of a SIMD-group must get here together, with the same operands: a condition
    or a loop around it must not differ between them. Every threadgroup of the launch must have
    a multiple of 32 threads.

    Errors: EnigmaError where that is known not to be so, for operands of other types, and outside
    of a kernel.
    """

class Operation:
    """A row of the operation table, include/enigma/ops.def."""

    @property
    def name(self) -> str:
        """The enumerator: AddF."""

    @property
    def mnemonic(self) -> str:
        """The name in the textual IR: arith.addf."""

    @property
    def shape(self) -> str:
        """What code handles it: Map, Cast, Lane, ..."""

    @property
    def operands(self) -> str:
        """A letter for each operand, as ops.def explains."""

    @property
    def result(self) -> str:
        """The letter of the result."""

    @property
    def flags(self) -> list[str]:
        """The names in its column of flags."""

    @property
    def msl(self) -> str:
        """Its MSL for x, y, ...; empty where that is written by hand."""

    @property
    def python(self) -> str:
        """Its name or symbol in Python, or nothing."""

    @property
    def doc(self) -> str:
        """What it gives, also at the edges."""

    @property
    def signature(self) -> str:
        """As messages show it: sqrt(float) -> float."""

def operations() -> list[Operation]:
    """The rows of the operation table."""

class Module:
    """A traced kernel in the IR."""

    @property
    def name(self) -> str: ...

    @property
    def text(self) -> str:
        """The text form; parse_module reads it."""

    def __repr__(self) -> str: ...

def parse_module(text: str) -> Module:
    """The module of a text form."""

class ParamInfo:
    """A parameter of a compiled kernel."""

    @property
    def name(self) -> str: ...

    @property
    def index(self) -> int:
        """The MSL buffer index."""

    @property
    def dtype(self) -> DType: ...

    @property
    def is_scalar(self) -> bool: ...

    @property
    def read(self) -> bool: ...

    @property
    def written(self) -> bool: ...

    def __repr__(self) -> str: ...

class ConstantInfo:
    """A function constant of a compiled kernel."""

    @property
    def index(self) -> int: ...

    @property
    def dtype(self) -> DType: ...

    @property
    def name(self) -> str:
        """The Python name, "" where it has none."""

    def __repr__(self) -> str: ...

class Artifact:
    """A compiled kernel."""

    @property
    def kernel_name(self) -> str: ...

    @property
    def msl_name(self) -> str:
        """The name of the function in the MSL text."""

    @property
    def msl(self) -> str: ...

    @property
    def air_msl(self) -> str:
        """The MSL with AIR's own asynchronous copies; "" where there is none."""

    @property
    def ir(self) -> str:
        """The IR after the passes, as text."""

    @property
    def launches(self) -> list[tuple[Artifact, list[int], tuple[int | SymInt, int | SymInt, int | SymInt], tuple[int, int, int]]]:
        """
        What a jit function launches: kernel, the numbers of its parameters, grid, block; empty for
        a kernel by itself.
        """

    @property
    def sizes(self) -> list[int]:
        """
        The numbers of the parameters that are sizes of a jit function's tensors.
        """

    def solve(self, arguments: Sequence[object], scalars: dict[str, int] | None = None) -> dict[str, int]:
        """The sizes that a call with these arguments has, by name."""

    @property
    def params(self) -> list[ParamInfo]: ...

    @property
    def constants(self) -> list[ConstantInfo]: ...

    @property
    def threadgroup_bytes(self) -> int: ...

    @property
    def msl_version(self) -> int:
        """The language version that the MSL needs: 310 is MSL 3.1."""

    @property
    def fast_math(self) -> bool: ...

    @property
    def warnings(self) -> list[tuple[str, str, int]]:
        """Message, file and line of each."""

    def cpu_code(self, threads: int | tuple[int, ...] = 256, edges: bool = False) -> tuple[str, str, int]:
        """LLVM IR, symbol and scratch bytes of the variant for this threadgroup."""

    def __repr__(self) -> str: ...

def compile(module: Module, fast_math: bool = False, dump: Callable[[str, str], object] | None = None) -> Artifact:
    """
    Passes, verification and MSL. `dump(pass, ir)` is called after each pass.
    """

def join(name: str, params: list[tuple[str, int, DType, bool]], launches: list[tuple[Artifact, tuple[int | SymInt, int | SymInt, int | SymInt], tuple[int, int, int]]], tensors: list[Tensor]) -> Artifact:
    """
    The kernels that a jit function launches, as one compiled object with these parameters. `tensors`
    are those that it was given.
    """

class DeviceCapabilities:
    """What a device is and can hold."""

    @property
    def name(self) -> str: ...

    @property
    def backend(self) -> str:
        """"metal" or "cpu"."""

    @property
    def family(self) -> str:
        """The GPU family; the instruction set on the CPU."""

    @property
    def max_threads_per_threadgroup(self) -> int: ...

    @property
    def threadgroup_memory(self) -> int:
        """Bytes."""

    @property
    def simd_width(self) -> int: ...

    @property
    def max_buffer_bytes(self) -> int: ...

    @property
    def unified_memory(self) -> bool: ...

    @property
    def async_copy(self) -> str:
        """
        How async_copy_* are done: "air" or "escaped air" where Metal's undocumented functions, under one of two names, were tried and found to work; "cooperative", by the lanes of a SIMD-group, everywhere else.
        """

    def __repr__(self) -> str: ...

class Prepared:
    """A kernel with its arguments bound."""

    def dispatch(self, grid: int | tuple[int, ...] | None, threads: int | tuple[int, ...], wait: bool = True) -> None:
        """
        Runs the kernel over `grid` threads in threadgroups of `threads`; None is the grid of a jit
        function's own launches.
        """

    def dispatch_timed(self, grid: int | tuple[int, ...] | None, threads: int | tuple[int, ...]) -> float:
        """The same; the milliseconds that it took on the device."""

    def read(self, param: int) -> bytes:
        """A copy of a parameter's memory, after all dispatches so far."""

    def output(self, param: int) -> Any:
        """
        The memory bound to a parameter as a numpy array that cannot be written.
        """

    def set_input(self, param: int, array: object) -> None:
        """Binds a parameter to another array or number."""

    def release(self) -> None:
        """Gives back the arguments; nothing else can be done with it afterwards."""

    @property
    def artifact(self) -> Artifact: ...

    def __repr__(self) -> str: ...

class Runtime:
    """A device that runs kernels."""

    @property
    def capabilities(self) -> DeviceCapabilities: ...

    def prepare(self, artifact: Artifact, arguments: Sequence[object], output_sizes: dict[int, int] = {}, constants: dict[int, object] = {}) -> Prepared:
        """
        Binds a kernel to its arguments, in the order of its parameters. A parameter in `output_sizes` has None there, and gets that many bytes of zeros. `constants` has the values of function constants by index.
        """

    def dispatch_batch(self, launches: Iterable[tuple[Prepared, int | tuple[int, ...] | None, int | tuple[int, ...]]]) -> None:
        """Runs prepared kernels in order, as one submission."""

    def synchronize(self) -> None:
        """Waits for all that runs."""

    def __repr__(self) -> str: ...

MAX_CPU_THREADS: int = 1024

def cpu_runtime(compiler: Callable[[str], bytes], threads: int, identity: str) -> Runtime:
    """
    The CPU device; `compiler` turns LLVM IR into an object file. threads = 0: all cores. Objects are kept on disk under `identity`, unless it is empty.
    """

def metal_runtime() -> Runtime:
    """The Metal GPU."""

def call(runtime: Runtime, artifact: Artifact, arguments: Sequence[object], grid: int | tuple[int, ...] | None, threads: int | tuple[int, ...], scalars: dict[str, int] | None = None) -> None:
    """
    Runs a kernel on arrays and numbers, and waits; arrays that it writes change in place. `scalars`
    has sizes by name that the arrays' shapes do not tell.
    """
