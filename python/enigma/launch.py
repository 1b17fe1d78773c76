"""What a jit function does while it runs: scalars, launches, and the kernels traced for them."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from enigma import _core
from enigma.errors import error
from enigma.kernel import KernelDef, Parameter
from enigma.session import Session, jits, sessions

if TYPE_CHECKING:
    from enigma.jit import JitDef

Dim3 = tuple[int, int, int]
Grid = tuple[int | _core.SymInt, int | _core.SymInt, int | _core.SymInt]
Size = int | _core.SymInt | tuple[int | _core.SymInt, ...] | list[int | _core.SymInt]
Launchable = Size | EllipsisType | None


class JitScalar:
    """A Scalar parameter of a jit function: a value of each kernel that uses it."""

    def __init__(self, name: str, dtype: _core.DType) -> None:
        self.name = name
        self.dtype = dtype

    def __enigma_value__(self) -> _core.IRValue:
        stack = sessions()
        if not stack:
            raise error(
                f"the scalar '{self.name}' has a value only in a kernel, which each run gives it"
            )
        known = stack[-1].scalars
        if self.name not in known:
            index = current(f"the scalar '{self.name}'").index_of(self)
            known[self.name] = stack[-1].trace.scalar(self.name, self.dtype, index)
        return known[self.name]

    def __repr__(self) -> str:
        return f"<Scalar {self.name}: {self.dtype!r}>"


def _operator(name: str) -> Callable[..., Any]:
    return lambda self, *other: getattr(self.__enigma_value__(), name)(*other)


for _name in (
    "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow and rand "
    "or ror xor rxor lshift rlshift rshift rrshift lt le gt ge eq ne neg invert abs bool"
).split():
    setattr(JitScalar, f"__{_name}__", _operator(f"__{_name}__"))
JitScalar.__hash__ = object.__hash__  # type: ignore[method-assign]


class Launch:
    """One kernel with its arguments, which ``launch`` traces."""

    def __init__(self, definition: KernelDef, arguments: tuple[Any, ...] | None) -> None:
        self.definition = definition
        self.arguments = arguments  # None: those of the short form

    def launch(self, grid: Launchable = None, block: Launchable = None) -> None:
        """Adds the kernel to what the jit function runs; see ``enigma.jit``."""
        current(f"launch of kernel '{self.definition.__name__}'").add(self, grid, block)

    def __repr__(self) -> str:
        return f"<enigma kernel {self.definition.__name__} with its arguments>"


class JitSession:
    """One run of a jit function: what it has made so far."""

    def __init__(self, definition: JitDef, arguments: dict[str, Any]) -> None:
        self.name = definition.__name__
        self.arguments = arguments
        self.tiled: list[_core.Tensor] = []
        self.layouts: list[Any] = []  # of make_layout_tv
        self.launches: list[tuple[KernelDef, _core.Module, Grid, Dim3]] = []
        tensors = [t for t in arguments.values() if isinstance(t, _core.Tensor)]
        seen: dict[int | None, str] = {}
        for t in tensors:
            index = t.buffer_index
            if index in seen or t.name in seen.values():
                other = seen.get(index, t.name)
                what = f"the buffer_index {index}" if index in seen else "that name"
                raise error(
                    f"compile: tensors '{other}' and '{t.name}' both have {what}; each argument of "
                    f"jit function '{self.name}' has a name and a buffer_index of its own"
                )
            seen[index] = t.name
        free = (i for i in range(_core.MAX_PARAMETERS) if i not in seen)
        scalars = [s for s in arguments.values() if isinstance(s, JitScalar)]
        self._indices = {s.name: i for s, i in zip(scalars, free, strict=False)}
        self.tensors = tensors
        names = [*seen.values(), *self._indices]
        symbols = _symbols(self.name, tensors, names)
        self.sizes = dict(zip(symbols, free, strict=False))
        if len(self.sizes) < len(symbols):
            raise error(
                f"compile: jit function '{self.name}' has {len(names)} parameters and "
                f"{len(symbols)} sizes of its tensors, but a kernel has at most "
                f"{_core.MAX_PARAMETERS} in all"
            )

    def params(self) -> list[tuple[str, int, _core.DType, bool]]:
        """The parameters of what is compiled: name, buffer index, type, whether it is a scalar."""
        found = []
        for a in self.arguments.values():
            if isinstance(a, JitScalar):
                found.append((a.name, self.index_of(a), a.dtype, True))
            else:
                found.append((a.name, a.buffer_index, a.dtype, False))
        return found + [(name, index, _core.u32, True) for name, index in self.sizes.items()]

    def index_of(self, scalar: JitScalar) -> int:
        """The MSL buffer index of a scalar: the lowest that no tensor has."""
        if scalar.name not in self._indices:
            raise error(f"the scalar '{scalar.name}' belongs to another jit function")
        return self._indices[scalar.name]

    def add(self, launch: Launch, grid: Launchable, block: Launchable) -> None:
        if sessions():
            raise error(
                "launch is called in a kernel; a jit function launches its kernels one after the "
                "other"
            )
        kernel = launch.definition
        arguments = launch.arguments
        tiled = self.tiled if arguments is None else _tiled(arguments)
        threads = self._block(kernel, arguments, block)
        total = self._grid(kernel, tiled, grid, threads)
        for symbol in (s for n in total if isinstance(n, _core.SymInt) for s in n.symbols):
            if str(symbol) not in self.sizes:
                raise error(
                    f"launch of kernel '{kernel.__name__}': its grid has the size {symbol}, which "
                    f"is that of no argument of jit function '{self.name}', so no run can give it"
                )
        if arguments is None:
            arguments = self._short(kernel)
        module = kernel.trace(
            lambda session: self._bind(session, kernel, arguments, total, threads)
        )
        self.launches.append((kernel, module, total, threads))

    def _short(self, kernel: KernelDef) -> tuple[Any, ...]:
        """The arguments of the short form."""
        names = [p.name for p in kernel.parameters]
        rest = len(names) - len(self.tiled)
        if not self.tiled or rest < 0 or rest > max(1, len(self.layouts)):
            made = ", ".join(t.name for t in self.tiled) or "none"
            raise error(
                f"kernel '{kernel.__name__}' has {len(names)} parameters ({', '.join(names)}), "
                f"which launch() binds to the tensors that tensor_zipped_divide made in jit "
                f"function '{self.name}' ({made}), and then to the layout of make_layout_tv "
                f"({len(self.layouts)} made); write {kernel.__name__}(...).launch(...) to give "
                "others"
            )
        if rest and not self.layouts:
            raise error(
                f"kernel '{kernel.__name__}': parameter '{names[-1]}' is bound to the layout of "
                f"make_layout_tv, but jit function '{self.name}' has made none"
            )
        layouts = self.layouts[len(self.layouts) - rest :] if rest else []
        return (*(_Tile(t) for t in self.tiled), *layouts)

    def _bind(
        self,
        session: Session,
        kernel: KernelDef,
        arguments: tuple[Any, ...],
        grid: Grid,
        block: Dim3,
    ) -> list[Any]:
        """What the kernel sees of its arguments. Buffers are declared in this function's order."""
        trace = session.trace
        trace.set_launch(grid, block)
        trace.set_sizes(self.sizes, [t for t in self.tensors if t.symbols])
        whole = [a.tensor if isinstance(a, _Tile) else a for a in arguments]
        used = {a.buffer_index for a in whole if isinstance(a, _core.Tensor)}
        for a in self.arguments.values():
            if isinstance(a, _core.Tensor) and a.buffer_index in used:
                trace.memory(a)
            elif any(a is w for w in whole):
                a.__enigma_value__()
        values: list[Any] = []
        for parameter, a in zip(kernel.parameters, arguments, strict=True):
            if isinstance(a, _Tile):
                values.append(a.of_threadgroup(grid, block))
            elif isinstance(a, JitScalar):
                values.append(a.__enigma_value__())
            elif parameter.dtype is not None:
                values.append(_typed(trace, kernel, parameter, a))
            else:
                values.append(a)
        return values

    def _block(
        self, kernel: KernelDef, arguments: tuple[Any, ...] | None, block: Launchable
    ) -> Dim3:
        if block is not None and block is not ...:
            return _block(kernel, block)
        if arguments is None:
            layouts = self.layouts[-1:]
        else:
            layouts = [a for a in arguments if isinstance(a, _core.Layout) and a.rank() == 2]
        if not layouts:
            raise error(
                f"launch of kernel '{kernel.__name__}': the block is that of a layout of threads "
                "and values, of which there is none; give the threads of a threadgroup, "
                "block=(256, 1, 1)"
            )
        return _block(kernel, layouts[-1].size(0))

    def _grid(
        self, kernel: KernelDef, tiled: list[_core.Tensor], grid: Launchable, block: Dim3
    ) -> Grid:
        if grid is not None and grid is not ...:
            return _size(kernel, "grid", grid)
        counts = {t.name: _tiles(t) for t in tiled}
        different = {str(n) for n in counts.values()}
        tiles = next(iter(counts.values()), None)
        if len(different) != 1 or tiles is None:
            shown = ", ".join(f"{name} {n}" for name, n in counts.items())
            why = f"they differ: {shown}" if len(different) > 1 else "it is not known"
            raise error(
                f"launch of kernel '{kernel.__name__}': the grid is a block for each tile of the "
                f"tensors, but {why if counts else 'no tensor is tiled'}; give the number of "
                "threads, grid=(x, 1, 1)"
            )
        return tiles * block[0], block[1], block[2]

    def __enter__(self) -> JitSession:
        jits().append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        jits().pop()


