"""Pipelines: a ring of tiles in threadgroup memory, whose rotation every region carries."""

from __future__ import annotations

from enigma import _core
from enigma.carry import Cells
from enigma.errors import error

__all__ = ["Pipeline", "pipeline"]


def pipeline(
    dtype: _core.DType | str | type, size: int | tuple[int, ...], stages: int = 2
) -> Pipeline:
    """A ring of `stages` tiles of threadgroup memory, to fill some while one is used.

    `size` is the number of elements of a tile, or its shape. ``front()`` is the tile to use now,
    ``back()`` the one to fill, and ``advance()`` rotates them, in loops from each turn to the
    next::

        pipe = enigma.pipeline("float", 256, stages=3)
        for s in range(2):
            enigma.copy(A, pipe.stage(s), count=256, src_offset=s * 256)
        enigma.barrier()
        with enigma.for_range(0, tiles) as t:
            compute(pipe.front())
            enigma.copy(A, pipe.back(), count=256, src_offset=(t + 2) * 256)
            enigma.barrier()
            pipe.advance()

    The loop loads the tiles up to number ``tiles + 1``, two more than it uses: give ``A`` room for
    them, or leave them out with ``mask_fn``. A loop of a known number of turns is unrolled by the
    stages, so that nothing is left of the rotation; else the slot is a number that it carries.

    Errors: EnigmaError for fewer than 2 stages, for tiles that do not fit into the 32 KiB of
    threadgroup memory, and outside of a kernel.
    """
    made: Pipeline = Pipeline._of([0], _core.Ring(dtype, size, stages))
    return made


class Pipeline(Cells):
    """What pipeline gives: tiles, by how many advances they lie ahead."""

    __slots__ = ("_ring",)
    _ring: _core.Ring
    _literals = _core.u32

    def __init__(self) -> None:
        raise error("a Pipeline is made by enigma.pipeline(dtype, size, stages)")

    def _form(self) -> _core.Ring:
        return self._ring

    def _shape(self, form: _core.Ring) -> None:
        self._ring = form

    def _labels(self) -> list[str]:
        return [f"{self.name}_slot"] if self.name else []

    @property
    def name(self) -> str:
        """The Python name, "" when none is known; the first one given stays."""
        return self._ring.name

    @name.setter
    def name(self, name: str) -> None:
        self._ring.name = name

    @property
    def stages(self) -> int:
        """The number of tiles."""
        return self._ring.stages

    def stage(self, k: int) -> _core.TracingTensor:
        """The tile that is the front after k more advances, as the ring stands now."""
        return self._ring.tile(self._values[0], k)

    def front(self) -> _core.TracingTensor:
        """The tile to use now: stage 0."""
        return self.stage(0)

    def back(self) -> _core.TracingTensor:
        """The tile to fill now: the last stage."""
        return self.stage(self.stages - 1)

    def advance(self) -> None:
        """Rotates: each stage becomes the one before it, and the front becomes the back."""
        self._values[0] = self._ring.next(self._values[0])

    def rotate(self) -> None:
        """Another name of advance."""
        self.advance()

    def swap(self) -> None:
        """Front becomes back, and back front: advance for 2 stages. EnigmaError for more."""
        if self.stages != 2:
            raise error(
                f"swap exchanges the two tiles of a pipeline of 2 stages, and this one has "
                f"{self.stages}; use advance()"
            )
        self.advance()

    def __repr__(self) -> str:
        return f"<Pipeline {self.name + ': ' * bool(self.name)}{self.stages} stages>"