class _Tile:
    """A tensor of which each threadgroup gets its tile."""

    def __init__(self, tensor: _core.Tensor) -> None:
        self.tensor = tensor

    def of_threadgroup(self, grid: Grid, block: Dim3) -> _core.Tensor:
        number: Any = None
        stride: Any = 1
        for dim in range(3):
            groups = -(-grid[dim] // block[dim])
            if type(groups) is int and groups == 1:
                continue
            term: Any = _core.query("threadgroup_position_in_grid", dim)  # type: ignore[arg-type]
            term = term if number is None else term * stride
            number = term if number is None else number + term
            stride *= groups
        tile = self.tensor.shape[0]
        whole = (None,) * len(tile) if isinstance(tile, tuple) else None
        found: _core.Tensor = self.tensor[whole, 0 if number is None else number]
        return found


def _typed(trace: _core.Trace, kernel: KernelDef, parameter: Parameter, argument: Any) -> Any:
    """The argument of a parameter with a type: the memory behind a tensor, or a number."""
    dtype = parameter.dtype
    assert dtype is not None
    if parameter.is_scalar and isinstance(argument, _core.SymInt):
        return _core.metal_cast(argument.__enigma_value__(), dtype)
    if parameter.is_scalar and not isinstance(argument, _core.Tensor):
        return dtype(argument)
    is_whole = isinstance(argument, _core.Tensor) and argument.base_offset == 0
    if not is_whole or parameter.is_scalar or argument.dtype != dtype:
        raise error(
            f"launch of kernel '{kernel.__name__}': parameter '{parameter.name}' is "
            f"{parameter!r}, for which a launch gives {'a number' if parameter.is_scalar else ''}"
            f"{'' if parameter.is_scalar else 'a tensor of that type that begins at element 0'}, "
            f"not {argument!r}"
        )
    return trace.memory(argument)


def _symbols(jit: str, tensors: list[_core.Tensor], taken: list[str]) -> list[str]:
    """The names of the sizes that only a run knows; each is one size, and nothing else."""
    found: dict[str, tuple[_core.SymInt, str]] = {}
    for t in tensors:
        for symbol in t.symbols:
            name = str(symbol)
            known, other = found.setdefault(name, (symbol, t.name))
            if known != symbol:
                raise error(
                    f"compile: the size {name} of tensor '{t.name}' is declared with another "
                    f"divisibility than that of tensor '{other}'; use one enigma.sym_int for both"
                )
            if name in taken:
                raise error(
                    f"compile: jit function '{jit}' has a parameter '{name}', which is also the "
                    f"name of a size of tensor '{t.name}'; give the size another"
                )
    return list(found)


def _tiles(tensor: _core.Tensor) -> int | _core.SymInt | None:
    return tensor.size(1) if tensor.shape is not None else None


def _tiled(arguments: tuple[Any, ...]) -> list[_core.Tensor]:
    """Those that are divided: ((tile), (tiles))."""
    made = current("launch").tiled
    return [a for a in arguments if any(a is t for t in made)]


def _size(kernel: KernelDef, what: str, size: Any) -> Grid:
    given = size if isinstance(size, (tuple, list)) else (size,)
    good = 1 <= len(given) <= 3 and all(
        isinstance(n, _core.SymInt) or (type(n) is int and n > 0) for n in given
    )
    if not good:
        raise error(
            f"launch of kernel '{kernel.__name__}': {what} is 1 to 3 positive ints, or ... to be "
            f"inferred, but is {size!r}"
        )
    x, y, z = (*given, 1, 1)[:3]
    return x, y, z


def _block(kernel: KernelDef, size: Any) -> Dim3:
    x, y, z = _size(kernel, "block", size)
    if isinstance(x, int) and isinstance(y, int) and isinstance(z, int):
        return x, y, z
    raise error(
        f"launch of kernel '{kernel.__name__}': block is {size!r}, but the threads of a "
        "threadgroup must be known when it is compiled; give ints, and sizes in the grid"
    )


def current(what: str) -> JitSession:
    """The jit function that runs; EnigmaError, which names `what`, when there is none."""
    if not jits():
        raise error(
            f"{what} is used outside a jit function: it needs the body of a function decorated "
            "with @enigma.jit, while enigma.compile runs it"
        )
    return jits()[-1]
